"""What every source does to a picture before it hands it on: resize and mirror."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def shape(bgr: NDArray[np.uint8], *, size_wh: tuple[int, int] | None = None, mirror: bool = False) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 at `size_wh` (None keeps the size), flipped left to right if asked; contiguous.

    Shrinking averages areas, so that fine patterns do not shimmer; growing is linear.
    """
    height, width = bgr.shape[:2]
    if size_wh is not None and size_wh != (width, height):
        shrinks = size_wh[0] <= width and size_wh[1] <= height
        bgr = _u8(cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))
    if mirror:
        bgr = _u8(cv2.flip(bgr, 1))
    return np.ascontiguousarray(bgr)


def _u8(picture: object) -> NDArray[np.uint8]:
    """cv2's stubs forget the dtype, which resizing and flipping keep."""
    return np.asarray(picture, np.uint8)
