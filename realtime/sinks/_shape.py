"""Even sizes for YUV 4:2:0, whose colour has half the resolution, and frames of another size than the output's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def even_size(size_wh: tuple[int, int]) -> tuple[int, int]:
    """Each side rounded down to an even number, at least 2."""
    width, height = size_wh
    return max(2, width - width % 2), max(2, height - height % 2)


def cropped_note(size_wh: tuple[int, int]) -> str:
    """What to add to an output's name if its size differs from the frames'; "" if not."""
    width, height = even_size(size_wh)
    return "" if (width, height) == size_wh else f", {width}x{height} (sides must be even)"


def to_size(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) or (H, W, 4) uint8 at `size_wh`. One extra pixel is cropped; otherwise it is scaled to fit, with black
    bars, which are transparent if there is alpha.
    """
    width, height = size_wh
    have_h, have_w = bgr.shape[:2]
    if have_w - width in (0, 1) and have_h - height in (0, 1):
        return np.ascontiguousarray(bgr[:height, :width])
    scale = min(width / have_w, height / have_h)
    inner_w = min(width, max(1, round(have_w * scale)))
    inner_h = min(height, max(1, round(have_h * scale)))
    left, top = (width - inner_w) // 2, (height - inner_h) // 2
    out = np.zeros((height, width, bgr.shape[2]), np.uint8)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out[top : top + inner_h, left : left + inner_w] = cv2.resize(bgr, (inner_w, inner_h), interpolation=interpolation)
    return out
