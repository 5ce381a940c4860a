"""What travels: a camera frame, its matte (first coarse, then whole), the composed frame. Each carries its number.

A sink takes only a `ComposedFrame`, or, where it can hold transparency, a `CutoutFrame`, and only
`bgcam.realtime.picture` makes these: a camera frame cannot reach an output by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


def check_bgr(bgr: NDArray[np.uint8]) -> None:
    """Raise ValueError unless the array is (H, W, 3) uint8 with at least one pixel."""
    if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or not bgr.size:
        raise ValueError(f"a frame must be (H, W, 3) uint8, found {bgr.shape} {bgr.dtype}")


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """What both kinds of frame hold.

    number: counts from 0 at the source. bgr: (H, W, 3) uint8. time_s: seconds since the source's first frame.
    captured_s: `time.monotonic()` when it was read, for latency.
    """

    number: int
    bgr: NDArray[np.uint8]
    time_s: float
    captured_s: float

    def __post_init__(self) -> None:
        check_bgr(self.bgr)

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.bgr.shape[1], self.bgr.shape[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(number={self.number}, size_wh={self.size_wh})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CameraFrame(_Picture):
    """What the camera saw; fields as in `_Picture`. Secret: it shows the room."""


@dataclass(frozen=True, slots=True, eq=False)
class CoarseMatte:
    """What the network said of the frame of the same number, at its own size, and what it saw.

    alpha: (h, w) float32 in [0, 1]. seen_bgr: (h, w, 3) uint8, the frame resized, aspect not kept. Secret as the frame.
    """

    number: int
    alpha: NDArray[np.float32]
    seen_bgr: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_bgr(self.seen_bgr)
        if self.alpha.dtype != np.float32 or self.alpha.shape != self.seen_bgr.shape[:2]:
            found = f"{self.alpha.shape} {self.alpha.dtype} beside {self.seen_bgr.shape}"
            raise ValueError(f"a coarse matte must be (h, w) float32 as the picture seen, found {found}")

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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ComposedFrame(_Picture):
    """What an output may show; fields as in `_Picture`. Never a `CameraFrame`, nor the other way round."""


class PackedFrame(ComposedFrame):
    """A composed frame that came from the graphics card as I420, (H * 3 / 2, W) uint8: for virtual cameras.

    `bgr` is made of it when somebody asks, by OpenCV (BT.601, limited range).
    """

    __slots__ = ("_bgr", "i420")

    i420: NDArray[np.uint8]
    _bgr: NDArray[np.uint8] | None

    def __init__(self, number: int, i420: NDArray[np.uint8], time_s: float, captured_s: float):
        if i420.dtype != np.uint8 or i420.ndim != 2 or i420.shape[0] % 3 or i420.shape[1] % 2 or not i420.size:
            raise ValueError(f"a picture in I420 must be (H * 3 / 2, W) uint8, found {i420.shape} {i420.dtype}")
        values = {"number": number, "i420": i420, "time_s": time_s, "captured_s": captured_s, "_bgr": None}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def bgr(self) -> NDArray[np.uint8]:
        made = self._bgr
        if made is None:
            import cv2

            made = np.asarray(cv2.cvtColor(self.i420, cv2.COLOR_YUV2BGR_I420), np.uint8)
            object.__setattr__(self, "_bgr", made)
        return made

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.i420.shape[1], self.i420.shape[0] * 2 // 3


@dataclass(frozen=True, slots=True, eq=False)
class CutoutFrame:
    """The person alone, for outputs that hold transparency; no `ComposedFrame`, so that live outputs cannot take it.

    bgra: (H, W, 4) uint8, not premultiplied: the person's own colours, and alpha. Where alpha is 0 the colours are 0.
    number, time_s, captured_s: as in `_Picture`.
    """

    number: int
    bgra: NDArray[np.uint8]
    time_s: float
    captured_s: float

    def __post_init__(self) -> None:
        if self.bgra.dtype != np.uint8 or self.bgra.ndim != 3 or self.bgra.shape[2] != 4 or not self.bgra.size:
            raise ValueError(f"a cutout must be (H, W, 4) uint8, found {self.bgra.shape} {self.bgra.dtype}")

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.bgra.shape[1], self.bgra.shape[0]

    def __repr__(self) -> str:
        return f"CutoutFrame(number={self.number}, size_wh={self.size_wh})"


# What travels to the sinks; see `sinks.hand_over`.
OutputFrame: TypeAlias = "ComposedFrame | CutoutFrame"
