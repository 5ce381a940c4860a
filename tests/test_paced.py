"""A file that plays at its own rate."""

import threading
import time

import numpy as np
import pytest

from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources.paced import MAX_WAIT_S, PacedSource


class Frames:
    """Ten frames, 40 ms apart, the first at 5 s."""

    name, size_wh, fps, live, drops, frames = "frames", (2, 2), 25.0, False, 0, 10
    note, notice = "", ""

    def __init__(self, step_s: float = 0.04):
        self.number, self.step_s, self.closed = 0, step_s, False

    def read(self) -> CameraFrame | None:
        if self.number == 10:
            return None
        self.number += 1
        return CameraFrame(self.number - 1, np.zeros((2, 2, 3), np.uint8), 5 + self.step_s * (self.number - 1), 0.0)

    def close(self) -> None:
        self.closed = True


def test_frames_come_when_they_are_due_and_none_is_lost() -> None:
    source = PacedSource(Frames())
    started = time.monotonic()
    numbers, late = [], []
    while (frame := source.read()) is not None:
        numbers.append(frame.number)
        late.append(time.monotonic() - started - 0.04 * frame.number)
    assert numbers == list(range(10))
    assert min(late) > -0.005, "a frame came early"
    assert frame is None
    assert time.monotonic() - started >= 0.355


def test_a_long_pause_is_cut_and_the_clock_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, waits_s = [100.0], []

    class Clock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits_s.append(timeout)
            now_s[0] += timeout or 0.0
            return False

    frames = Frames(step_s=3600)
    source = PacedSource(frames)
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(source, "_closed", Clock())
    assert source.read() is not None
    assert source.read() is not None
    frames.step_s = (3600 + 0.04) / 2  # the next frame is due 40 ms later
    assert source.read() is not None
    assert waits_s == pytest.approx([0, MAX_WAIT_S, 0.04], abs=1e-6)


def test_close_ends_a_wait_at_once() -> None:
    source = PacedSource(Frames(step_s=60))
    assert source.read() is not None
    threading.Timer(0.05, source.close).start()
    started = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - started < 5


def test_a_held_source_gives_its_last_frame_until_it_is_closed() -> None:
    source = PacedSource(Frames(step_s=0.001), hold=True)
    assert (source.live, source.frames) == (True, None)
    frames = [source.read() for _ in range(14)]
    assert [frame.number for frame in frames if frame] == list(range(14))
    assert all(frame and frames[9] and frame.room_bgr is frames[9].room_bgr for frame in frames[10:])
    steps = np.diff([frame.time_s for frame in frames[9:] if frame])
    np.testing.assert_allclose(steps, 1 / 25)
    threading.Timer(0.05, source.close).start()
    while source.read() is not None:
        pass
