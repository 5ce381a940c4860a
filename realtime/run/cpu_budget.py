"""`--max-cpu`: limits the processor time of a run by processing fewer of the camera's frames.

Each frame costs about the same and needs its own matte, so only their number can be chosen.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable

from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources import Source

# Below this a picture no longer looks like motion: the limit is exceeded instead, and the status line says so.
LEAST_FPS = 5.0
# How often the time between frames is adjusted, and by which share of the measured difference.
WINDOW_S, FOLLOWS = 1.0, 0.5


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_within(share: float, *, machine_cores: int) -> int:
    """How many threads may compute at once for a share (0 to 1) of a machine; at least one."""
    return max(1, int(share * machine_cores))


def call_threads() -> int:
    """The model's threads for a camera: a quarter of the processors, at least one.

    The call needs the others; and if all are busy, threads that wait for each other are late.
    """
    return threads_within(0.25, machine_cores=cores())


def limit_threads(threads: int, *, share: float) -> int:
    """Limit OpenCV to a share of this machine, and return the threads for the model. threads: asked for, or 0."""
    import cv2

    most = threads_within(share, machine_cores=cores())
    cv2.setNumThreads(most)
    return min(threads or most, most)


def matte_share(share: float | None, *, threads: int) -> float:
    """The share of a frame's time that a matte on `threads` threads may take, to use half of a share of the machine."""
    return math.inf if share is None else share * cores() / (2 * max(1, threads))


class CpuMeter:
    """The share of all cores that this process used since the last call; 0 immediately after it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
        machine_cores: int | None = None,
    ):
        self._clock, self._cpu, self._cores = clock, cpu, machine_cores or cores()
        self._at_s, self._used_s = clock(), cpu()

    def __call__(self) -> float:
        now_s, used_s = self._clock(), self._cpu()
        passed_s, spent_s = now_s - self._at_s, used_s - self._used_s
        self._at_s, self._used_s = now_s, used_s
        return spent_s / (passed_s * self._cores) if passed_s > 0 else 0.0


class BudgetedSource:
    """A source that is read no more often than a share (0 to 1) of the machine allows. See `Source`.

    Once per WINDOW_S, the time between frames is set to the processor seconds per frame, divided by the processor
    seconds per second that the share allows. `notice` tells the resulting rate.
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
        """What the limit costs, "" for nothing."""
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
