"""A run whose background and look are changed while frames flow, with a room that has a secret."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np
from faults import SIZE_WH, FaultyMatting, Injector, KeptCamera, SecretCamera
from numpy.typing import NDArray
from waiting import wait_for

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds.blur import Blur, Room
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import BackgroundError, ModelError, SinkError
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.look import Look
from bgcam.realtime.run.build import Run, build_live
from bgcam.realtime.sources.base import Source, Wanted
from bgcam.realtime.sources.reopening import ReopeningSource

# Blue alone: the person is green, and only the room has red.
LEVELS = {"blue": 200, "navy": 90, "moving": 150}
# Enough for a busy machine; and for those that hang.
OPEN_S, HANGS_S = 10.0, 0.15
# More red than the person's soft edge can have.
ROOM_SHARE, ROOM_RED = 0.05, 100


def shows_room(bgr: NDArray[np.uint8]) -> bool:
    """Whether more of the room is in a picture than a soft edge, wherever the person stands."""
    red = bgr[..., 2].astype(np.int16) - bgr[..., 0]
    return bool((red > ROOM_RED).mean() > ROOM_SHARE)


class Opened(Still):
    """A background that says whether it was closed."""

    def __init__(self, name: str):
        super().__init__(name, np.full((1, 1, 3), (LEVELS[name], 0, 0), np.uint8))
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class WrongSize(Opened):
    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return np.zeros((3, 5, 3), np.uint8)


class WrongType(Opened):
    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.float32)  # type: ignore[return-value]


class Thief(Opened):
    """It gives the camera's own memory."""

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return frame.room_bgr


class LiveSink:
    """What an output got: each frame's number, its blue, whether it shows the room, and whether it has a person."""

    name, notice = "sink", ""

    def __init__(self, *, live: bool = True):
        self.live, self.end = live, ""
        self.fails = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.got: list[tuple[int, int, bool, bool]] = []
        self.pictures: list[NDArray[np.uint8]] = []

    def write(self, frame: ComposedFrame) -> None:
        if self.fails:
            raise SinkError("file: No space left on device; free some space")
        bgr = frame.bgr
        person = bool((bgr[..., 1] > ROOM_RED).any())
        self.got.append((frame.number, int(np.median(bgr[..., 0])), shows_room(bgr), person))
        self.pictures = [*self.pictures[-1:], bgr]
        self.goes_on.wait(5)

    @property
    def numbers(self) -> list[int]:
        return [got[0] for got in self.got]

    @property
    def leaks(self) -> list[int]:
        return [number for number, _, room, _ in self.got if room]

    @property
    def blue(self) -> int:
        return self.got[-1][1]

    @property
    def person(self) -> bool:
        return self.got[-1][3]

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        self.end += "closed"

    def abort(self) -> None:
        self.end += "aborted"


class LiveRun:
    """Use with `with`: the run, whose camera runs on until the end, or while it is wanted."""

    def __init__(
        self,
        *,
        begins_with: str = "blue",
        look: Look | None = None,
        fps: float = 300,
        on_read: Callable[[int], None] | None = None,
        mirror: bool = False,
        open_s: float = OPEN_S,
        real: Callable[[str], Background] | None = None,
        wanted: Wanted | None = None,
    ):
        self.faults, self.hangs = Injector(), threading.Event()
        self.faults_of_model = Injector()
        self.opened: list[Background] = []
        self.real = real
        self.loaded = 0
        self.sink, self.file = LiveSink(), LiveSink(live=False)
        self.camera = SecretCamera(self.faults, fps=fps, on_read=on_read)
        self.source: Source = self.camera
        if wanted is not None:
            self.source = ReopeningSource(self.camera, partial(KeptCamera, self.camera, self.faults), wanted=wanted)
        background = self.open_one(begins_with)
        room = begins_with == "none"
        matting = None if room else self.open_matting()
        self.run: Run = build_live(
            self.source,
            background,
            matting,
            look or Look(),
            mirror=mirror,
            watchdog_ms=150,
            open_matting=self.open_matting,
            open_model=self.open_model,
            open_one=self.open_one,
            open_s=open_s,
        )
        self.live, self.pipeline = self.run.live, self.run.pipeline
        assert self.pipeline.watch is not None
        self.watch = self.pipeline.watch
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def open_matting(self) -> Any:
        self.loaded += 1
        return FaultyMatting(self.faults)

    def open_model(self, name: str) -> Any:
        if name == "broken":
            raise ModelError("broken: not an ONNX model; give another")
        matting = self.open_matting()
        if name == "wrong":
            self.faults_of_model.set("inference fails")
            matting._faults = self.faults_of_model
        return matting

    def open_one(self, name: str) -> Background:
        if self.real is not None:
            self.opened.append(self.real(name))
            return self.opened[-1]
        if name == "hangs":
            self.hangs.wait(10)
            name = "blue"
        if name == "gone":
            raise BackgroundError("background gone: it is gone")
        kinds: dict[str, Callable[[], Background]] = {
            "none": Room,
            "blur": Blur,
            "wrong size": lambda: WrongSize("navy"),
            "wrong type": lambda: WrongType("navy"),
            "thief": lambda: Thief("navy"),
        }
        background = kinds[name]() if name in kinds else Opened(name)
        self.opened.append(background)
        return background

    def _run(self) -> None:
        try:
            self.pipeline.run([self.sink, self.file])
        except BaseException as error:
            self.error = error

    def __enter__(self) -> LiveRun:
        self.thread.start()
        wait_for(lambda: len(self.file.got) > 3)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hangs.set()
        self.faults.set("")
        self.pipeline.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()
        if error is None:
            assert self.error is None

    def frames(self, count: int = 3) -> None:
        """Wait until so many more were written to the file, all of which were drawn from here on."""
        until = len(self.file.got) + count + 3
        wait_for(lambda: len(self.file.got) >= until)

    def placeholder(self, limit_s: float = 3) -> None:
        """Wait until the live output shows the background alone."""
        begun = len(self.sink.got)
        wait_for(lambda: len(self.sink.got) > begun + 1 and not self.sink.person, limit_s)
