"""One rule for all commands: 2, the request is wrong; 1, it failed, also for a device that is not there now."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import write_clip, write_picture
from command import Run, one_line
from tiny_model import write_tiny_model

from bgcam.realtime.command import cli
from bgcam.realtime.control.wire import packed, unpacked
from bgcam.realtime.devices import listing
from bgcam.realtime.errors import (
    BackendError,
    BackgroundError,
    BgcamError,
    ModelError,
    SinkError,
    SourceError,
    about_setting,
)

CLIP = ("--input", "clip.mp4", "--output", "null")
# What nobody can do as it is asked for.
WRONG = {
    "an option": ("--backgruond", "beach"),
    "a value": ("--fps", "fast"),
    "a command": ("dance",),
    "two options that exclude each other": ("--camera", "0", "--input", "clip.mp4"),
    "an option without what it needs": (*CLIP, "--fit", "cover"),
    "a profile": ("--profile", "nosuch"),
    "an input": ("--input", "gone.mp4", "--output", "null"),
    "an input that is no video": ("--input", "text.mp4", "--output", "null"),
    "an input that is empty": ("--input", "empty.mp4", "--output", "null"),
    "an input that is no picture": ("--input", "text.png", "--output", "null"),
    "an input without its index": ("--input", "cut.mp4", "--output", "null"),
    "a folder without pictures": ("--input", "no_pictures", "--output", "done/"),
    "a background": (*CLIP, "--background", "nosuch"),
    "a background by its path": (*CLIP, "--background", "./gone.jpg"),
    "a background that is no picture": (*CLIP, "--background", "text.png"),
    "a background that is no video": (*CLIP, "--background", "text.mp4"),
    "a folder of no backgrounds": (*CLIP, "--background", "no_pictures"),
    "a blur": (*CLIP, "--background", "blur:99"),
    "a colour": (*CLIP, "--background", "#12"),
    "a key colour": (*CLIP, "--background", "transparent", "--key-colour", "nosuch"),
    "a model": (*CLIP, "--model", "nosuch"),
    "a model by its path": (*CLIP, "--model", "./gone.onnx"),
    "a model that is none": (*CLIP, "--model", "text.onnx"),
    "a model of another program": (*CLIP, "--model", "no_spec.onnx"),
    "a backend": (*CLIP, "--backend", "nosuch"),
    "an output's kind": ("--input", "clip.mp4", "--output", "out.xyz"),
    "an output's folder": ("--input", "clip.mp4", "--output", "gone/out.mp4"),
    "an output's folder that is a file": ("--input", "photo.png", "--output", "clip.mp4/done/"),
    "an output that is the input": ("--input", "clip.mp4", "--output", "clip.mp4"),
    "a trace's folder": (*CLIP, "--trace", "gone/trace.json"),
    "a trace that is a folder": (*CLIP, "--trace", "no_pictures"),
    "matte: an input": ("matte", "gone.png", "out.png"),
    "matte: an input that is no picture": ("matte", "text.png", "out.png"),
    "matte: an input that is no video": ("matte", "text.mp4", "out.mp4"),
    "matte: a folder without pictures": ("matte", "no_pictures", "out"),
    "matte: an output's folder": ("matte", "clip.mp4", "gone/out.mp4"),
    "matte: a model": ("matte", "photo.png", "out.png", "--model", "nosuch"),
    "batch: a folder": ("batch", "gone", "done"),
    "batch: a file": ("batch", "clip.mp4", "done"),
    "batch: a background": ("batch", "no_pictures", "done", "--background", "nosuch"),
    "batch: a model": ("batch", ".", "done", "--model", "nosuch", "--workers", "1"),
    "set: a word without a value": ("set", "mirror"),
    "set: a background": ("set", "background=nosuch"),
    "completion: a shell": ("completion", "nosuch"),
    "demo: a value": ("demo", "--seconds", "none"),
}
# What may be done another time, or was done in part.
FAILED = {
    "no camera": ("--output", "null"),
    "a camera that is not plugged in": ("--camera", "logitech", "--output", "null"),
    "a device that is not there": ("--camera", "/dev/video99", "--output", "null"),
    "another camera that is not there": (*CLIP, "--background", "camera:logitech"),
    "a virtual camera that is not there": ("--input", "clip.mp4", "--output", "virtual:nosuch"),
    "an address that does not answer": ("--input", "http://127.0.0.1:9/clip.mp4", "--output", "null"),
    "a video that ends early": ("--input", "cut.mkv", "--output", "null"),
    "a file that is to be kept": ("--input", "clip.mp4", "--output", "long.mkv"),
    "one of several pictures": ("--input", "photo.png", "text.png", "--output", "done/"),
    "nothing that runs": ("status",),
}


@pytest.fixture(autouse=True)
def files(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_SYSFS", in_tmp / "no devices")
    for module in ("sources.camera", "sinks.virtual"):
        for name in ("list_cameras", "list_virtual_cameras"):
            monkeypatch.setattr(f"bgcam.realtime.{module}.{name}", tuple, raising=False)
    for name in ("text.png", "text.mp4", "text.onnx"):
        (in_tmp / name).write_text("nothing of the kind")
    (in_tmp / "empty.mp4").write_bytes(b"")
    (in_tmp / "no_pictures").mkdir()
    write_tiny_model(in_tmp / "no_spec.onnx", spec=None)
    write_picture(in_tmp / "photo.png")
    whole = write_clip(in_tmp / "long.mp4", frames=60).read_bytes()
    (in_tmp / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    whole = write_clip(in_tmp / "long.mkv", frames=60).read_bytes()
    (in_tmp / "cut.mkv").write_bytes(whole[: len(whole) * 3 // 4])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [pytest.param(words, code, id=name) for code, table in ((2, WRONG), (1, FAILED)) for name, words in table.items()],
)
def test_the_code_says_whether_to_try_again(
    bgcam: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: int
) -> None:
    if arguments[0].startswith("--"):
        code, _, err = bgcam(*arguments)  # with a small model
    else:
        code = cli.main([*arguments])
        err = capsys.readouterr().err
    assert code == expected, err
    assert "Traceback" not in err
    if expected == 2:
        one_line(err)


def test_what_is_configured_is_named_with_its_line(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = in_tmp / "config.toml"
    monkeypatch.setenv("BGCAM_CONFIG", str(file))
    for line, begins in (
        ('background = "nosuch"', "config.toml:2: nosuch: no such background; "),
        ('background = "text.png"', "config.toml:2: background "),
        ('backend = "nosuch"', "config.toml:2: unknown backend 'nosuch'"),
        ('output = ["out.xyz"]', "config.toml:2: cannot write to 'out.xyz'"),
        ('key_colour = "nosuch"', "config.toml:2: key_colour: 'nosuch' is not a colour"),
        ('trace = "gone/trace.json"', "config.toml:2: --trace gone/trace.json: there is no such folder"),
        ('light_wrap = 5\nbackground = "transparent"', "config.toml:2: --light-wrap needs a background to show"),
    ):
        file.write_text(f"far = false\n{line}\n[profile.empty]\n")
        code, _, err = bgcam("--input", "clip.mp4", *(() if "output" in line else ("--output", "null")))
        assert (code, one_line(err).startswith(f"bgcam: {begins}")) == (2, True), err
    file.write_text('on_demand = true\noutput = ["web"]\n')
    assert one_line(bgcam()[2]).startswith("bgcam: config.toml:1: --on-demand depends on who watches")
    file.write_text('model = "fast"\nbackend = "nosuch"\n')
    assert cli.main(["matte", "photo.png", "out.png"]) == 2
    assert one_line(capsys.readouterr().err).startswith("bgcam: config.toml:2: unknown backend 'nosuch'")
    file.write_text('[profile.work]\nbackground = "nosuch"\n')
    code, _, err = bgcam("--profile", "work", *CLIP)
    assert (code, one_line(err).startswith("bgcam: config.toml:2, profile work: nosuch: no such")) == (2, True)
    assert one_line(bgcam(*CLIP, "--background", "nosuch")[2]).startswith("bgcam: nosuch: no such background")


def test_both_lines_are_named_of_two_that_exclude_each_other(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BGCAM_CONFIG", str(in_tmp / "config.toml"))
    said = "camera and input exclude each other; give one of them\n"
    (in_tmp / "config.toml").write_text('light_wrap = 3\ncamera = "0"\nfar = true\ninput = ["clip.mp4"]\n')
    assert one_line(bgcam()[2]) == f"bgcam: config.toml:2 and config.toml:4: {said}"
    (in_tmp / "config.toml").write_text('[profile.x]\ncamera = "0"\ninput = ["clip.mp4"]\n')
    code, _, err = bgcam("--profile", "x")
    assert (code, one_line(err)) == (2, f"bgcam: config.toml:2, profile x and config.toml:3, profile x: {said}")


def test_the_code_and_the_setting_come_with_the_error() -> None:
    for kind, device, expected in (
        (SourceError, False, 2),
        (SourceError, True, 1),
        (BackgroundError, False, 2),
        (SinkError, False, 2),
        (BackendError, False, 1),
        (BgcamError, False, 1),
    ):
        with pytest.raises(kind) as caught, about_setting("output", device=device), about_setting("input", device=True):
            raise kind("it is not there")
        assert (caught.value.exit_code, caught.value.setting) == (expected, "input")


@pytest.mark.parametrize("code", [1, 2])
def test_a_running_bgcam_answers_with_the_same_code(code: int) -> None:
    error = BackgroundError("gone.jpg: no such background")
    error.exit_code = code
    answer = unpacked(packed(error))
    assert isinstance(answer, BackgroundError)
    assert answer.exit_code == code
    damaged = ModelError("fast.onnx: not the file that was shipped")
    damaged.exit_code = code
    assert unpacked(packed(damaged)).exit_code == code  # type: ignore[attr-defined]
    assert unpacked({"kind": "UsageError", "message": "x"}).exit_code == 2  # type: ignore[attr-defined]
