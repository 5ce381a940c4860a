"""Time the pipeline as users run it, on a clip that is decoded beforehand, with an output that does nothing.

The clip plays a camera that always has the next frame ready: one is read as soon as the matte stage is free. So fps is
the most that the machine can do, and latency, from there to the output, is that of full load, waits between the stages
included. Figures leave out the warm-up frames. Peak memory counts the decoded clip, whose size is given beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.machine import describe
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.frames import CameraFrame, ComposedFrame
from bgcam.realtime.settings.values import size_wh

STAGES = ("matte", "picture", "sinks")
WARM_UP_FRAMES = 30


class Clip:
    """A `Source` of `count` frames out of memory; after the last picture comes the first again."""

    name, note, notice = "clip", "", ""
    live = True
    drops = 0

    def __init__(self, pictures: Sequence[NDArray[np.uint8]], *, fps: float, count: int) -> None:
        self.size_wh = (pictures[0].shape[1], pictures[0].shape[0])
        self.fps = fps
        self.frames: int | None = count
        self._pictures = pictures
        self._count = count
        self._number = 0

    def read(self) -> CameraFrame | None:
        number, self._number = self._number, self._number + 1
        if number >= self._count:
            return None
        bgr = self._pictures[number % len(self._pictures)]
        return CameraFrame(number=number, room_bgr=bgr, time_s=number / self.fps, captured_s=time.monotonic())

    def close(self) -> None:
        self._number = self._count


class Clock:
    """A sink that only notes when each frame came: written_s, by `time.monotonic()`."""

    name, live, notice = "null", False, ""

    def __init__(self) -> None:
        self.written_s: list[float] = []

    def write(self, frame: ComposedFrame) -> None:
        self.written_s.append(time.monotonic())

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", required=True, metavar="CLIP", help="video, picture or folder of pictures")
    parser.add_argument("--size", type=size_wh, metavar="WxH", help="such as 1280x720 (default: the clip's own)")
    parser.add_argument("--model", metavar="NAME|PATH", help="a shipped model or an .onnx file (default: bgcam's own)")
    parser.add_argument("--backend", default="auto", help="inference backend (default: auto)")
    parser.add_argument("--background", default="blur", metavar="SPEC", help="as bgcam --background (default: blur)")
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="frames to time; a shorter clip is looped")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> None:
    if args.frames < 2:
        raise UsageError(f"--frames {args.frames}: give at least 2 frames")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    pictures, fps = decode(args.input, size_wh=args.size, limit=args.frames)
    figures = time_pipeline(
        pictures, fps=fps, frames=args.frames, model=args.model, backend=args.backend, background=args.background
    )
    result = {
        **figures,
        "input": Path(args.input).name,
        "background": Path(args.background).name,
        "size": "x".join(str(side) for side in pictures[0].shape[1::-1]),
        "clip_mib": round(sum(one.nbytes for one in pictures) / 2**20, 1),
        "peak_rss_mib": peak_rss_mib(),
        "load_before": load,
        **describe(),
    }
    print(json.dumps(result, indent=1) if args.json else table(result))


def decode(name: str, *, size_wh: tuple[int, int] | None = None, limit: int) -> tuple[list[NDArray[np.uint8]], float]:
    """The first frames, at most `limit`, all of one size, (H, W, 3) uint8 BGR; and the clip's frames a second."""
    from bgcam.realtime.sources import open_source

    source = open_source(input=name, size_wh=size_wh)
    pictures: list[NDArray[np.uint8]] = []
    try:
        while len(pictures) < limit and (frame := source.read()) is not None:
            pictures.append(frame.room_bgr)
    finally:
        source.close()
    if not pictures:
        raise SourceError(f"{name}: no frame in it; give a clip that plays")
    if any(one.shape != pictures[0].shape for one in pictures):
        raise SourceError(f"{name}: its pictures are of different sizes; give --size")
    return pictures, source.fps


def time_pipeline(
    pictures: Sequence[NDArray[np.uint8]],
    *,
    fps: float,
    frames: int,
    model: str | None = None,
    backend: str = "auto",
    background: str = "blur",
) -> dict[str, Any]:
    """Run warm-up and `frames` frames: fps, stages_ms and latency_ms, each of these median, p95 and p99."""
    from rich.console import Console
    from rich.progress import Progress

    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.picture.chain import Chain
    from bgcam.realtime.run.pipeline import Pipeline
    from bgcam.realtime.run.stats import Summary

    behind = open_background(background)
    if not behind.needs_matte:
        raise UsageError(f"--background {background} shows the room without a model; there is nothing to time")
    matting = Matting(find_model(model), backend=backend)
    source = Clip(pictures, fps=fps, count=WARM_UP_FRAMES + frames)
    prepared = matting.prepare(source.size_wh)
    clock = Clock()
    pipeline = Pipeline(source, matting, Chain(behind), workers=prepared.at_once)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("frames", total=source.frames)

        def show(summary: Summary) -> None:
            progress.update(task, completed=summary.frames)

        pipeline.run([clock], show)
    times_ms = pipeline.stats.stage_times_ms()
    return {
        # Over the gaps between frames, the one before the first timed frame included.
        "fps": round(frames / (clock.written_s[-1] - clock.written_s[-1 - frames]), 2),
        "frames": frames,
        "warm_up_frames": WARM_UP_FRAMES,
        "stages_ms": {stage: spread(times_ms[stage][-frames:]) for stage in STAGES},
        "latency_ms": spread(pipeline.stats.latencies_ms()[-frames:]),
        "model": matting.spec.name,
        "backend": prepared.description,
    }


def spread(times_ms: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile."""
    median, p95, p99 = np.percentile(times_ms, (50, 95, 99))
    return {"median": round(float(median), 3), "p95": round(float(p95), 3), "p99": round(float(p99), 3)}


def peak_rss_mib() -> float | None:
    """The most memory that this process has held; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def table(result: dict[str, Any]) -> str:
    """For people: what ran, then milliseconds a frame of each stage, fps and memory."""
    rows = {**result["stages_ms"], "latency": result["latency_ms"]}
    return "\n".join(
        [
            f"{result['model']} on {result['backend']}, {result['input']} at {result['size']}, {result['background']}",
            f"{'ms a frame':10} {'median':>8} {'p95':>8} {'p99':>8}",
            *(f"{name:10} {one['median']:8.2f} {one['p95']:8.2f} {one['p99']:8.2f}" for name, one in rows.items()),
            f"{result['fps']:.1f} fps over {result['frames']} frames, peak memory {result['peak_rss_mib']} MiB"
            f" (the clip {result['clip_mib']})",
        ]
    )
