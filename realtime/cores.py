"""The processors of this machine: how many there are, how many threads may use them, and how much of them is used."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Its name and its instructions, as Linux lists them; elsewhere only what Python knows."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    # "model name" and "flags" on x86-64; "CPU part" and "Features" on ARM.
    wanted = ("model name", "CPU implementer", "CPU part", "flags", "Features")
    lines = [line for line in text.splitlines() if line.split("\t")[0].split(":")[0].strip() in wanted]
    return "\n".join([platform.machine(), *dict.fromkeys(lines)])


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
