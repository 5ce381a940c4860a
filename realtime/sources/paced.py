"""Plays a file at its own rate, for live outputs: a virtual camera, a web page."""

from __future__ import annotations

import threading
import time

from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources.base import Source

# A longer pause in the file is shortened to this: viewers and the watchdog would take it for a hang.
MAX_WAIT_S = 10.0


class PacedSource:
    """A source whose frames are never early; none is dropped. See `Source`.

    hold: whether the last frame is repeated until `close`; like a camera, such a source has no end.
    """

    def __init__(self, source: Source, *, hold: bool = False):
        self._source, self._hold = source, hold
        self._last: CameraFrame | None = None
        self._closed = threading.Event()
        self._start_s: float | None = None
        self.name, self.size_wh, self.fps = source.name, source.size_wh, source.fps
        self.note = source.note
        self.live, self.drops, self.frames = source.live or hold, source.drops, None if hold else source.frames

    @property
    def notice(self) -> str:
        """The file's own."""
        return self._source.notice

    def read(self) -> CameraFrame | None:
        """The next frame, when it is due; None at the end, and immediately after `close`."""
        frame = self._source.read()
        if frame is None and self._hold and self._last is not None:
            last = self._last
            frame = CameraFrame(last.number + 1, last.room_bgr, last.time_s + 1 / self.fps, 0.0)
        if frame is None:
            return None
        self._last = frame
        now_s = time.monotonic()
        if self._start_s is None:
            self._start_s = now_s - frame.time_s
        wait_s = self._start_s + frame.time_s - now_s
        if wait_s > MAX_WAIT_S:
            self._start_s -= wait_s - MAX_WAIT_S
        if self._closed.wait(min(max(0.0, wait_s), MAX_WAIT_S)):
            return None
        # Latency counts from here: the wait belongs to the clip.
        return CameraFrame(frame.number, frame.room_bgr, frame.time_s, time.monotonic())

    def close(self) -> None:
        self._closed.set()
        self._source.close()
