"""The command, in this process: an error is one line and leaves nothing behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from command import Run, one_line
from tiny_model import write_tiny_model

from bgcam.realtime.command import cli, run
from bgcam.realtime.devices import listing
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.errors import BackendError
from bgcam.realtime.frames import CameraFrame, CoarseMatte


def make_files(folder: Path) -> None:
    """The wrong files that the tests below name."""
    (folder / "text.png").write_text("no picture")
    (folder / "text.onnx").write_text("no model")
    (folder / "no_pictures").mkdir()
    write_tiny_model(folder / "no_spec.onnx", spec=None)
    whole = write_clip(folder / "long.mp4", frames=60).read_bytes()
    write_clip(folder / "long.mkv", frames=60)
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    whole = (folder / "long.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(whole[: len(whole) * 3 // 4])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--input", "gone.mp4"], 2, "gone.mp4: no such file"),
        (["--input", "text.png"], 2, "text.png: not a readable picture"),
        (["--input", "cut.mp4"], 2, "cut.mp4: "),
        (["--input", "cut.mkv"], 1, "cut.mkv: the video ends early after"),
        (["--input", "no_pictures"], 2, "no_pictures: no pictures in this folder"),
        (["--camera", "/dev/video99"], 1, "/dev/video99"),
        (["--camera", "No such camera"], 1, "No such camera"),
        (["--input", "clip.mp4", "--background", "gone.jpg"], 2, "gone.jpg: no such background"),
        (["--input", "clip.mp4", "--background", "text.png"], 2, "text.png: not a readable picture"),
        (["--input", "clip.mp4", "--background", "blur:99"], 2, "blur strength must be from 1 to 10"),
        (["--input", "clip.mp4", "--model", "text.onnx"], 2, "text.onnx: not an ONNX model"),
        (["--input", "clip.mp4", "--model", "no_spec.onnx"], 2, "no_spec.onnx: an ONNX model without bgcam's spec"),
        (["--input", "clip.mp4", "--model", "nobodys"], 2, "unknown model 'nobodys'"),
        (["--input", "clip.mp4", "--backend", "cuda"], 2, "unknown backend 'cuda'"),
        (["--input", "clip.mp4", "--output", "clip.mp4"], 2, "--output clip.mp4 would overwrite what --input reads"),
        (["--input", "photo.png", "--output", "."], 2, "--output . would overwrite what --input reads"),
        (["--input", "clip.mp4", "--background", "photo.png", "--output", "."], 2, "what --background reads"),
        (["--input", "clip.mp4", "--background", "~nosuchuser/x.jpg"], 2, "x.jpg: no such background"),
        (["--input", "clip.mp4", "--background", "x" * 300], 2, "no such background"),
        (["--input", "clip.mp4", "--model", "~nosuchuser/x.onnx"], 2, "x.onnx: no such model file"),
        (["--input", "clip.mp4", "--size", "0x0"], 2, "invalid size '0x0': both sides must be above 0"),
        (["--threads", "1", "demo"], 2, "give the options of demo after its name"),
        (["--input", "clip.mp4", "--output", "./out.mp4"], 2, "--output ./out.mp4 is given twice"),
        (["--input", "clip.mp4", "--output", "out.xyz"], 2, "out.xyz"),
        (["--input", "clip.mp4", "--output", "gone/out.mp4"], 2, "gone"),
        (["matte", "gone.png", "m.png"], 2, "gone.png: no such file"),
        (["matte", "text.png", "m.png"], 2, "text.png: not a readable picture"),
        (["matte", "no_pictures", "mattes"], 2, "no_pictures: no pictures in this folder"),
        (["matte", "cut.mkv", "m.mp4"], 1, "cut.mkv: the video ends early after"),
        (["matte", "photo.png", "m.jpg"], 2, "m.jpg: mattes of pictures are PNG files"),
        (["matte", "photo.png", "photo.png"], 2, "photo.png is the input picture"),
        (["matte", "clip.mp4", "m.png"], 2, "m.png: the matte of a video is a video"),
        (["matte", "clip.mp4", "clip.mp4"], 2, "clip.mp4 is the input video"),
        (["matte", "--cutout", "clip.mp4", "m.mp4"], 2, "m.mp4: cannot hold a video with transparency"),
        (["matte", "--cutout", "clip.mp4", "m.png"], 2, "m.png: cannot hold a video with transparency"),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing_behind(
    in_tmp: Path, bgcam: Run, arguments: list[str], code: int, message: str
) -> None:
    make_files(in_tmp)
    before = {path: path.stat().st_mtime_ns for path in in_tmp.rglob("*")}
    outputs = [] if arguments[0] == "matte" else ["--output", "out.mp4"]
    if arguments[0] == "matte" and "--model" not in arguments:
        arguments = [arguments[0], *arguments[1:]]
    given, _, err = bgcam(*outputs, *arguments)
    assert message in one_line(err)
    assert given == code
    assert {path: path.stat().st_mtime_ns for path in in_tmp.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "0x480"], "invalid size '0x480': both sides must be above 0"),
        (["--size", "20000x20000"], "'20000x20000' has more than 100000000 pixels"),
        (["--size", "big"], "invalid size 'big': give WxH, such as 1280x720"),
        (["--size=-5x5"], "invalid size '-5x5'"),
        (["--fps", "0"], "invalid frame rate '0'"),
        (["--fps", "nan"], "invalid frame rate 'nan'"),
        (["--threads", "-1"], "invalid number of threads '-1'"),
        (["--camera", "0", "--input", "clip.mp4"], "not allowed with argument"),
        (["--backgrund=x"], "bgcam does not accept --backgrund; did you mean --background?"),
        (["dance"], "unknown command 'dance'"),
        (["matte", "a.png"], "required: OUTPUT"),
    ],
)
def test_wrong_options_exit_2(bgcam: Run, arguments: list[str], message: str) -> None:
    code, out, err = bgcam(*arguments)
    assert code == 2
    assert message in err
    assert out == ""


def test_when_a_second_output_cannot_be_opened_the_first_leaves_nothing(in_tmp: Path, bgcam: Run) -> None:
    code, _, _ = bgcam("--input", "clip.mp4", "--output", "out.mp4", "--output", "gone/out.mp4")
    assert code == 2
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


@pytest.mark.parametrize("output", ["out.avi", "gone/out.mp4", "gone/out.png", "web:x"])
def test_an_output_that_cannot_be_is_said_before_anything_is_loaded(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(run, "_open_matting", lambda options: pytest.fail("it was loaded"))
    code, out, err = bgcam("--input", "clip.mp4", "--output", "null", "--output", output)
    assert (code in (1, 2), out) == (True, "")
    one_line(err)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("--output", "x.mp4", "matte", "clip.mp4", "out.mp4"), "--output"),
        (("--light-wrap", "3", "matte", "photo.png", "out.png"), "--light-wrap"),
        (("--input", "clip.mp4", "devices"), "--input"),
    ],
)
def test_an_option_that_a_command_would_not_heed_is_refused(
    in_tmp: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], option: str
) -> None:
    assert cli.main([*arguments]) == 2
    said = one_line(capsys.readouterr().err)
    assert re.fullmatch(rf"bgcam: bgcam (\w+) does not accept {option}; see bgcam \1 --help\n", said)
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


def test_an_inference_error_leaves_no_output(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = run.Matting.__call__

    def failing(self: Any, frame: CameraFrame) -> CoarseMatte:
        if frame.number == 4:
            raise BackendError("openvino failed on a frame (out of memory)")
        return real(self, frame)

    monkeypatch.setattr(run.Matting, "__call__", failing)
    code, _, err = bgcam("--input", "clip.mp4", "--output", "out.mp4")
    assert code == 1
    assert "out of memory" in one_line(err)
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


def test_an_unexpected_error_is_one_line_unless_debugging(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Device]:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(listing, "list_cameras", broken)
    code, _, err = bgcam("devices")
    assert code == 1
    assert one_line(err) == (
        "bgcam: unexpected error: ZeroDivisionError: by zero; run with --debug for the traceback\n"
    )
    code, _, err = bgcam("devices", "--debug")
    assert code == 1
    assert "Traceback" in err
