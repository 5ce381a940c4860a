"""A file at another rate than its own: frames are dropped or repeated, so that its duration is unchanged."""

from __future__ import annotations

import math
import time

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources.base import Source


def end_of(source: Source, newest: CameraFrame) -> float:
    """Until when the source's newest frame is shown, in seconds since its first frame."""
    end_s: float = getattr(source, "end_s", newest.time_s + 1 / source.fps)
    return end_s


class RatedSource:
    """A source's frames at `fps`: for each output time the last of the nearest frames, or the previous one again. See
    `Source`.

    frames, about_frames: computed from the source's own, exact if that has an even rate; None if unknown.
    """

    def __init__(self, source: Source, fps: float):
        self.source, self.fps = source, fps
        self.name, self.size_wh, self.live, self.drops = source.name, source.size_wh, source.live, source.drops
        self.note = source.note
        self.frames = self._at_rate(source.frames)
        self.about_frames = self._at_rate(getattr(source, "about_frames", source.frames))
        self._number, self._ends_at = 0, 0
        self._shown: CameraFrame | None = None
        self._next: CameraFrame | None = None
        self._failure: SourceError | None = None
        self._begun = False

    @property
    def notice(self) -> str:
        """The source's own."""
        return self.source.notice

    def read(self) -> CameraFrame | None:
        if not self._begun:
            self._begun, self._next = True, self._read_next()
        while self._next is not None and _nearest(self._next.time_s, self.fps) <= self._number:
            self._shown = self._next
            self._ends_at = max(1, _nearest(end_of(self.source, self._shown), self.fps))
            self._next = self._read_next()
        if self._shown is None or (self._next is None and self._number >= self._ends_at):
            if self._failure is not None:
                raise self._failure
            return None
        number, self._number = self._number, self._number + 1
        return CameraFrame(number, self._shown.room_bgr, number / self.fps, time.monotonic())

    def close(self) -> None:
        self.source.close()

    def _at_rate(self, frames: int | None) -> int | None:
        return max(1, _nearest(frames / self.source.fps, self.fps)) if frames else None

    def _read_next(self) -> CameraFrame | None:
        """Also None if the source fails: the earlier frames are shown to their end first."""
        try:
            return self.source.read()
        except SourceError as error:
            self._failure = error
            return None


def _nearest(time_s: float, fps: float) -> int:
    return math.floor(time_s * fps + 0.5)
