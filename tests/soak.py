"""A long run in a short time: the whole of bgcam at the speed of the machine, for leaks and drift.

`make soak` runs 50,000 frames, half an hour of a camera's; `tests/test_soak.py` a few.
"""

from __future__ import annotations

import argparse
import gc
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import av
import numpy as np
from numpy.typing import NDArray
from shown import File
from tiny_model import SPEC, write_tiny_model

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.frames import CameraFrame, ComposedFrame
from bgcam.realtime.look import Look
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.run.build import build_run
from bgcam.realtime.sinks import open_sink

FRAMES = 50_000
FPS = 30.0
SIZE_WH = (96, 64)
# What libraries and caches take once, before it is counted.
WARM_SHARE = 0.1
WARM_FRAMES = 300
MEMORY_LIMIT_MB = 20.0
# The background's pictures: a loop of so many, each of a level of its own.
LOOP = 20
LEVELS = [20 + 10 * at for at in range(LOOP)]


@dataclass(frozen=True)
class Use:
    """What the process holds. memory_mb: resident."""

    memory_mb: float
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Soaked:
    """warm: use after the first frames; last: near the end; after: when all is closed, beside `before`.

    drift_ms: how far the recording's last frame is from its time by the clock. background_off: by how many of its
    pictures the looping background was ever wrong.
    """

    frames: int
    seconds: float
    before: Use
    warm: Use
    last: Use
    after: Use
    drift_ms: float
    background_off: int
    watched_bytes: int

    def failures(self) -> list[str]:
        """What is not as it should be, in words."""
        grown_mb = self.last.memory_mb - self.warm.memory_mb
        checks = {
            f"memory grew by {grown_mb:.1f} MB": grown_mb < MEMORY_LIMIT_MB,
            f"threads: {self.warm.threads}, then {self.last.threads}": self.last.threads <= self.warm.threads,
            f"threads left: {self.before.threads}, then {self.after.threads}": self.after.threads
            <= self.before.threads,
            f"descriptors: {self.warm.descriptors}, then {self.last.descriptors}": self.last.descriptors
            <= self.warm.descriptors,
            f"descriptors left: {self.before.descriptors}, then {self.after.descriptors}": self.after.descriptors
            <= self.before.descriptors,
            f"the recording is {self.drift_ms:.2f} ms off": abs(self.drift_ms) < 1,
            f"the background is {self.background_off} pictures off": self.background_off <= 1,
            "nobody could watch": self.watched_bytes > 0,
        }
        return [said for said, fine in checks.items() if not fine]


def use() -> Use:
    """Of this process, from Linux's /proc."""
    status = Path("/proc/self/status").read_text()
    memory_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return Use(memory_kb / 1024, threading.active_count(), len(os.listdir("/proc/self/fd")))


class Camera:
    """A live source that gives a frame whenever it is asked: somebody bright who moves in a dark room."""

    name, size_wh, fps, live, drops = "fast camera", SIZE_WH, FPS, True, 0
    note, notice = "", ""

    def __init__(self, frames: int):
        self.frames: int | None = frames
        self._number = 0

    def read(self) -> CameraFrame | None:
        if self._number == self.frames:
            return None
        number, self._number = self._number, self._number + 1
        width, height = SIZE_WH
        bgr = np.full((height, width, 3), 20, np.uint8)
        left = 4 + number // 3 % (width // 3)
        bgr[height // 3 :, left : left + width // 4] = 235
        return CameraFrame(number, bgr, number / FPS, time.monotonic())

    def close(self) -> None:
        pass


class Looking(File):
    """A sink that follows the background's loop at its corner, and takes the process's use now and then."""

    name = "looking"

    def __init__(self, frames: int):
        self.uses: list[Use] = []
        self.off = 0
        self._take_at = {max(WARM_FRAMES, int(frames * WARM_SHARE)), frames - 2}

    def write(self, frame: ComposedFrame) -> None:
        shown = int(np.argmin(np.abs(np.array(LEVELS) - float(frame.bgr[2, -3].mean()))))
        apart = abs(shown - int(frame.time_s * FPS + 1e-6) % LOOP)
        self.off = max(self.off, min(apart, LOOP - apart))
        if frame.number in self._take_at:
            self.uses.append(use())


def write_loop(path: Path) -> Path:
    """The background: a video of LOOP flat pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=int(FPS), options={"crf": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for level in LEVELS:
            bgr: NDArray[np.uint8] = np.full((SIZE_WH[1], SIZE_WH[0], 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@contextmanager
def watching(url: str) -> Iterator[list[int]]:
    """Somebody who has the page open; gives the list that each read's length goes to."""
    parts = urlsplit(url)
    got: list[int] = []
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60) as client:
        client.sendall(f"GET {parts.path}stream HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())

        def read() -> None:
            while more := len(client.recv(1 << 16)):
                got[:] = [sum(got) + more]

        thread = threading.Thread(target=read)
        thread.start()
        yield got
        thread.join(60)


def soak(frames: int, folder: Path) -> Soaked:
    """Run `frames` through model, picture, a web page that is watched, and a recording."""
    spec = replace(SPEC, sizes_wh=(SIZE_WH,))
    matting = Matting(write_tiny_model(folder / "tiny.onnx", spec=spec), threads=1)
    matting.prepare(SIZE_WH)
    before = use()
    background = open_background(str(write_loop(folder / "loop.mp4")))
    looking = Looking(frames)
    page, recording = (open_sink(spec, size_wh=SIZE_WH, fps=FPS) for spec in ("web:0", str(folder / "out.mp4")))
    pipeline = build_run(Camera(frames), background, matting, Look(), threads=1, watchdog_ms=5000)
    with watching(page.name) as watched:
        began_s = time.monotonic()
        summary = pipeline.run([page, recording, looking])
        seconds = time.monotonic() - began_s
    del background, pipeline
    gc.collect()  # the background's video
    after = use()
    with av.open(str(folder / "out.mp4")) as container:
        *_, last = container.decode(video=0)
        drift_ms = ((last.time or 0.0) - (frames - 1) / FPS) * 1000
    warm, end = looking.uses
    assert summary.frames == frames
    return Soaked(frames, seconds, before, warm, end, after, drift_ms, looking.off, sum(watched))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run many frames and look for leaks and drift.")
    parser.add_argument("--frames", type=int, default=FRAMES)
    frames = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as folder:
        found = soak(frames, Path(folder))
    print(f"{found.frames} frames in {found.seconds:.0f} s")
    for name in ("before", "warm", "last", "after"):
        print(f"{name:>7}: {getattr(found, name)}")
    print(f"recording off by {found.drift_ms:.3f} ms, background by {found.background_off} pictures")
    for failure in found.failures():
        print(f"soak: {failure}")
    return int(bool(found.failures()))


if __name__ == "__main__":
    raise SystemExit(main())
