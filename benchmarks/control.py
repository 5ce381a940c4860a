"""Random commands on the socket while frames flow: whether any fails, and the longest time without a new frame.

The camera gives `--fps` frames a second by the clock; it shows the demo's clip. The commands come from a process of
their own: changes of background and look, panic, questions, and some that have to be refused. Only frames that the
pipeline drew or replaced count, not the placeholders of the watchdog. Ends with 1 if a command failed, or a gap was
over `--limit-ms`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bgcam.benchmarks.fps import Clock
from bgcam.benchmarks.load import WARM_UP_S, NewestFrame, demo_pictures
from bgcam.benchmarks.machine import machine
from bgcam.realtime.cores import call_threads
from bgcam.realtime.errors import BgcamError, UsageError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.settings.values import size_wh

DAY_S = 86_400.0
# How many of the longest gaps are printed, each with the commands meanwhile.
SHOWN = 3


class LiveClock(Clock):
    """A live sink that notes when each new frame of the pipeline came."""

    live = True

    def __init__(self) -> None:
        super().__init__()
        self._newest = -1

    def write(self, frame: ComposedFrame) -> None:
        if frame.number > self._newest:
            self._newest = frame.number
            super().write(frame)


@dataclass(frozen=True)
class Result:
    """commands: as `control_commands` prints them. gaps_ms: between frames; at_s: when each of these gaps began."""

    commands: list[dict[str, Any]]
    gaps_ms: np.ndarray[Any, np.dtype[np.float64]]
    at_s: np.ndarray[Any, np.dtype[np.float64]]
    drops: int

    @property
    def failed(self) -> list[str]:
        """The commands that were answered as they must not be."""
        return [f"{one['what']}: {one['error'] or 'not refused'}" for one in self.commands if one["unexpected"]]

    def during(self, gap: int) -> list[str]:
        """The commands that were in progress in a gap."""
        begin_s, end_s = self.at_s[gap], self.at_s[gap] + self.gaps_ms[gap] / 1000
        return [one["what"] for one in self.commands if one["begin_s"] < end_s and one["end_s"] > begin_s]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--commands", type=int, default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--pause-ms", type=float, default=50.0, metavar="N", help="after each command (default: 50)")
    parser.add_argument("--seed", type=int, default=7, help="other commands for another one (default: 7)")
    parser.add_argument("--size", type=size_wh, default=(1280, 720), metavar="WxH", help="default: 1280x720")
    parser.add_argument("--fps", type=float, default=30.0, help="the camera's (default: 30)")
    parser.add_argument("--limit-ms", type=float, default=100.0, metavar="N", help="the longest gap (default: 100)")
    parser.add_argument("--model", metavar="NAME|PATH", help="a shipped model or an .onnx file (default: bgcam's own)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="for the model, as bgcam --threads")


def run(args: argparse.Namespace) -> None:
    if args.commands < 1 or args.fps <= 0 or args.pause_ms < 0:
        raise UsageError("give --commands and --fps above 0, and --pause-ms of 0 or more")
    found = machine()
    print(f"{found['cpu']}, {found['cores']} cores, load {os.getloadavg()[0]:.1f} at the beginning")
    result = measure(args)
    refused = sum(bool(one["error"]) for one in result.commands)
    answer_ms = [1000 * (one["end_s"] - one["begin_s"]) for one in result.commands]
    print(
        f"{len(result.commands)} commands, {refused} refused as they should be, {len(result.failed)} failed; "
        f"answers: p50 {np.median(answer_ms):.0f} ms, longest {max(answer_ms):.0f} ms"
    )
    p50, p99 = np.percentile(result.gaps_ms, (50, 99))
    print(
        f"{len(result.gaps_ms) + 1} frames in {result.gaps_ms.sum() / 1000:.0f} s, {result.drops} dropped; "
        f"gaps: p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {result.gaps_ms.max():.0f} ms"
    )
    for gap in np.argsort(-result.gaps_ms)[:SHOWN].tolist():
        print(f"  {result.gaps_ms[gap]:.0f} ms during: {'; '.join(result.during(gap)) or 'no command'}")
    if result.failed:
        raise BgcamError(f"{len(result.failed)} commands failed, the first: {result.failed[0]}")
    if result.gaps_ms.max() > args.limit_ms:
        raise BgcamError(f"the longest gap, {result.gaps_ms.max():.0f} ms, is over {args.limit_ms:g} ms")


def measure(args: argparse.Namespace) -> Result:
    """The gaps from the first command to the last one's answer."""
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.control.controller import LiveControl
    from bgcam.realtime.control.front import Front
    from bgcam.realtime.control.library import Library
    from bgcam.realtime.look import Look
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.run.build import build_live
    from bgcam.realtime.settings import Settings

    source = NewestFrame(demo_pictures(args.size), fps=args.fps, seconds=DAY_S)
    matting = Matting(find_model(args.model), threads=args.threads or call_threads())
    matting.prepare(source.size_wh)
    built = build_live(source, open_background("blur"), matting, Look(), threads=args.threads or call_threads())
    sink = LiveClock()
    thread = threading.Thread(target=built.pipeline.run, args=([sink],), name="bgcam-benchmark")
    with own_folder() as folder:
        library = Library(folder=lambda: folder / "backgrounds")
        control = LiveControl(built, source, Settings(), library=library, keep_choice=lambda background: None)
        with Front(control):
            thread.start()
            try:
                time.sleep(WARM_UP_S)
                done = send(args.commands, args.seed, args.pause_ms)
            finally:
                built.pipeline.stop()
                thread.join()
    times_s = np.array(sink.written_s)
    within = (times_s >= done[0]["begin_s"]) & (times_s <= done[-1]["end_s"])
    times_s = times_s[max(0, int(np.argmax(within)) - 1) : len(within) - int(np.argmax(within[::-1])) + 1]
    return Result(done, 1000 * np.diff(times_s), times_s[:-1], source.drops)


def send(count: int, seed: int, pause_ms: float) -> list[dict[str, Any]]:
    """Send the commands from another process; what it says of each. Raises BgcamError if it ends early."""
    words = [str(count), str(seed), str(pause_ms)]
    ran = subprocess.run(
        [sys.executable, "-m", "bgcam.benchmarks.control_commands", *words], stdout=subprocess.PIPE, text=True
    )
    done = [json.loads(line) for line in ran.stdout.splitlines()]
    if ran.returncode or len(done) != count:
        raise BgcamError(f"only {len(done)} of {count} commands were sent (exit code {ran.returncode})")
    return done


@contextmanager
def own_folder() -> Iterator[Path]:
    """A runtime folder that is nobody else's, so that no other bgcam is asked."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="bgcam-control-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["XDG_RUNTIME_DIR"]
            else:
                os.environ["XDG_RUNTIME_DIR"] = before
