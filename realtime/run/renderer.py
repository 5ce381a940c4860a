"""Chooses where a frame's matte and picture are computed: on the processor, or entirely on the GPU.

The GPU may take over later, when its network is ready, and is abandoned if it fails and the user left the choice to
bgcam. What is drawn can be changed while frames flow: then the frames on the GPU come back first, the processor draws
the next ones, and the GPU is opened again for what is to be drawn now. Each change happens between two frames, and
loses no frame.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bgcam.realtime.errors import BackendError, GpuFailed
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame, OutputFrame
from bgcam.realtime.model.backends.warming import Say, say_to_terminal
from bgcam.realtime.picture.flip import flip_frame, flip_matte

Find = Callable[[CameraFrame], CoarseMatte]
Draw = Callable[[CameraFrame, CoarseMatte], OutputFrame]
Check = Callable[[CoarseMatte], None]
# How often a change looks whether it was made.
WAIT_S = 0.01


class Numbered(Protocol):
    """What is known of a frame in progress."""

    @property
    def number(self) -> int: ...


class FrameGpu(Protocol):
    """A GPU that processes whole frames; see `gpu.renderer.GpuRenderer`."""

    description: str

    def submit(self, frame: CameraFrame) -> Numbered: ...

    def collect(self, frame: CameraFrame, sent: Any) -> ComposedFrame: ...


OpenGpu = Callable[[], FrameGpu | None]
Rescue = Callable[[], Find]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What frames go through, until others take their place.

    find, draw, check: the processor's stages; check may be None.
    finds: whether `find` looks for the person. Otherwise its mattes keep the whole frame, and are good for nothing
        else: a frame that has one gets another when parts that find the person draw it.
    flip: mirror each frame.
    open_gpu, rescue: see `FrameRenderer`.
    """

    find: Find
    draw: Draw
    check: Check | None = None
    finds: bool = True
    flip: bool = False
    open_gpu: OpenGpu | None = None
    rescue: Rescue | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """The result of a frame's first half: its matte, or what the GPU's `submit` returned; neither if `finish` finds it.

    found: whether the matte is the person's, see `Parts.finds`.
    """

    number: int
    matte: CoarseMatte | None = None
    gpu: FrameGpu | None = None
    sent: Numbered | None = None
    found: bool = True

    @property
    def owed(self) -> bool:
        """Whether `finish` may have to find the person."""
        return self.gpu is None and (self.matte is None or not self.found)


@dataclass(slots=True, eq=False)
class _Change:
    """parts: take over; apply: is called when they do, with whether the GPU served until then."""

    parts: Parts
    apply: Callable[[bool], None]
    done: threading.Event = field(default_factory=threading.Event)


class FrameRenderer:
    """`begin` is called with each frame, `finish` from another thread, in order.

    `begin` is also called in order and from one thread while a GPU is used or expected. Otherwise `begin` only calls
    `find`, and may be called from as many threads as `find` may, less one.

    find, draw, check, finds: see `Parts`.
    say: called with a line for every change.
    open_gpu: called before each frame until it returns a GPU; returns None while none is ready, and raises BackendError
        if there will be none.
    rescue: makes a `find` when the GPU fails; without it, the GPU's failure is the frame's.
    newest: the last frame that was finished, None before the first.
    """

    def __init__(
        self,
        find: Find,
        draw: Draw,
        *,
        check: Check | None = None,
        finds: bool = True,
        say: Say = say_to_terminal,
        open_gpu: OpenGpu | None = None,
        rescue: Rescue | None = None,
    ):
        self._parts = Parts(find, draw, check, finds=finds, open_gpu=open_gpu, rescue=rescue)
        self._say, self._open_gpu = say, open_gpu
        self.gpu: FrameGpu | None = None
        self.newest: CameraFrame | None = None
        self._rescued: Find | None = None
        self._next: _Change | None = None
        # How many frames are on the GPU, and how many `finish` may have to find the person in: the network, which they
        # share, serves one of the two at a time.
        self._on_gpu = self._owed = 0
        self._said_gpu: bool | None = None
        self._lock = threading.Lock()  # held while the GPU is abandoned
        self._gate = threading.RLock()  # held while a frame is sent to the GPU, and while parts are replaced
        self._frame = threading.Lock()  # held while a frame is finished

    @property
    def may_use_gpu(self) -> bool:
        """Whether a GPU is used, or may come."""
        return self.gpu is not None or self._open_gpu is not None

    @property
    def rescued(self) -> bool:
        """Whether the GPU failed, and the processor took over for good."""
        return self._rescued is not None

    def prepare(self) -> None:
        """Use the GPU at once if it is ready; otherwise the first frames would wait for it."""
        if self.gpu is not None or self._open_gpu is None:
            return
        with self._gate:
            if self._open_gpu is None or self._owed or self._next is not None:
                return
            try:
                self.gpu = self._open_gpu()
            except BackendError as error:
                self._open_gpu = None
                self._tell(False, f"the processor draws the picture: {error}")
                return
            if self.gpu is not None:
                self._open_gpu = None
                self._tell(True, f"whole frames go through the GPU: {self.gpu.description}")

    def begin(self, frame: CameraFrame) -> Begun:
        """The first half. Raises what `find` raises, or the GPU's `submit`."""
        self.prepare()
        gpu, begun, failed = self._submit(frame)
        if begun is not None:
            return begun
        if gpu is not None and failed is not None:
            self._leave(gpu, failed)
        with self._gate:
            parts = self._parts
            later = parts.finds and self._on_gpu > 0 and self._rescued is None
            begun = Begun(frame.number) if later else None
            self._owed += later or not parts.finds
        return begun or Begun(frame.number, matte=self._find(parts, frame), found=parts.finds)

    def finish(self, frame: CameraFrame, begun: Begun) -> OutputFrame:
        """The second half. Raises what check or draw raises, or the GPU's `collect`."""
        with self._frame:
            self.newest = frame
            if begun.gpu is not None and begun.sent is not None:
                try:
                    return begun.gpu.collect(frame, begun.sent)
                except GpuFailed as error:
                    self._leave(begun.gpu, error)
                finally:
                    with self._gate:
                        self._on_gpu -= 1
            try:
                self._take_change()
                parts, matte = self._parts, begun.matte
                if matte is None or (parts.finds and not begun.found):
                    matte = self._find(parts, frame)
            finally:
                with self._gate:
                    self._owed -= begun.owed
            if parts.check is not None:
                parts.check(matte)
            if parts.flip:
                frame, matte = flip_frame(frame), flip_matte(matte)
            return parts.draw(frame, matte)

    def change(self, parts: Parts, apply: Callable[[bool], None], *, limit_s: float) -> bool:
        """Have `parts` take over between two frames, and `apply` called at that moment, with whether the GPU served.

        Called from any thread but those of the frames, one at a time. Returns False, and nothing has changed, if that
        was not possible within the time: the frame that is being drawn hangs.
        """
        change = _Change(parts, apply)
        with self._gate:
            self._next = change
        end_s = time.monotonic() + limit_s
        while not change.done.wait(WAIT_S):
            # While no frame flows, the frames' own thread does not take it.
            if self._frame.acquire(blocking=False):
                try:
                    self._take_change()
                finally:
                    self._frame.release()
            with self._gate:
                if self._next is change and time.monotonic() > end_s:
                    self._next = None
                    return False
        return True

    def _submit(self, frame: CameraFrame) -> tuple[FrameGpu | None, Begun | None, GpuFailed | None]:
        """The GPU if it is used now, and the frame on its way, or why it is not."""
        with self._gate:
            gpu = self.gpu
            if gpu is None or self._next is not None:
                return None, None, None
            try:
                sent = gpu.submit(flip_frame(frame) if self._parts.flip else frame)
            except GpuFailed as error:
                return gpu, None, error
            self._on_gpu += 1
            return gpu, Begun(frame.number, gpu=gpu, sent=sent), None

    def _take_change(self) -> None:
        """Between two frames: what is to change, unless frames that were sent before are still on the GPU."""
        with self._gate:
            change = self._next
            if change is None or self._on_gpu:
                return
            served, self.gpu = self.gpu is not None, None
            self._next, self._parts = None, change.parts
            self._open_gpu = None if self.rescued else change.parts.open_gpu
            try:
                change.apply(served)
            finally:
                change.done.set()

    def _find(self, parts: Parts, frame: CameraFrame) -> CoarseMatte:
        return (self._rescued if self._rescued is not None and parts.finds else parts.find)(frame)

    def _leave(self, gpu: FrameGpu, error: GpuFailed) -> None:
        """Continue without the GPU, or raise the error. Also reached by frames that were already on the GPU."""
        rescue = self._parts.rescue
        if rescue is None:
            raise error
        with self._lock:
            if self.gpu is gpu:
                self._rescued = rescue()
                self.gpu = self._open_gpu = None
                self._tell(False, f"{error}; the processor goes on")

    def _tell(self, on_gpu: bool, line: str) -> None:
        """Say it unless it is known: a change that goes back to the GPU is no news."""
        if on_gpu is not self._said_gpu:
            self._said_gpu = on_gpu
            self._say(line)
