"""A picture of another aspect ratio, whole, between bars of itself: blurred and dark."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.sources._shape import cover, scaled

# How bright the bars are, compared with the picture, and how they are blurred: on a grid of this many pixels.
DIM = 0.4
GRID_PX = 16
BLUR_SIGMA = 2.0
# Bars that would take a smaller share of the frame are left out, and as much of the picture is cropped.
LEAST_BARS = 0.02


def whole(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 to exactly (H, W, 3), in memory of its own: resized to fit, centred. A single pixel is a colour,
    and fills all."""
    height, width = bgr.shape[:2]
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_w, inner_h = (
        min(new, max(1, round(side * scale))) for side, new in zip((width, height), size_wh, strict=True)
    )
    if inner_w * inner_h >= (1 - LEAST_BARS) * size_wh[0] * size_wh[1] or (height, width) == (1, 1):
        return cover(bgr, size_wh)
    left, top = (size_wh[0] - inner_w) // 2, (size_wh[1] - inner_h) // 2
    out = _bars(bgr, size_wh)
    out[top : top + inner_h, left : left + inner_w] = scaled(bgr, (inner_w, inner_h))
    return out


def _bars(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """What fills the frame behind the picture."""
    grid_wh = (max(1, size_wh[0] // GRID_PX), max(1, size_wh[1] // GRID_PX))
    small = cv2.GaussianBlur(cover(bgr, grid_wh), (0, 0), BLUR_SIGMA)
    return np.asarray(cv2.resize(cv2.convertScaleAbs(small, alpha=DIM), size_wh), np.uint8)
