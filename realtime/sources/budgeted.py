"""`--max-cpu`: limits the processor time of a run by processing fewer of the camera's frames.

Each frame costs about the same and needs its own matte, so only their number can be chosen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bgcam.realtime.cores import CpuMeter, cores
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources.base import Source

# Below this a picture no longer looks like motion: the limit is exceeded instead, and the status line says so.
LEAST_FPS = 5.0
# How often the time between frames is adjusted, and by which share of the measured difference.
WINDOW_S, FOLLOWS = 1.0, 0.5


class BudgetedSource:
    """A source that is read no more often than a share (0 to 1) of the machine allows. See `Source`.

    Once per WINDOW_S, the time between frames is set to the processor seconds per frame, divided by the processor
    seconds per second that the share allows. `notice` reports the resulting rate.
    """

    def __init__(
        self,
        source: Source,
        *,
        share: float,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
        machine_cores: int | None = None,
    ):
        self._source, self._share = source, share
        self._clock, self._cores = clock, machine_cores or cores()
        self._meter = CpuMeter(clock=clock, cpu=cpu, machine_cores=self._cores)
        self._closed = threading.Event()
        self._began_s = self._last_s = clock()
        self._frames = 0
        self.frame_s = 0.0
        self.name, self.size_wh, self.fps = source.name, source.size_wh, source.fps
        self.live, self.drops, self.frames = source.live, source.drops, source.frames
        self.note = source.note

    @property
    def notice(self) -> str:
        """The effect of the limit, "" if there is none."""
        if self._source.notice:
            return self._source.notice
        limit = f"--max-cpu {self._share:.0%}"
        if self.frame_s >= 1 / LEAST_FPS:
            return f"{limit} cannot be kept at {LEAST_FPS:g} fps"
        fps = 1 / self.frame_s if self.frame_s else self.fps
        return f"{limit}: {fps:.0f} of {self.fps:g} fps" if fps < 0.95 * self.fps else ""

    def read(self) -> CameraFrame | None:
        """The source's next frame, when it is due; None at the end, and immediately after `close`."""
        if self._closed.wait(max(0.0, self._last_s + self.frame_s - self._clock())):
            return None
        self._last_s = self._clock()
        frame = self._source.read()
        self.drops = self._source.drops
        self._frames += 1
        self._follow()
        return frame

    def close(self) -> None:
        self._closed.set()
        self._source.close()

    def _follow(self) -> None:
        now_s = self._clock()
        passed_s = now_s - self._began_s
        if passed_s < WINDOW_S:
            return
        needed_s = self._meter() * passed_s / self._frames / self._share
        needed_s = min(needed_s, 1 / LEAST_FPS)
        # Longer at once, shorter gradually, so that the limit is kept.
        self.frame_s = needed_s if needed_s > self.frame_s else self.frame_s + FOLLOWS * (needed_s - self.frame_s)
        self._began_s, self._frames = now_s, 0
