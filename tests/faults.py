"""Faults to inject into a run, a room with a secret, and a sink that looks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tiny_model import SPEC

from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import BackendError, BackgroundError, SinkError, SourceError
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.look import Look
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.run.build import build_run
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.sources import Source
from bgcam.realtime.sources.reopening import ReopeningSource

SIZE_WH = (64, 32)
SMALL_WH = (32, 16)
# The person stands in the left third and is green, the background is blue, and only the secret room has red.
PERSON_SHARE = 3
RED, GREEN = 2, 1
# The soft edge, where a little of the room may be in the mixture, ends before the frame's right half.
ROOM_FROM_PX = SIZE_WH[0] // 2
SECRET_LEVEL = 12


def room(number: int) -> NDArray[np.uint8]:
    """(H, W, 3) BGR: the person before a red pattern that moves."""
    width, height = SIZE_WH
    bgr = np.zeros((height, width, 3), np.uint8)
    down, across = np.indices((height, width))
    bgr[..., RED] = np.where((down + across + number) % 4 < 2, 255, 170)
    bgr[:, : width // PERSON_SHARE] = (0, 220, 0)
    return bgr


def right_matte(frame: CameraFrame) -> CoarseMatte:
    alpha = np.zeros((SMALL_WH[1], SMALL_WH[0]), np.float32)
    alpha[:, : SMALL_WH[0] // PERSON_SHARE] = 1
    return CoarseMatte(frame.number, alpha, np.ascontiguousarray(frame.room_bgr[::2, ::2]))


def shows_secret(bgr: NDArray[np.uint8]) -> bool:
    return bool((bgr[:, ROOM_FROM_PX:, RED] > SECRET_LEVEL).any())


def is_placeholder(bgr: NDArray[np.uint8]) -> bool:
    """Whether there is neither person nor room: the background alone."""
    return not bgr[..., GREEN:].any()


class Injector:
    """Which fault is on. The stages ask it; `hang` waits until it is off."""

    def __init__(self) -> None:
        self.name = ""

    def set(self, name: str) -> None:
        self.name = name

    def hang(self) -> None:
        end_s = time.monotonic() + 5
        while self.name.endswith("hangs") and time.monotonic() < end_s:
            time.sleep(0.002)


UNPLUGGED = "camera is unplugged"


class SecretCamera:
    """A live source at `fps` frames a second, or as fast as it is read for 0. on_read: called with each number.

    stands_for: so many frames the room does not move, and the network need not be asked.
    """

    name, size_wh, drops, note, notice = "secret", SIZE_WH, 0, "", ""

    def __init__(
        self,
        faults: Injector,
        *,
        fps: float,
        frames: int | None = None,
        on_read: Callable[[int], None] | None = None,
        live: bool = True,
        stands_for: int = 1,
    ):
        self.fps, self.frames, self.live = fps or 1000.0, frames, live
        self._faults, self._wait_s, self.on_read = faults, 1 / fps if fps else 0.0, on_read
        self._stands_for = stands_for
        self._number = 0

    def read(self) -> CameraFrame | None:
        if self._number == self.frames:
            return None
        if self.on_read:
            self.on_read(self._number)
        time.sleep(self._wait_s)
        if self._faults.name in ("camera fails", UNPLUGGED):
            raise SourceError("the camera failed")
        if self._faults.name == "camera hangs":
            self._faults.hang()
        number, self._number = self._number, self._number + 1
        bgr = room(number // self._stands_for)
        if self._faults.name == "camera changes its size":
            bgr = bgr[:-4, :-6]
        if self._faults.name == "camera turns grey":
            bgr = bgr[..., RED]
        return CameraFrame(number, bgr, number / 30, time.monotonic())

    def close(self) -> None:
        self._faults.set("")


class KeptCamera:
    """One opening of a camera. Raises SourceError while it is unplugged."""

    live, frames, note, notice = True, None, "", ""

    def __init__(self, camera: Source, faults: Injector):
        if faults.name == UNPLUGGED:
            raise SourceError("the camera is gone")
        self.name, self.size_wh, self.fps, self.drops = camera.name, camera.size_wh, camera.fps, 0
        self.read = camera.read

    def close(self) -> None:
        """The camera stays for the next opening."""


# Alpha, and in which share of the rows, from the top.
MATTE_VALUES = {
    "matte is NaN": (np.nan, 1.0),
    "matte is all one": (1.0, 1.0),
    "matte is one half": (0.5, 1.0),
    "matte is out of range": (7.0, 0.96),
    "matte is of 0 to 255": (255.0, 0.96),
}


class FaultyBackend:
    """A backend that knows where the person stands. What it gives for alpha is checked by `Matting`, as any other's."""

    name, description, at_once = "faulty", "faulty CPU", 1

    def __init__(self, faults: Injector):
        self._faults = faults

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        if bgr.shape != (SMALL_WH[1], SMALL_WH[0], 3):
            raise ValueError(f"expected {SMALL_WH}, found {bgr.shape}")
        alpha = np.zeros(bgr.shape[:2], np.float32)
        alpha[:, : bgr.shape[1] // PERSON_SHARE] = 1
        name = self._faults.name
        if name == "inference fails":
            raise BackendError("the model failed")
        if name == "inference hangs":
            self._faults.hang()
        if name in MATTE_VALUES:
            value, rows = MATTE_VALUES[name]
            alpha[: round(rows * len(alpha))] = value
        return alpha


class FaultyMatting(Matting):
    """`Matting` on a faulty backend; its results may be taken for another frame's as well."""

    path, at_once, spec = Path("none.onnx"), 1, SPEC

    def __init__(self, faults: Injector):
        self._faults = faults

    def prepare(self, frame_wh: tuple[int, int]) -> Any:
        return FaultyBackend(self._faults)

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return np.ascontiguousarray(frame.room_bgr[::2, ::2])

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        matte = super().infer(frame, seen_bgr)
        if self._faults.name == "matte of another frame":
            return replace(matte, number=frame.number - 1)
        if self._faults.name == "matte of another size":
            return replace(matte, alpha=matte.alpha[:-1])
        return matte


class FaultyBackground(Still):
    def __init__(self, faults: Injector):
        super().__init__("blue", np.full((1, 1, 3), (200, 0, 0), np.uint8))
        self._faults = faults

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        if self._faults.name == "background vanishes":
            raise BackgroundError("the background is gone")
        bgr = super().picture(frame, coarse)
        return bgr[1:] if self._faults.name == "background of another size" else bgr


class FaultyPicture(Chain):
    faults: Injector

    def __call__(self, frame: CameraFrame, coarse: CoarseMatte) -> ComposedFrame:
        if self.faults.name == "picture fails":
            raise RuntimeError("the picture failed")
        if self.faults.name == "picture hangs":
            self.faults.hang()
        return super().__call__(frame, coarse)


class LookingSink:
    """A live sink that keeps when it got what: (seconds, whether a placeholder), and whether it ever saw the secret."""

    name, notice = "looking", ""

    def __init__(self, faults: Injector | None = None, *, live: bool = True):
        self.live, self.end = live, ""
        self.got: list[tuple[float, bool]] = []
        self.leaks: list[int] = []
        self._faults = faults or Injector()

    def write(self, frame: ComposedFrame) -> None:
        self.got.append((time.monotonic(), is_placeholder(frame.bgr)))
        if shows_secret(frame.bgr):
            self.leaks.append(frame.number)
        if self._faults.name == "output fails":
            self._faults.set("")
            raise SinkError("the output failed")
        if self._faults.name == "other output hangs" and not self.live:
            self._faults.hang()

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        self.end += "closed"

    def abort(self) -> None:
        self.end += "aborted"


def make_run(
    faults: Injector,
    *,
    fps: float = 0.0,
    frames: int | None = None,
    on_read: Callable[[int], None] | None = None,
    watchdog_ms: float = 500,
    give_up_s: float = 20.0,
    checked: bool = True,
    live: bool = True,
    stands_for: int = 1,
    reopened: bool = False,
    half_rate: bool = False,
) -> Pipeline[Any]:
    """A pipeline as `bgcam` builds it, of parts that can fail. reopened: a lost camera is looked for again."""
    background = FaultyBackground(faults)
    background.needs_matte = checked  # who asks for the room gets it, so that nothing is checked

    def drawn_by(behind: SafeBackground, look: Look) -> FaultyPicture:
        chain = FaultyPicture(behind, look)
        chain.faults = faults
        return chain

    source: Source = SecretCamera(faults, fps=fps, frames=frames, on_read=on_read, live=live, stands_for=stands_for)
    if reopened:
        source = ReopeningSource(KeptCamera(source, faults), partial(KeptCamera, source, faults))
    return build_run(
        source,
        background,
        FaultyMatting(faults),
        Look(),
        watchdog_ms=watchdog_ms,
        give_up_s=give_up_s,
        half_rate=half_rate,
        drawn_by=drawn_by,
    )


def watch_of(pipeline: Pipeline[Any]) -> OutputGuard:
    assert pipeline.watch is not None
    return pipeline.watch
