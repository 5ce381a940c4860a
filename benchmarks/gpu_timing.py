"""Timing on a GPU by CuPy: events around replays of a graph, so that neither Python nor launches are in the numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bgcam.realtime.cuda import capture

# How many times the L2 cache the buffers of one round fill: what a kernel reads is then never left over in it.
L2_TIMES = 4
MIN_RUNS = 5


def median_us(cupy: Any, launches: Sequence[Callable[[], None]], *, seconds: float) -> float:
    """Microseconds a launch: the median over replays of a graph of all launches (each captured once, in order)."""
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        for _ in range(2):
            launches[0]()
        stream.synchronize()
        graph = capture(stream, lambda: _all(launches))
    return (
        float(np.median(event_times_ms(cupy, stream, lambda: graph.launch(stream), seconds=seconds)))
        * 1e3
        / len(launches)
    )


def _all(launches: Sequence[Callable[[], None]]) -> None:
    for launch in launches:
        launch()


def event_times_ms(cupy: Any, stream: Any, launch: Callable[[], Any], *, seconds: float) -> list[float]:
    """Milliseconds of each run by events, warmed up, for about `seconds`."""
    for _ in range(2):
        launch()
    stream.synchronize()
    times_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while len(times_ms) < MIN_RUNS or time.perf_counter() < end_s:
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record(stream)
        launch()
        end.record(stream)
        end.synchronize()
        times_ms.append(float(cupy.cuda.get_elapsed_time(begin, end)))
    return times_ms


def rounds(cupy: Any, bytes_each: int) -> int:
    """How many buffers of this size to go round."""
    l2 = int(cupy.cuda.runtime.getDeviceProperties(0)["l2CacheSize"])
    return int(min(max(-(-L2_TIMES * l2 // bytes_each), 4), 200))


def spread(times_ms: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile."""
    median, p95, p99 = np.percentile(times_ms, (50, 95, 99))
    return {"median_ms": round(float(median), 4), "p95_ms": round(float(p95), 4), "p99_ms": round(float(p99), 4)}


def one_line(error: BaseException) -> str:
    """The error as a cell of a table."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


class NoNetwork:
    """A `DeviceNetwork` that computes nothing: for timing what is around a network."""

    description = "no network"

    def __init__(self, cupy: Any, size_wh: tuple[int, int], *, dtype: str = "float16"):
        width, height = size_wh
        self.input = cupy.zeros((1, 3, height, width), dtype)
        ramp = np.linspace(0, 1, width * height, dtype=dtype).reshape(1, 1, height, width)
        self.output = cupy.asarray(ramp)

    def enqueue(self, stream: int) -> None:
        """Nothing: the output is a ramp from 0 to 1."""
