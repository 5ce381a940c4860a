"""A camera on a busy machine: which frames are dropped, how late the others come, and what the user is told.

The camera gives `--fps` frames a second by the clock and keeps its newest alone, as a real one does; it shows the
demo's clip. Latency is from the moment when a frame was there to the output. Beside it run processes that only spin.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.fps import Clock
from bgcam.realtime.cores import call_threads
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.run.stats import Summary
from bgcam.realtime.settings.values import size_wh

# The model's first frames are no steady state.
WARM_UP_S = 2.0


class NewestFrame:
    """A live source by the clock: frame k is there k / fps seconds after the first; who comes late gets the newest.

    seen: which frames were read.
    """

    name, live, drops, note, notice = "clip", True, 0, "", ""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]], *, fps: float, seconds: float):
        self.size_wh, self.fps = (pictures[0].shape[1], pictures[0].shape[0]), fps
        self.frames: int | None = None
        self.seen: list[int] = []
        self._pictures, self._last = pictures, int(seconds * fps)
        self._begin_s = 0.0

    def read(self) -> CameraFrame | None:
        now_s = time.monotonic()
        if not self.seen:
            self._begin_s = now_s
        next_one = self.seen[-1] + 1 if self.seen else 0
        frame = max(next_one, int((now_s - self._begin_s) * self.fps))
        if frame > self._last:
            return None
        due_s = self._begin_s + frame / self.fps
        time.sleep(max(0.0, due_s - now_s))
        self.drops += frame - next_one
        self.seen.append(frame)
        bgr = self._pictures[frame % len(self._pictures)]
        return CameraFrame(len(self.seen) - 1, bgr, frame / self.fps, due_s)

    def close(self) -> None:
        self._last = -1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spinning", type=int, default=2, metavar="N", help="processes that spin beside (default: 2)")
    parser.add_argument("--size", type=size_wh, default=(1280, 720), metavar="WxH", help="default: 1280x720")
    parser.add_argument("--fps", type=float, default=15.0, help="the camera's (default: 15)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run (default: 10)")
    parser.add_argument("--model", metavar="NAME|PATH", help="a shipped model or an .onnx file (default: bgcam's own)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="for the model, as bgcam --threads")
    parser.add_argument("--background", default="beach", metavar="SPEC", help="default: beach")


def run(args: argparse.Namespace) -> None:
    if args.spinning < 1 or args.seconds <= WARM_UP_S or args.fps <= 0:
        raise UsageError(f"give --spinning and --fps above 0, and --seconds above {WARM_UP_S:g}")
    pictures = demo_pictures(args.size)
    print(f"{'beside':>12} {'shown':>6} {'dropped':>8} {'longest gap':>12} {'p50 ms':>7} {'p99 ms':>7}  said")
    for count in (0, args.spinning):
        with spinning(count):
            beside = f"{count} spinning" if count else "nothing"
            print(f"{beside:>12} {one_run(args, pictures)}", flush=True)


def demo_pictures(size: tuple[int, int], *, count: int = 30) -> list[NDArray[np.uint8]]:
    """The demo's first frames, (H, W, 3) uint8 BGR of this size."""
    import cv2

    from bgcam.realtime.command.demo.clip import DemoCamera

    camera = DemoCamera()
    return [np.asarray(cv2.resize(camera.frame(number), size), np.uint8) for number in range(count)]


def one_run(args: argparse.Namespace, pictures: Sequence[NDArray[np.uint8]]) -> str:
    """One line of the table. The longest gap is in frames of the camera: 1 is every frame."""
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.picture.chain import Chain
    from bgcam.realtime.run.pipeline import Pipeline

    source = NewestFrame(pictures, fps=args.fps, seconds=args.seconds)
    matting = Matting(find_model(args.model), threads=args.threads or call_threads())
    matting.prepare(source.size_wh)
    said: set[str] = set()
    pipeline = Pipeline(source, matting, Chain(open_background(args.background)))

    def listen(_: Summary) -> None:
        said.add(pipeline.notice())

    pipeline.run([Clock()], listen)
    warm = sum(frame < WARM_UP_S * args.fps for frame in source.seen)
    seen = source.seen[warm:]
    gaps = np.diff(seen)
    latency_ms = pipeline.stats.latencies_ms()[warm:]
    p50, p99 = np.percentile(latency_ms, (50, 99))
    dropped = seen[-1] - seen[0] + 1 - len(seen)
    last_said = max(said, key=len) or "nothing"
    return f"{len(seen):6} {dropped:8} {gaps.max():12} {p50:7.0f} {p99:7.0f}  {last_said}"


@contextmanager
def spinning(count: int) -> Iterator[None]:
    """So many processes that use a processor core each."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
