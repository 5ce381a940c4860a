"""Measurements of a run: frame rate, latency, drops, and the time of each stage."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

STAGES = ("read", "matte", "picture", "sinks")
# Percentiles are over this many last frames; the live frame rate is over fewer, to follow changes.
KEPT_FRAMES = 10_000
RECENT_FRAMES = 60


@dataclass(frozen=True)
class Summary:
    """A run so far.

    fps: over the whole run.
    recent_fps: over the last 60 frames.
    latencies_ms: from camera to outputs, of each of the last frames. Their percentiles are computed only on request:
        a summary is made several times per second, but rarely shown.
    """

    frames: int
    fps: float
    recent_fps: float
    drops: int
    latencies_ms: Sequence[float] = field(repr=False)

    @property
    def latency_p50_ms(self) -> float:
        """The median; 0 if nothing was measured."""
        return self._p50_p95_ms[0]

    @property
    def latency_p95_ms(self) -> float:
        """The 95th percentile; 0 if nothing was measured."""
        return self._p50_p95_ms[1]

    @cached_property
    def _p50_p95_ms(self) -> tuple[float, float]:
        p50, p95 = np.percentile(self.latencies_ms, (50, 95)) if self.latencies_ms else (0.0, 0.0)
        return float(p50), float(p95)

    def __str__(self) -> str:
        if self.frames == 1:  # which has no rate
            return f"1 frame, latency {self.latency_p95_ms:.0f} ms, {self.drops} dropped"
        speed = f"{self.fps:.1f} fps, latency p95 {self.latency_p95_ms:.0f} ms"
        return f"{self.frames} frames, {speed}, {self.drops} dropped"


class Stats:
    """Collects measurements; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stage_ms: dict[str, deque[float]] = {stage: deque(maxlen=KEPT_FRAMES) for stage in STAGES}
        self._latency_ms: deque[float] = deque(maxlen=KEPT_FRAMES)
        self._done_s: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._first_done_s = 0.0
        self.frames = 0
        self.drops = 0

    def stage(self, name: str, started_s: float) -> None:
        """A stage has finished a frame that it began at `started_s` (`time.monotonic()`)."""
        took_ms = (time.monotonic() - started_s) * 1000
        with self._lock:
            self._stage_ms[name].append(took_ms)

    def done(self, captured_s: float) -> None:
        """A frame has been written to all outputs."""
        now_s = time.monotonic()
        with self._lock:
            self._latency_ms.append((now_s - captured_s) * 1000)
            if not self.frames:
                self._first_done_s = now_s
            self._done_s.append(now_s)
            self.frames += 1

    def stage_times_ms(self) -> dict[str, list[float]]:
        """Every kept time of each stage, for benchmarks."""
        with self._lock:
            return {name: list(times) for name, times in self._stage_ms.items()}

    def latencies_ms(self) -> list[float]:
        """Every kept latency, for benchmarks."""
        with self._lock:
            return list(self._latency_ms)

    def lately(self, seconds: float = 1.0) -> tuple[float | None, float | None]:
        """Frames per second and the median latency in ms of the last `seconds`; None for what is not known.

        The rate of a run that stands still is 0.
        """
        now_s = time.monotonic()
        with self._lock:
            done_s = [at_s for at_s in self._done_s if now_s - at_s <= seconds]
            latencies_ms = list(self._latency_ms)[-len(done_s) :] if done_s else []
            begun = self.frames > 0
        if not done_s:
            return (0.0 if begun else None), None
        fps = _rate(len(done_s), done_s[-1] - done_s[0]) or None
        return fps, float(np.median(latencies_ms))

    def summary(self) -> Summary:
        """The run so far; zeros if nothing was measured."""
        with self._lock:
            frames, first_s, done_s = self.frames, self._first_done_s, list(self._done_s)
            latencies_ms = list(self._latency_ms)
        return Summary(
            frames=frames,
            fps=_rate(frames, done_s[-1] - first_s if done_s else 0),
            recent_fps=_rate(len(done_s), done_s[-1] - done_s[0] if done_s else 0),
            drops=self.drops,
            latencies_ms=latencies_ms,
        )


def _rate(frames: int, seconds: float) -> float:
    """Frames per second, from the gaps between them."""
    return (frames - 1) / seconds if frames > 1 and seconds > 0 else 0.0
