"""How many workers a batch can use before the driver, the store or the network is the limit: by a simulation.

Files of equal size. A worker asks the driver for a file, which answers one request after the other; downloads it,
processes it, uploads its output, and asks again. All share the store's bandwidth, in the order of their requests, and
each has a network link of its own. The inputs are figures of your machines, see docs/reference/scale.md.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass

from bgcam.realtime.errors import UsageError

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
_FILES_EACH = 30


@dataclass(frozen=True)
class Batch:
    """compute_s: to process a file; read_mb, written_mb: its size and its output's. driver_ms: the driver's time for a
    file. store_mb_s: of the object store or file server; link_mb_s: of one worker.
    """

    compute_s: float
    read_mb: float
    written_mb: float
    driver_ms: float
    store_mb_s: float
    link_mb_s: float

    @property
    def alone_s(self) -> float:
        """A file's time with a driver and a store of its own."""
        return self.compute_s + self.driver_ms / 1000 + (self.read_mb + self.written_mb) / self._rate_mb_s

    @property
    def _rate_mb_s(self) -> float:
        return min(self.store_mb_s, self.link_mb_s)

    def limits_files_s(self, workers: int) -> dict[str, float]:
        """What each part could do if the others took no time, in files per second."""
        return {
            "workers": workers / self.alone_s,
            "driver": 1000 / self.driver_ms,
            "store": self.store_mb_s / (self.read_mb + self.written_mb),
        }


def simulated_files_s(batch: Batch, workers: int, *, files: int) -> float:
    """Files per second of this many workers, which take files until all are done, counted from a third on."""
    driver_s = store_s = 0.0
    # (when, worker, what comes next); all begin within one file's time, as after a while of working.
    events = [(batch.alone_s * number / workers, number, "ask") for number in range(workers)]
    heapq.heapify(events)
    ends: list[float] = []
    while events and len(ends) < files:
        now_s, worker, what = heapq.heappop(events)
        if what == "ask":
            driver_s = max(driver_s, now_s) + batch.driver_ms / 1000
            heapq.heappush(events, (driver_s, worker, "read"))
            continue
        size_mb = batch.read_mb if what == "read" else batch.written_mb
        # The store has sent its share of the bandwidth's time; the worker's own link may take longer.
        store_s = max(store_s, now_s) + size_mb / batch.store_mb_s
        done_s = max(store_s, now_s + size_mb / batch.link_mb_s)
        if what == "read":
            heapq.heappush(events, (done_s + batch.compute_s, worker, "write"))
        else:
            ends.append(done_s)
            heapq.heappush(events, (done_s, worker, "ask"))
    first = len(ends) // 3
    return (len(ends) - 1 - first) / (ends[-1] - ends[first])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=float, default=9000, help="of a file (9000: five minutes)")
    parser.add_argument("--fps", type=float, default=40, help="frames per second of one worker (40)")
    parser.add_argument("--read-mb", type=float, default=100, help="of a file (100)")
    parser.add_argument("--written-mb", type=float, default=120, help="of its output (120)")
    parser.add_argument("--driver-ms", type=float, default=5, help="of the driver for a file (5)")
    parser.add_argument("--store-mb-s", type=float, default=2500, help="of the store, for all workers (2500)")
    parser.add_argument("--link-mb-s", type=float, default=100, help="of one worker's network (100)")


def run(args: argparse.Namespace) -> None:
    """Print a table. Raises UsageError for a figure that is not above 0."""
    for name, value in vars(args).items():
        if isinstance(value, float) and not value > 0:
            raise UsageError(f"--{name.replace('_', '-')} {value:g}: give a number above 0")
    batch = Batch(
        compute_s=args.frames / args.fps,
        read_mb=args.read_mb,
        written_mb=args.written_mb,
        driver_ms=args.driver_ms,
        store_mb_s=args.store_mb_s,
        link_mb_s=args.link_mb_s,
    )
    print("workers  files/s  frames/s  efficiency  first limit")
    for workers in WORKERS:
        files_s = simulated_files_s(batch, workers, files=_FILES_EACH * workers)
        limits = batch.limits_files_s(workers)
        first = min(limits, key=lambda name: limits[name])
        share = files_s * batch.alone_s / workers
        print(f"{workers:7d} {files_s:8.3f} {files_s * args.frames:9.0f} {share:10.1%}   {first}")
