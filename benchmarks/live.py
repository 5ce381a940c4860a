"""A run as in a call, and what it takes from the machine: processor time, and how often it wakes a core.

A camera by the clock, as in `load`, shows the demo's clip; the run is put together as the command does it, with the
guard that shows placeholders, before an output that does nothing. CPU ms: of all threads, a frame. Wakeups: how often a
thread that had nothing to do went on, a second; each keeps a core from sleeping. Both are counted after the first
seconds. By thread: the dearest ones, those of the backend and of libraries under "others".
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgcam.benchmarks.fps import Clock
from bgcam.benchmarks.load import NewestFrame, demo_pictures
from bgcam.benchmarks.machine import describe
from bgcam.realtime.cores import call_threads
from bgcam.realtime.errors import UsageError
from bgcam.realtime.run.stats import Summary
from bgcam.realtime.settings.values import size_wh

# The model's first frames are no steady state, and every stage's first ones fill caches.
WARM_UP_S = 2.0
OTHERS = "others"


class LiveClock(Clock):
    """Notes when each frame came, as an output that people may be watching."""

    live = True


@dataclass(frozen=True)
class Usage:
    """What the process had used: processor seconds, and how often each thread, by its name, had gone to sleep."""

    at_s: float
    cpu_s: float
    sleeps: int
    by_thread: Mapping[str, int]

    @classmethod
    def now(cls) -> Usage:
        """Linux only: elsewhere, UsageError."""
        if sys.platform != "linux":
            raise UsageError("live: wakeups are counted on Linux only")
        import resource

        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        by_thread: dict[str, int] = {}
        for task in Path("/proc/self/task").iterdir():
            name = names.get(int(task.name), OTHERS)
            by_thread[name] = by_thread.get(name, 0) + _sleeps_of(task)
        sleeps = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        return cls(time.monotonic(), time.process_time(), sleeps, by_thread)


def _sleeps_of(task: Path) -> int:
    """How often a thread has waited; 0 for one that has just ended."""
    try:
        lines = (task / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches")), 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=size_wh, default=(1280, 720), metavar="WxH", help="default: 1280x720")
    parser.add_argument("--fps", type=float, default=30.0, help="the camera's (default: 30)")
    parser.add_argument("--seconds", type=float, default=12.0, help=f"{WARM_UP_S:g} of them to warm up (default: 12)")
    parser.add_argument("--model", metavar="NAME|PATH", help="a shipped model or an .onnx file (default: bgcam's own)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="for the model, as bgcam --threads")
    parser.add_argument("--background", default="blur", metavar="SPEC", help="default: blur")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> None:
    if args.seconds <= WARM_UP_S or args.fps <= 0:
        raise UsageError(f"give --fps above 0, and --seconds above {WARM_UP_S:g}")
    result = {**one_run(args), "background": args.background, "fps": args.fps, **describe()}
    print(json.dumps(result, indent=1) if args.json else table(result))


def one_run(args: argparse.Namespace) -> dict[str, Any]:
    """frames: how many were shown after the warm-up. cpu_ms: a frame. wakeups: a second; wakeups_by_thread."""
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.look import Look
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.run.build import build_run

    source = NewestFrame(demo_pictures(args.size), fps=args.fps, seconds=args.seconds)
    matting = Matting(find_model(args.model), threads=args.threads or call_threads())
    pipeline = build_run(source, open_background(args.background), matting, Look())
    clock, began_s = LiveClock(), time.monotonic()
    first: list[Usage] = []
    last: list[Usage] = []

    def look(_: Summary) -> None:
        now_s = time.monotonic()
        if not first and now_s - began_s > WARM_UP_S:
            first.append(Usage.now())
        elif first and (not last or now_s - last[-1].at_s > 1):
            last.append(Usage.now())

    pipeline.run([clock], look)
    if not last:
        raise UsageError(f"--seconds {args.seconds:g}: too few for a figure; give more")
    return {"model": matting.spec.name, **figures(first[0], last[-1], clock)}


def figures(first: Usage, last: Usage, clock: Clock) -> dict[str, Any]:
    """What was used between two moments."""
    seconds = last.at_s - first.at_s
    frames = sum(first.at_s < at_s <= last.at_s for at_s in clock.written_s)
    by_thread = {
        name: (count - first.by_thread.get(name, 0)) / seconds
        for name, count in last.by_thread.items()
        if count > first.by_thread.get(name, 0)
    }
    return {
        "frames": frames,
        "shown_fps": round(frames / seconds, 1),
        "cpu_ms": round(1000 * (last.cpu_s - first.cpu_s) / max(1, frames), 2),
        "wakeups": round((last.sleeps - first.sleeps) / seconds, 1),
        "wakeups_by_thread": {
            name: round(rate, 1) for name, rate in sorted(by_thread.items(), key=lambda one: -one[1])
        },
    }


def table(result: Mapping[str, Any]) -> str:
    """As a table to read."""
    threads = ", ".join(f"{name} {rate:g}" for name, rate in result["wakeups_by_thread"].items())
    return "\n".join(
        [
            f"{result['model']}, {result['background']}: {result['shown_fps']:g} frames a second were shown",
            f"{result['cpu_ms']:.1f} ms of processor time a frame, {result['wakeups']:.0f} wakeups a second",
            f"by thread: {threads}",
        ]
    )
