"""Detects that the machine is too busy for the camera, and tells the user: many of its newest frames are dropped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

SPAN_S = 4.0
# The notice appears above the first share of dropped frames, and stays until below the second.
TOO_MANY, FEW = 0.25, 0.1


class Busy:
    """Checks a run's counts now and then. notice: what to tell the user, "" for nothing."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic):
        self.notice = ""
        self._clock = clock
        self._counts: deque[tuple[float, int, int]] = deque()

    def see(self, frames: int, drops: int) -> None:
        """frames, drops: how many were shown and dropped since the beginning."""
        now_s = self._clock()
        self._counts.append((now_s, frames, drops))
        while now_s - self._counts[0][0] > SPAN_S:
            self._counts.popleft()
        begin_s, frames_then, drops_then = self._counts[0]
        if now_s - begin_s < SPAN_S / 2:  # a run's first frames wait for the model
            return
        dropped = drops - drops_then
        share = dropped / max(1, dropped + frames - frames_then)
        if share > (FEW if self.notice else TOO_MANY):
            # One thread: docs/evidence/reliability.md has the measurement.
            advice = "close other programs, or give --threads 1 or a smaller --size"
            self.notice = f"too busy: {share:.0%} of the camera's frames dropped; {advice}"
        else:
            self.notice = ""
