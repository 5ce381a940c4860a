"""When a video's frames are shown: the file's own times, if its clock is plausible."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from av.video.frame import VideoFrame

# A larger gap between two frames means a broken clock: a broadcast's clock jumps, others may have gaps of a day.
_MAX_GAP_S, _MAX_BROADCAST_GAP_S = 86_400.0, 60.0


class FrameClock:
    """The times of one video's frames.

    fps: the video's rate, for frames without a time.
    leaps: whether times may jump, like those of a broadcast.
    end_s: until when the newest frame is shown.
    """

    def __init__(self, *, fps: float, leaps: bool) -> None:
        self.end_s = 0.0
        self._usual_s = min(1 / fps, _MAX_BROADCAST_GAP_S)
        self._max_gap_s = _MAX_BROADCAST_GAP_S if leaps else _MAX_GAP_S
        self._zero_s = 0.0
        self._last_s: float | None = None

    @staticmethod
    def is_steady(times_s: Sequence[float]) -> bool:
        """Whether frames of these times, in this order, keep them, whatever kind of file they are in."""
        return all(0 < after - before <= _MAX_BROADCAST_GAP_S for before, after in pairwise(times_s))

    def go_on(self, *, zero_s: float, last_s: float) -> None:
        """As if the frames up to the one of `last_s` had been read. zero_s: the first one's, on the file's clock."""
        self._zero_s, self._last_s = zero_s, last_s

    def time_s(self, frame: VideoFrame) -> float:
        """Seconds since the first frame, increasing: where the clock jumps, back or far ahead, by one frame's time."""
        clock_s: float | None = frame.time  # None for some files, whatever the stub says
        if self._last_s is None:
            self._zero_s = clock_s or 0.0
            time_s = 0.0
        else:
            time_s = self._last_s if clock_s is None else clock_s - self._zero_s
            if not self._last_s < time_s <= self._last_s + self._max_gap_s:
                time_s = self._last_s + self._usual_s
                if clock_s is not None:
                    self._zero_s = clock_s - time_s
        lasts_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
        self.end_s = time_s + (lasts_s if 0 < lasts_s <= self._max_gap_s else self._usual_s)
        self._last_s = time_s
        return time_s
