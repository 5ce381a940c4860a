"""What travels: a camera frame, its matte (first coarse, then whole), the composed frame. Each carries its number.

A `CameraFrame` and what an output may show, a `ComposedFrame` or a `CutoutFrame`, have nothing in common but their
number and times: what a sink reads, `bgr` or `bgra`, a camera frame does not have, and what holds a camera's pixels,
`room_bgr`, the others do not have. Those are made by `picture/composed.py` alone, which sees to it that they share no
memory with a camera frame; before each sink `failsafe/gate.py` looks once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime import camera_memory


def check_bgr(bgr: NDArray[np.uint8]) -> None:
    """Raise ValueError unless the array is (H, W, 3) uint8 with at least one pixel."""
    if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or not bgr.size:
        raise ValueError(f"a frame must be (H, W, 3) uint8, found {bgr.shape} {bgr.dtype}")


@final
@dataclass(frozen=True, slots=True, eq=False)
class CameraFrame:
    """What the camera saw. Secret: it shows the room.

    number: counts from 0 at the source. room_bgr: (H, W, 3) uint8. time_s: seconds since the source's first frame.
    captured_s: `time.monotonic()` when it was read, for latency. Raises ValueError for another array.
    """

    number: int
    room_bgr: NDArray[np.uint8]
    time_s: float
    captured_s: float

    def __post_init__(self) -> None:
        check_bgr(self.room_bgr)
        camera_memory.remember(self.room_bgr)

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.room_bgr.shape[1], self.room_bgr.shape[0]

    def __repr__(self) -> str:
        return f"CameraFrame(number={self.number}, size_wh={self.size_wh})"


@dataclass(frozen=True, slots=True, eq=False)
class CoarseMatte:
    """What the network said of the frame of the same number, at its own size, and what it saw.

    alpha: (h, w) float32 in [0, 1]. seen_bgr: (h, w, 3) uint8, the frame resized, aspect not kept. Secret as the frame.
    carried: the network did not run on this frame; alpha is that of the frame before, moved as the picture moved.
    cropped: the network saw only a part of this frame; elsewhere alpha is 0, whoever is there.
    """

    number: int
    alpha: NDArray[np.float32]
    seen_bgr: NDArray[np.uint8]
    carried: bool = False
    cropped: bool = False

    def __post_init__(self) -> None:
        check_bgr(self.seen_bgr)
        if self.alpha.dtype != np.float32 or self.alpha.shape != self.seen_bgr.shape[:2]:
            found = f"{self.alpha.shape} {self.alpha.dtype} beside {self.seen_bgr.shape}"
            raise ValueError(
                f"a coarse matte must be (h, w) float32 of the same size as the network's picture, found {found}"
            )

    def __repr__(self) -> str:
        return f"CoarseMatte(number={self.number}, shape={self.alpha.shape})"


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """The person's alpha in the frame of the same number: (H, W) float32 in [0, 1], at the frame's size."""

    number: int
    alpha: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.alpha.dtype != np.float32 or self.alpha.ndim != 2:
            raise ValueError(f"a matte must be (H, W) float32, found {self.alpha.shape} {self.alpha.dtype}")

    def __repr__(self) -> str:
        return f"Matte(number={self.number}, shape={self.alpha.shape})"


# Who holds this may make composed frames: `picture/composed.py`, and no other module (a test looks).
COMPOSITOR = object()


@final
class ComposedFrame:
    """What an output may show: BGR, or I420 from the GPU for virtual cameras, and then BGR when it is asked.

    number, time_s, captured_s: of the camera frame that it was made of, or whose place it takes. bgr: (H, W, 3) uint8;
    i420: (H * 3 / 2, W) uint8 or None, BT.601 in limited range. Raises TypeError for any maker but the compositor,
    ValueError for another array.
    """

    __slots__ = ("_bgr", "captured_s", "i420", "number", "time_s")

    def __init__(
        self,
        number: int,
        time_s: float,
        captured_s: float,
        *,
        bgr: NDArray[np.uint8] | None = None,
        i420: NDArray[np.uint8] | None = None,
        made_by: object = None,
    ):
        if made_by is not COMPOSITOR:
            raise TypeError("only bgcam.realtime.picture.composed makes composed frames")
        if (bgr is None) == (i420 is None):
            raise ValueError("a composed frame is made of BGR or of I420")
        if bgr is not None:
            check_bgr(bgr)
        if i420 is not None and (
            i420.dtype != np.uint8 or i420.ndim != 2 or i420.shape[0] % 3 or i420.shape[1] % 2 or not i420.size
        ):
            raise ValueError(f"a picture in I420 must be (H * 3 / 2, W) uint8, found {i420.shape} {i420.dtype}")
        self.number, self.time_s, self.captured_s = number, time_s, captured_s
        self.i420 = i420
        self._bgr = bgr

    def __init_subclass__(cls, **given: Any) -> NoReturn:
        raise TypeError("ComposedFrame cannot be subclassed")

    @property
    def bgr(self) -> NDArray[np.uint8]:
        if self._bgr is None:
            import cv2

            assert self.i420 is not None
            self._bgr = np.asarray(cv2.cvtColor(self.i420, cv2.COLOR_YUV2BGR_I420), np.uint8)
        return self._bgr

    @property
    def planes(self) -> list[NDArray[np.uint8]]:
        """All arrays that a sink may read: what it was made of, and the BGR that was made of I420."""
        return [pixels for pixels in (self.i420, self._bgr) if pixels is not None]

    @property
    def size_wh(self) -> tuple[int, int]:
        if self.i420 is not None:
            return self.i420.shape[1], self.i420.shape[0] * 2 // 3
        return self.bgr.shape[1], self.bgr.shape[0]

    def __repr__(self) -> str:
        return f"ComposedFrame(number={self.number}, size_wh={self.size_wh})"


@final
class CutoutFrame:
    """The person alone, for outputs that hold transparency; no `ComposedFrame`, so that live outputs cannot take it.

    bgra: (H, W, 4) uint8, not premultiplied: the person's own colours, and alpha. Where alpha is 0 the colours are 0.
    number, time_s, captured_s: as in `ComposedFrame`. Raises as that does.
    """

    __slots__ = ("bgra", "captured_s", "number", "time_s")

    def __init__(
        self, number: int, bgra: NDArray[np.uint8], time_s: float, captured_s: float, *, made_by: object = None
    ):
        if made_by is not COMPOSITOR:
            raise TypeError("only bgcam.realtime.picture.composed makes cutouts")
        if bgra.dtype != np.uint8 or bgra.ndim != 3 or bgra.shape[2] != 4 or not bgra.size:
            raise ValueError(f"a cutout must be (H, W, 4) uint8, found {bgra.shape} {bgra.dtype}")
        self.number, self.bgra, self.time_s, self.captured_s = number, bgra, time_s, captured_s

    def __init_subclass__(cls, **given: Any) -> NoReturn:
        raise TypeError("Cutout cannot be subclassed")

    @property
    def planes(self) -> list[NDArray[np.uint8]]:
        """As of a `ComposedFrame`."""
        return [self.bgra]

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.bgra.shape[1], self.bgra.shape[0]

    def __repr__(self) -> str:
        return f"CutoutFrame(number={self.number}, size_wh={self.size_wh})"


# What travels to the sinks; see `gate.send`.
OutputFrame: TypeAlias = "ComposedFrame | CutoutFrame"
