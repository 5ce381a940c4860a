"""The command, in this process: what it makes and what it says."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import PERSON, ROOM, SIZE_WH, read_clip, scene
from command import Run, one_line

from bgcam import __version__
from bgcam.packages import missing
from bgcam.realtime.command import cli, run
from bgcam.realtime.devices import listing
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.frames import ComposedFrame


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


def test_version_and_help(bgcam: Run) -> None:
    assert bgcam("--version")[:2] == (0, f"bgcam {__version__}\n")
    code, out, _ = bgcam("--help")
    assert code == 0
    for word in ("--background", "--camera", "--input", "--output", "matte", "devices", "demo", "blur"):
        assert word in out


def test_demo_gets_its_own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    fake = ModuleType("bgcam.realtime.command.demo.command")
    got: list[list[str]] = []
    fake.main = lambda argv: got.append(argv) or 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bgcam.realtime.command.demo.command", fake)
    assert cli.main(["demo", "--any", "thing"]) == 5
    assert got == [["--any", "thing"]]


def test_devices_are_listed_by_name_and_path(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Device(path="/dev/video0", name="BRIO", index=0, driver="uvcvideo", by_id="/dev/v4l/by-id/usb-BRIO")
    monkeypatch.setattr(listing, "list_cameras", lambda: [camera])
    monkeypatch.setattr(listing, "list_virtual_cameras", list)
    code, out, _ = bgcam("devices")
    assert code == 0
    assert out.splitlines() == [
        "cameras:",
        "  BRIO  /dev/video0  /dev/v4l/by-id/usb-BRIO",
        "    bgcam --camera BRIO",
        "virtual cameras:",
        "  none",
    ]


def test_the_panic_key_is_mentioned_where_it_works(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "press p" not in bgcam("--input", "clip.mp4", "--background", "green", "--output", "null")[1]
    monkeypatch.setattr(run, "key_hint", lambda: "press p for the placeholder")
    out = bgcam("--input", "clip.mp4", "--background", "green", "--output", "null")[1].splitlines()
    assert out.index("press p for the placeholder") == out.index("output: null") + 1


def test_without_camera_and_virtual_camera_only_the_camera_is_missed(
    bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bgcam.realtime.sources import camera

    monkeypatch.setattr(listing, "list_virtual_cameras", list)
    monkeypatch.setitem(camera.open_camera.__kwdefaults__ or {}, "cameras", list)
    code, _, err = bgcam()
    assert code == 1
    assert "no camera found; plug one in" in one_line(err)


def test_without_a_virtual_camera_the_picture_goes_to_the_web(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = run.open_sink

    def watching(spec: str, **options: Any) -> object:
        asked.append(spec)
        return real("null", **options)

    monkeypatch.setattr(run, "open_sink", watching)
    monkeypatch.setattr(listing, "list_virtual_cameras", list)
    code, _, err = bgcam("--input", "clip.mp4")
    assert (code, asked) == (0, ["web"])
    assert "bgcam doctor --fix" in one_line(err)
    monkeypatch.setattr(listing, "list_virtual_cameras", lambda: [Device("/dev/video9", "bgcam", 9, "v4l2 loopback")])
    assert bgcam("--input", "clip.mp4")[0] == 0
    assert asked == ["web", "virtual"]


@pytest.mark.parametrize("spec", ["photo.png", "."])
def test_pictures_stay_on_the_page_until_they_are_stopped(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    real = run.open_sink
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

    monkeypatch.setattr(run, "open_sink", watching)
    code, out, err = bgcam("--input", spec, "--background", "green", "--output", "web:0")
    assert (code, err) == (0, "")
    assert "the last picture stays until Ctrl-C\n" in out
    assert max(shown) > 5


def test_the_page_is_for_this_machine_unless_allowed(in_tmp: Path, bgcam: Run) -> None:
    remote = ("--input", "clip.mp4", "--background", "green", "--output", "web:0.0.0.0:0")
    code, out, err = bgcam(*remote)
    assert (code, out) == (2, "")  # before the model is loaded
    assert "anyone on your network could watch" in one_line(err)
    code, out, err = bgcam("--allow-remote", *remote)
    assert (code, err) == (0, "")
    assert re.search(r"^output: http://[^/]+:\d+/[\w-]{22}/$", out, re.MULTILINE)


def test_passed_over_backends_are_told(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from bgcam.realtime.model import backends

    monkeypatch.setattr(backends, "auto_order", lambda: ["openvino", "onnxruntime"])
    monkeypatch.setitem(sys.modules, "openvino", None)
    code, out, _ = bgcam("--input", "photo.png", "--output", "null")
    assert code == 0
    assert f"skipped openvino: {missing('openvino')}" in out
    assert "model: tiny on ONNX Runtime CPU, fp32" in out
    code, _, err = bgcam("--input", "photo.png", "--output", "null", "--backend", "openvino")
    assert code == 1
    assert "pip install openvino" in one_line(err)
