"""Chooses where a frame's matte and picture are computed: on the processor, or entirely on the GPU.

The GPU may take over later, when its network is ready, and is abandoned if it fails and the user left the choice to
bgcam. Each change happens between two frames, and loses no frame.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bgcam.realtime.errors import BackendError, GpuFailed
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame, OutputFrame
from bgcam.realtime.model.backends.warming import Say, say_to_terminal

Find = Callable[[CameraFrame], CoarseMatte]
Draw = Callable[[CameraFrame, CoarseMatte], OutputFrame]
Check = Callable[[CoarseMatte], None]


class Numbered(Protocol):
    """What is known of a frame in progress."""

    @property
    def number(self) -> int: ...


class FrameGpu(Protocol):
    """A GPU that processes whole frames; see `gpu.renderer.GpuRenderer`."""

    description: str

    def submit(self, frame: CameraFrame) -> Numbered: ...

    def collect(self, frame: CameraFrame, sent: Any) -> ComposedFrame: ...


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """The result of a frame's first half: its matte, or what the GPU's `submit` returned."""

    number: int
    matte: CoarseMatte | None = None
    gpu: FrameGpu | None = None
    sent: Numbered | None = None


class Drawing:
    """`begin` is called with each frame, `finish` from another thread, in order.

    `begin` is also called in order and from one thread while a GPU is used or expected. Otherwise `begin` only calls
    `find`, and may be called from as many threads as `find` may.

    find, draw, check: the processor's stages; check may be None.
    say: called with a line for every change.
    open_gpu: called before each frame until it returns a GPU; returns None while none is ready, and raises BackendError
        if there will be none.
    rescue: makes a `find` when the GPU fails; without it, the GPU's failure is the frame's.
    """

    def __init__(
        self,
        find: Find,
        draw: Draw,
        *,
        check: Check | None = None,
        say: Say = say_to_terminal,
        open_gpu: Callable[[], FrameGpu | None] | None = None,
        rescue: Callable[[], Find] | None = None,
    ):
        self._find, self._draw, self._check, self._say = find, draw, check, say
        self._open_gpu, self._rescue = open_gpu, rescue
        self.gpu: FrameGpu | None = None
        self._lock = threading.Lock()

    @property
    def may_use_gpu(self) -> bool:
        """Whether a GPU is used, or may come."""
        return self.gpu is not None or self._open_gpu is not None

    def prepare(self) -> None:
        """Take the GPU at once, if it is ready: else the first frames would wait for it."""
        if self.gpu is not None or self._open_gpu is None:
            return
        try:
            self.gpu = self._open_gpu()
        except BackendError as error:
            self._open_gpu = None
            self._say(f"the processor draws the picture: {error}")
            return
        if self.gpu is not None:
            self._open_gpu = None
            self._say(f"whole frames go through the GPU: {self.gpu.description}")

    def begin(self, frame: CameraFrame) -> Begun:
        """The first half. Raises what `find` raises, or the GPU's `submit`."""
        self.prepare()
        gpu = self.gpu
        if gpu is not None:
            try:
                return Begun(frame.number, gpu=gpu, sent=gpu.submit(frame))
            except GpuFailed as error:
                self._leave(gpu, error)
        return Begun(frame.number, matte=self._find(frame))

    def finish(self, frame: CameraFrame, begun: Begun) -> OutputFrame:
        """The second half. Raises what check or draw raises, or the GPU's `collect`."""
        matte = begun.matte
        if begun.gpu is not None and begun.sent is not None:
            try:
                return begun.gpu.collect(frame, begun.sent)
            except GpuFailed as error:
                self._leave(begun.gpu, error)
                matte = self._find(frame)
        assert matte is not None
        if self._check is not None:
            self._check(matte)
        return self._draw(frame, matte)

    def _leave(self, gpu: FrameGpu, error: GpuFailed) -> None:
        """Go on without the GPU, or raise the error. Frames that are still on it come here too."""
        if self._rescue is None:
            raise error
        with self._lock:
            if self.gpu is gpu:
                self._find = self._rescue()
                self.gpu = None
                self._say(f"{error}; the processor goes on")
