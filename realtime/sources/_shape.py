"""Scales a source's pictures to the requested size, and mirrors them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

COVER, CONTAIN = "cover", "contain"


def shape(
    bgr: NDArray[np.uint8], *, size_wh: tuple[int, int] | None = None, mirror: bool = False, fit: str = COVER
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 at `size_wh` (None keeps the size), flipped left to right if asked; contiguous.

    fit: for a picture with another aspect ratio, "cover" crops evenly on two sides, and "contain" adds black bars.
    Neither distorts it.
    """
    if size_wh is not None and size_wh != (bgr.shape[1], bgr.shape[0]):
        bgr = contain(bgr, size_wh) if fit == CONTAIN else cover(bgr, size_wh)
    if mirror:
        bgr = _u8(cv2.flip(bgr, 1))
    return np.ascontiguousarray(bgr)


def cover(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) to exactly (H, W, 3): cropped around the centre to the new aspect ratio, then resized."""
    height, width = bgr.shape[:2]
    scale = max(size_wh[0] / width, size_wh[1] / height)
    cut_w, cut_h = (min(side, max(1, round(new / scale))) for side, new in zip((width, height), size_wh, strict=True))
    left, top = (width - cut_w) // 2, (height - cut_h) // 2
    return scaled(bgr[top : top + cut_h, left : left + cut_w], size_wh)


def contain(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) to exactly (H, W, 3): resized to fit, centred between black bars."""
    height, width = bgr.shape[:2]
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_w, inner_h = (
        min(new, max(1, round(side * scale))) for side, new in zip((width, height), size_wh, strict=True)
    )
    left, top = (size_wh[0] - inner_w) // 2, (size_wh[1] - inner_h) // 2
    out = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    out[top : top + inner_h, left : left + inner_w] = scaled(bgr, (inner_w, inner_h))
    return out


def scaled(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) to (H, W, 3). Shrinking averages areas, so that fine patterns do not shimmer; growing is linear."""
    shrinks = size_wh[0] <= bgr.shape[1] and size_wh[1] <= bgr.shape[0]
    return _u8(cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def _u8(picture: object) -> NDArray[np.uint8]:
    """cv2's stubs lose the dtype, which resizing and flipping keep."""
    return np.asarray(picture, np.uint8)
