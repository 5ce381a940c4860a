"""What a run measures of itself: frame rate, latency, drops, and the time that each stage takes."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

STAGES = ("read", "matte", "picture", "sinks")
# Medians and percentiles are over this many last frames; the live frame rate is over fewer, to follow changes.
KEPT_FRAMES = 10_000
RECENT_FRAMES = 60


@dataclass(frozen=True)
class Summary:
    """A run so far. fps: over the whole run; recent_fps: over the last 60 frames. Latency is from camera to outputs.

    stage_ms: median milliseconds of each stage a frame. "read" includes the wait for a live source's next frame.
    """

    frames: int
    fps: float
    recent_fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    drops: int
    stage_ms: dict[str, float]

    def __str__(self) -> str:
        speed = f"{self.fps:.1f} fps, latency p95 {self.latency_p95_ms:.0f} ms"
        return f"{self.frames} frames, {speed}, {self.drops} dropped"


class Stats:
    """Collects; all methods may be called from any thread."""

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

    def summary(self) -> Summary:
        """The run so far; zeros where nothing was measured."""
        stages, latencies = self.stage_times_ms(), self.latencies_ms()
        with self._lock:
            frames, first_s, done_s = self.frames, self._first_done_s, list(self._done_s)
        p50, p95 = np.percentile(latencies, (50, 95)) if latencies else (0.0, 0.0)
        return Summary(
            frames=frames,
            fps=_rate(frames, done_s[-1] - first_s if done_s else 0),
            recent_fps=_rate(len(done_s), done_s[-1] - done_s[0] if done_s else 0),
            latency_p50_ms=float(p50),
            latency_p95_ms=float(p95),
            drops=self.drops,
            stage_ms={name: float(np.median(times)) if times else 0.0 for name, times in stages.items()},
        )


def _rate(frames: int, seconds: float) -> float:
    """Frames a second, by the gaps between them."""
    return (frames - 1) / seconds if frames > 1 and seconds > 0 else 0.0
