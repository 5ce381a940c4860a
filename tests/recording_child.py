"""What tests of recordings start: the whole command, with a camera of their own and faults at given frames.

`python recording_child.py FAULT OUTPUT ...`, or `run(...)` in a process of a fork server.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import av  # noqa: F401 -- imported here so that the fork server has it, and each child begins at once
import cv2  # noqa: F401
import numpy as np

from bgcam.realtime.command import cli
from bgcam.realtime.command import run as run_command
from bgcam.realtime.errors import BackendError, SinkError
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.run import build, status
from bgcam.realtime.sinks import images, video  # noqa: F401
from bgcam.realtime.sinks.web import server, sink  # noqa: F401
from bgcam.realtime.sinks.web.sink import WebSink

SIZE_WH = (96, 64)
# The frame at which a fault begins; before it there is something to lose.
FAULT_AT = 40
PATIENCE_S = 1.0


class NoisyCamera:
    """A live source without end, whose frames no encoder makes small."""

    name, size_wh, fps, live, drops, frames = "fake camera", SIZE_WH, 100.0, True, 0, None
    note = notice = ""

    def __init__(self) -> None:
        self._number = 0

    def read(self) -> CameraFrame:
        time.sleep(0.008)
        number, self._number = self._number, self._number + 1
        bgr = np.random.default_rng(number).integers(0, 256, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
        return CameraFrame(number, bgr, number / self.fps, time.monotonic())

    def close(self) -> None:
        pass


def whole(frame: CameraFrame) -> CoarseMatte:
    return CoarseMatte(frame.number, np.ones((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))


def hanging(frame: CameraFrame) -> CoarseMatte:
    if frame.number >= FAULT_AT:
        time.sleep(3600)
    return whole(frame)


def failing(frame: CameraFrame) -> CoarseMatte:
    if frame.number == FAULT_AT:
        raise BackendError("the backend failed")
    return whole(frame)


def unexpected(frame: CameraFrame) -> CoarseMatte:
    if frame.number == FAULT_AT:
        raise RuntimeError("nobody expected this")
    return whole(frame)


def out_of_memory(frame: CameraFrame) -> CoarseMatte:
    if frame.number == FAULT_AT:
        raise MemoryError
    return whole(frame)


MATTES = {"hangs": hanging, "fails": failing, "unexpected": unexpected, "memory": out_of_memory}


def _break_page() -> None:
    real = WebSink.write

    def write(self: WebSink, frame: ComposedFrame) -> None:
        if frame.number >= FAULT_AT:
            raise SinkError("the page failed")
        real(self, frame)

    WebSink.write = write  # type: ignore[method-assign]


def run(fault: str, outputs: Sequence[str], *, give_up_s: float = PATIENCE_S) -> int:
    """The command's exit code."""
    camera = NoisyCamera()
    real = build.build_live

    def built(*given: Any, **more: Any) -> Any:
        build.everything = MATTES.get(fault, whole)
        return real(*given, **more, give_up_s=give_up_s)

    status.PLAIN_EVERY_S = 0.5
    run_command.build_live = built
    run_command.open_source = lambda **options: camera  # type: ignore[assignment, return-value]
    if fault == "page":
        _break_page()
    return cli.main(["--background", "none", *[word for output in outputs for word in ("--output", output)]])


def run_with(fault: str, outputs: Sequence[str], *, stdout: int | None = None, stderr: int | None = None) -> None:
    """In a child of a fork server: with these descriptors for its words, None for a closed one."""
    for number, descriptor in ((1, stdout), (2, stderr)):
        if descriptor is None:
            os.close(number)
        else:
            os.dup2(descriptor, number)
    sys.stdout = None if stdout is None else open(1, "w", buffering=1, closefd=False)  # type: ignore[assignment] # noqa: SIM115
    sys.stderr = None if stderr is None else open(2, "w", buffering=1, closefd=False)  # type: ignore[assignment] # noqa: SIM115
    fault, _, give_up_s = fault.partition("-")
    os._exit(run(fault, outputs, give_up_s=float(give_up_s or PATIENCE_S)))


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1], sys.argv[2:]))
