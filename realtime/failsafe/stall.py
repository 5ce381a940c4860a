"""Detects a run that stands still without an error: without a live output, nothing else would reveal it."""

from __future__ import annotations

import time
from collections.abc import Callable

from bgcam.realtime.errors import BgcamError

# Longer than a camera's own patience, so that the camera's error is reported.
GIVE_UP_S = 20.0
# A file loses nothing by waiting, and a large network's first frame on a slow machine takes long.
FILE_PATIENCE = 6
TELL_S = 3.0
# A longer gap between two checks means that the process was stopped, or the machine slept.
FROZEN_S = 1.0


def hangs(waited_s: float) -> BgcamError:
    """The error of a run that was abandoned."""
    return BgcamError(
        f"no new picture for {waited_s:g} s, and no error was reported: the camera, the model or an output hangs; "
        "start again, with another --backend if it happens again"
    )


class Stall:
    """Checked several times per second.

    notice: what to tell the user, "" for nothing.
    give_up_s: after this long without a frame it is an error.
    """

    def __init__(self, *, give_up_s: float, clock: Callable[[], float] = time.monotonic):
        self.notice = ""
        self._give_up_s, self._clock = give_up_s, clock
        self._frames = 0
        self._moved_s = self._looked_s = clock()

    def waits(self) -> None:
        """The source reports that it waits for its camera, for however long."""
        self._moved_s = self._clock()

    def look(self, frames: int) -> None:
        """frames: how many were written so far. Raises BgcamError when it is time to give up."""
        now_s = self._clock()
        if now_s - self._looked_s > FROZEN_S:
            self._moved_s += now_s - self._looked_s
        self._looked_s = now_s
        if frames != self._frames:
            self._frames, self._moved_s = frames, now_s
        idle_s = now_s - self._moved_s
        if idle_s >= self._give_up_s:
            raise hangs(self._give_up_s)
        left_s = self._give_up_s - idle_s
        self.notice = f"no new picture for {idle_s:.0f} s, the run ends in {left_s:.0f} s" if idle_s >= TELL_S else ""
