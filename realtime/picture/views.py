"""The pictures that `--view` shows instead of the composite: the matte, a cutout, or all layers at once."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# The checkerboard behind a cutout: its squares' side as a share of the frame's shorter side, and the two greys.
SQUARE_SHARE = 1 / 30
GREYS = (102, 153)


def gray_matte(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) float32 in [0, 1] to (H, W) uint8, rounded to nearest: 0 is background, 255 is person."""
    return np.rint(alpha * 255).astype(np.uint8)


def matte_view(alpha: NDArray[np.float32]) -> Picture:
    """The matte as a grey picture: (H, W, 3) uint8, the same in all three channels."""
    return np.asarray(cv2.cvtColor(gray_matte(alpha), cv2.COLOR_GRAY2BGR), np.uint8)


def checkerboard(size_wh: tuple[int, int]) -> Picture:
    """A checkerboard of two greys, which stands for transparency: (H, W, 3) uint8."""
    side = max(1, round(SQUARE_SHARE * min(size_wh)))
    columns, rows = (np.arange(length) // side % 2 for length in size_wh)
    odd = columns[None] ^ rows[:, None]
    greys = np.array(GREYS, np.uint8)[odd]
    return np.repeat(greys[..., None], 3, axis=2)


def four_in_one(pictures: Sequence[Picture]) -> Picture:
    """Four pictures of one size, (H, W, 3) uint8, arranged two by two at half their size; the result has their size."""
    height, width = pictures[0].shape[:2]
    out = np.zeros_like(pictures[0])
    columns, rows = (0, width // 2, width), (0, height // 2, height)
    for at, picture in enumerate(pictures):
        top, bottom = rows[at // 2 : at // 2 + 2]
        left, right = columns[at % 2 : at % 2 + 2]
        if bottom > top and right > left:
            size_wh = right - left, bottom - top
            out[top:bottom, left:right] = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
    return out
