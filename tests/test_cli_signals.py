"""The command, in this process: a signal ends it cleanly."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from clips import SIZE_WH, read_clip, scene
from command import Run, one_line

from bgcam.realtime.command import run
from bgcam.realtime.frames import CameraFrame


class EndlessCamera:
    """A live source without end."""

    name, size_wh, fps, live, drops = "fake camera", SIZE_WH, 25.0, True, 0
    frames: int | None = None
    note, notice = "", ""

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
    monkeypatch.setattr(run, "open_source", lambda **options: EndlessCamera())
    real = run.open_sinks

    def opening(*args: Any, **options: Any) -> object:
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        return real(*args, **options)

    monkeypatch.setattr(run, "open_sinks", opening)
    code, out, err = bgcam("--background", "green", "--output", "out.mp4")
    assert (code, err) == (0, "")
    frames = read_clip(in_tmp / "out.mp4")
    assert len(frames) > 3
    assert out.splitlines()[-1].startswith(f"{len(frames)} frames, ")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


class LongFile(EndlessCamera):
    """A file of a thousand frames."""

    live, frames = False, 1000


def test_a_file_that_is_stopped_early_is_no_success(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "open_source", lambda **options: LongFile())
    real = run.open_sinks

    def opening(*args: Any, **options: Any) -> object:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGHUP)).start()
        return real(*args, **options)

    monkeypatch.setattr(run, "open_sinks", opening)
    code, out, err = bgcam("--background", "green", "--input", "long", "--output", "out.mp4")
    assert (code, err) == (1, "")
    frames = read_clip(in_tmp / "out.mp4")
    assert out.splitlines()[-1].startswith(f"stopped after {len(frames)} of 1000 frames; ")


def test_a_signal_before_the_first_frame_ends_cleanly(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**options: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)

    monkeypatch.setattr(run, "open_source", interrupted)
    assert bgcam("--background", "green", "--output", "null")[0] == 0
    code, _, err = bgcam("--input", "x", "--background", "green", "--output", "null")
    assert code == 1
    assert one_line(err) == "bgcam: stopped before it finished\n"
