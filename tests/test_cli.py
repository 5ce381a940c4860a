"""The command, in this process: what it makes, what it says, and that an error leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import PERSON, ROOM, SIZE_WH, read_clip, scene, write_clip, write_picture
from tiny_model import write_tiny_model

from bgcam import __version__
from bgcam.realtime import cli, devices, run_command
from bgcam.realtime.devices import Device
from bgcam.realtime.errors import BackendError
from bgcam.realtime.frames import CameraFrame, ComposedFrame, Matte


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with clip.mp4 (8 frames), photo.png and blue.png, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4")
    write_picture(tmp_path / "photo.png")
    return tmp_path


@pytest.fixture
def bgcam(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command with the tiny model: (exit code, stdout, stderr)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["--model", str(tiny_model), "--threads", "1", *arguments])  # those of the test go last and win
        out, err = capsys.readouterr()
        return code, out, err

    return run


Run = Callable[..., tuple[int, str, str]]


def one_line(err: str) -> str:
    """What the command said, which must be one line of its own."""
    assert err.startswith("bgcam: "), err
    assert err.count("\n") == 1, err
    return err


def test_a_video_gets_a_new_background(in_tmp: Path, bgcam: Run) -> None:
    code, out, err = bgcam("--input", "clip.mp4", "--background", "#0000ff", "--output", "out.mp4")
    assert (code, err) == (0, "")
    frames = read_clip(in_tmp / "out.mp4")
    assert len(frames) == 8
    for number, frame in enumerate(frames):
        assert frame.shape == (SIZE_WH[1], SIZE_WH[0], 3)
        source = scene(number)[..., 0]
        inside = np.abs(frame[source == PERSON].astype(int) - PERSON)
        assert np.median(inside) < 12  # the person stays
        assert np.median(np.abs(frame[source == ROOM].astype(int) - (255, 0, 0))) < 12  # the room is gone
    assert "openvino" in out.lower() or "onnx" in out.lower()
    assert "8 frames, " in out.splitlines()[-1]
    assert not list(in_tmp.glob("*.part"))


def test_several_outputs_and_a_mirror(in_tmp: Path, bgcam: Run) -> None:
    arguments = ("--input", "photo.png", "--background", "green", "--mirror")
    assert bgcam(*arguments, "--output", "a.png", "--output", "null", "--output", "b.png")[0] == 0
    assert (in_tmp / "a.png").read_bytes() == (in_tmp / "b.png").read_bytes()
    from bgcam.realtime.sources.images import read_picture

    shown = read_picture(in_tmp / "a.png")
    assert (np.abs(shown[:, ::-1][scene(0)[..., 0] == PERSON].astype(int) - PERSON) < 30).mean() > 0.8


def test_none_shows_the_room_and_needs_no_model(in_tmp: Path, bgcam: Run) -> None:
    code, _, _ = bgcam("--model", "gone.onnx", "--input", "photo.png", "--background", "none", "--output", "out.png")
    assert code == 0
    from bgcam.realtime.sources.images import read_picture

    assert np.array_equal(read_picture(in_tmp / "out.png"), scene(0))


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
        (["--input", "gone.mp4"], 1, "gone.mp4: no such file"),
        (["--input", "text.png"], 1, "text.png: not a readable picture"),
        (["--input", "cut.mp4"], 1, "cut.mp4: "),
        (["--input", "cut.mkv"], 1, "cut.mkv: the video breaks off after"),
        (["--input", "no_pictures"], 1, "no_pictures: no pictures in this folder"),
        (["--camera", "/dev/video99"], 1, "/dev/video99"),
        (["--camera", "No such camera"], 1, "No such camera"),
        (["--input", "clip.mp4", "--background", "gone.jpg"], 1, "gone.jpg: no such background"),
        (["--input", "clip.mp4", "--background", "text.png"], 1, "text.png: not a readable picture"),
        (["--input", "clip.mp4", "--background", "blur:99"], 2, "the strength goes from 1 to 10"),
        (["--input", "clip.mp4", "--model", "text.onnx"], 1, "text.onnx: not an ONNX model"),
        (["--input", "clip.mp4", "--model", "no_spec.onnx"], 1, "no_spec.onnx: an ONNX model without bgcam's spec"),
        (["--input", "clip.mp4", "--model", "nobodys"], 1, "no model is called 'nobodys'"),
        (["--input", "clip.mp4", "--backend", "cuda"], 2, "no backend is called 'cuda'"),
        (["--input", "clip.mp4", "--output", "clip.mp4"], 2, "--output clip.mp4 would write over what --input reads"),
        (["--input", "photo.png", "--output", "."], 2, "--output . would write over what --input reads"),
        (["--input", "clip.mp4", "--background", "photo.png", "--output", "."], 2, "what --background reads"),
        (["--input", "clip.mp4", "--background", "~nosuchuser/x.jpg"], 1, "x.jpg: no such background"),
        (["--input", "clip.mp4", "--background", "x" * 300], 1, "no such background"),
        (["--input", "clip.mp4", "--model", "~nosuchuser/x.onnx"], 1, "x.onnx: no such model file"),
        (["--input", "clip.mp4", "--size", "0x0"], 2, "'0x0' has no pixel"),
        (["--threads", "1", "demo"], 2, "options of demo go after its name"),
        (["--input", "clip.mp4", "--output", "./out.mp4"], 2, "--output ./out.mp4 is given twice"),
        (["--input", "clip.mp4", "--output", "out.xyz"], 2, "out.xyz"),
        (["--input", "clip.mp4", "--output", "gone/out.mp4"], 1, "gone"),
        (["matte", "gone.png", "m.png"], 1, "gone.png: no such file"),
        (["matte", "text.png", "m.png"], 1, "text.png: not a readable picture"),
        (["matte", "no_pictures", "mattes"], 1, "no_pictures: no pictures in this folder"),
        (["matte", "cut.mkv", "m.mp4"], 1, "cut.mkv: the video breaks off after"),
        (["matte", "photo.png", "m.jpg"], 2, "m.jpg: mattes of pictures are PNG files"),
        (["matte", "photo.png", "photo.png"], 2, "photo.png is the picture that is read"),
        (["matte", "clip.mp4", "m.png"], 2, "m.png: the matte of a video is a video"),
        (["matte", "clip.mp4", "clip.mp4"], 2, "clip.mp4 is the video that is read"),
        (["matte", "--cutout", "clip.mp4", "m.mp4"], 2, "--cutout makes pictures"),
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
        (["--size", "0x480"], "'0x480' has no pixel"),
        (["--size", "20000x20000"], "'20000x20000' has more than 100000000 pixels"),
        (["--size", "big"], "'big' is no size; give WxH, such as 1280x720"),
        (["--size=-5x5"], "is no size"),
        (["--fps", "0"], "'0' is no frame rate"),
        (["--fps", "nan"], "'nan' is no frame rate"),
        (["--threads", "-1"], "'-1' is no number of threads"),
        (["--camera", "0", "--input", "clip.mp4"], "not allowed with argument"),
        (["--backgrund=x"], "unrecognized arguments"),
        (["dance"], "invalid choice: 'dance'"),
        (["matte", "a.png"], "required: OUTPUT"),
    ],
)
def test_wrong_options_exit_2(bgcam: Run, arguments: list[str], message: str) -> None:
    code, out, err = bgcam(*arguments)
    assert code == 2
    assert message in err
    assert out == ""


def test_version_and_help(bgcam: Run) -> None:
    assert bgcam("--version")[:2] == (0, f"bgcam {__version__}\n")
    code, out, _ = bgcam("--help")
    assert code == 0
    for word in ("--background", "--camera", "--input", "--output", "matte", "devices", "demo", "blur"):
        assert word in out


def test_demo_gets_its_own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    fake = ModuleType("bgcam.realtime.demo")
    got: list[list[str]] = []
    fake.main = lambda argv: got.append(argv) or 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bgcam.realtime.demo", fake)
    assert cli.main(["demo", "--any", "thing"]) == 5
    assert got == [["--any", "thing"]]


def test_devices_are_listed_by_name_and_path(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Device(path="/dev/video0", name="BRIO", index=0, driver="uvcvideo", by_id="/dev/v4l/by-id/usb-BRIO")
    monkeypatch.setattr(devices, "list_cameras", lambda: [camera])
    monkeypatch.setattr(devices, "list_virtual_cameras", list)
    code, out, _ = bgcam("devices")
    assert code == 0
    assert out.splitlines() == [
        "cameras:",
        "  BRIO  /dev/video0  /dev/v4l/by-id/usb-BRIO",
        "    bgcam --camera BRIO",
        "virtual cameras:",
        "  none",
    ]


def test_without_a_virtual_camera_the_picture_goes_to_the_web(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = run_command.open_sink

    def watching(spec: str, **options: Any) -> object:
        asked.append(spec)
        return real("null", **options)

    monkeypatch.setattr(run_command, "open_sink", watching)
    monkeypatch.setattr(devices, "list_virtual_cameras", list)
    code, _, err = bgcam("--input", "clip.mp4")
    assert (code, asked) == (0, ["web"])
    assert "bgcam doctor --fix" in one_line(err)
    monkeypatch.setattr(devices, "list_virtual_cameras", lambda: [Device("/dev/video9", "bgcam", 9, "v4l2 loopback")])
    assert bgcam("--input", "clip.mp4")[0] == 0
    assert asked == ["web", "virtual"]


@pytest.mark.parametrize("spec", ["photo.png", "."])
def test_pictures_stay_on_the_page_until_they_are_stopped(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    real = run_command.open_sink
    shown: list[int] = []

    def watching(spec: str, **options: Any) -> Any:
        sink = real(spec, **options)
        write = sink.write

        def writing(frame: ComposedFrame) -> None:
            write(frame)
            shown.append(frame.number)
            if len(shown) == 10:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(sink, "write", writing)
        return sink

    monkeypatch.setattr(run_command, "open_sink", watching)
    code, out, err = bgcam("--input", spec, "--background", "green", "--output", "web:0")
    assert (code, err) == (0, "")
    assert "the last picture stays until Ctrl-C\n" in out
    assert max(shown) > 5


def test_the_page_is_for_this_machine_unless_allowed(in_tmp: Path, bgcam: Run) -> None:
    remote = ("--input", "clip.mp4", "--background", "green", "--output", "web:0.0.0.0:0")
    code, out, err = bgcam(*remote)
    assert (code, out) == (2, "")  # before the model is loaded
    assert "who is in your network could watch" in one_line(err)
    code, out, err = bgcam("--allow-remote", *remote)
    assert (code, err) == (0, "")
    assert re.search(r"^output: http://[^/]+:\d+/[\w-]{22}/$", out, re.MULTILINE)


def test_when_a_second_output_cannot_be_opened_the_first_leaves_nothing(in_tmp: Path, bgcam: Run) -> None:
    code, _, _ = bgcam("--input", "clip.mp4", "--output", "out.mp4", "--output", "gone/out.mp4")
    assert code == 1
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


@pytest.mark.parametrize("output", ["out.avi", "gone/out.mp4", "gone/out.png", "web:x"])
def test_an_output_that_cannot_be_is_said_before_anything_is_loaded(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(run_command, "_open_matting", lambda options: pytest.fail("it was loaded"))
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
    assert re.fullmatch(rf"bgcam: {option} is nothing that bgcam (\w+) takes; see bgcam \1 --help\n", said)
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


def test_an_inference_error_leaves_no_output(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = run_command.Matting.__call__

    def failing(self: Any, frame: CameraFrame) -> Matte:
        if frame.number == 4:
            raise BackendError("openvino failed on a frame (out of memory)")
        return real(self, frame)

    monkeypatch.setattr(run_command.Matting, "__call__", failing)
    code, _, err = bgcam("--input", "clip.mp4", "--output", "out.mp4")
    assert code == 1
    assert "out of memory" in one_line(err)
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


def test_an_unexpected_error_is_one_line_unless_debugging(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Device]:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(devices, "list_cameras", broken)
    code, _, err = bgcam("devices")
    assert code == 1
    assert one_line(err) == (
        "bgcam: unexpected error: ZeroDivisionError: by zero; run with --debug for the traceback\n"
    )
    code, _, err = bgcam("devices", "--debug")
    assert code == 1
    assert "Traceback" in err


class EndlessCamera:
    """A live source without end."""

    name, size_wh, fps, live, drops, frames = "fake camera", SIZE_WH, 25.0, True, 0, None

    def __init__(self) -> None:
        self._number = 0

    def read(self) -> CameraFrame:
        time.sleep(0.002)
        number, self._number = self._number, self._number + 1
        return CameraFrame(number, scene(number), number / 25, time.monotonic())

    def close(self) -> None:
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_live_run_cleanly(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(run_command, "open_source", lambda **options: EndlessCamera())
    real = run_command.open_sinks

    def opening(*args: Any, **options: Any) -> object:
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        return real(*args, **options)

    monkeypatch.setattr(run_command, "open_sinks", opening)
    code, out, err = bgcam("--background", "green", "--output", "out.mp4")
    assert (code, err) == (0, "")
    frames = read_clip(in_tmp / "out.mp4")
    assert len(frames) > 3
    assert out.splitlines()[-1].startswith(f"{len(frames)} frames, ")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


class LongFile(EndlessCamera):
    """A file of a thousand frames."""

    live, frames = False, 1000


def test_a_file_that_is_stopped_early_is_no_success(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_command, "open_source", lambda **options: LongFile())
    real = run_command.open_sinks

    def opening(*args: Any, **options: Any) -> object:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGHUP)).start()
        return real(*args, **options)

    monkeypatch.setattr(run_command, "open_sinks", opening)
    code, out, err = bgcam("--background", "green", "--input", "long", "--output", "out.mp4")
    assert (code, err) == (1, "")
    frames = read_clip(in_tmp / "out.mp4")
    assert out.splitlines()[-1].startswith(f"stopped after {len(frames)} of 1000 frames; ")


def test_a_signal_before_the_first_frame_ends_cleanly(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**options: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)

    monkeypatch.setattr(run_command, "open_source", interrupted)
    assert bgcam("--background", "green", "--output", "null")[0] == 0
    code, _, err = bgcam("--input", "x", "--background", "green", "--output", "null")
    assert code == 1
    assert one_line(err) == "bgcam: stopped before it was done\n"


def test_passed_over_backends_are_told(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from bgcam.realtime import backends

    monkeypatch.setattr(backends, "auto_order", lambda: ["openvino", "onnxruntime"])
    monkeypatch.setitem(sys.modules, "openvino", None)
    code, out, _ = bgcam("--input", "photo.png", "--output", "null")
    assert code == 0
    assert "passed over openvino: the package openvino is not installed; run: pip install openvino" in out
    assert "model: tiny on ONNX Runtime CPU, fp32" in out
    code, _, err = bgcam("--input", "photo.png", "--output", "null", "--backend", "openvino")
    assert code == 1
    assert "pip install openvino" in one_line(err)
