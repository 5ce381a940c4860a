"""Light wrap: the background's light spills a little over the person's edge, as if the person were there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.foreground import grid_of, to_grid

Float = NDArray[np.float32]

MAX_STRENGTH = 10.0
# How far the light reaches onto the person, as a share of the frame's shorter side (the sigma of a Gaussian).
REACH_SHARE = 0.012
# The share of the background's light at the edge, at full strength.
SHARE_AT_EDGE = 0.7


def light_wrap(
    alpha: Float,
    background_bgr: NDArray[np.uint8],
    *,
    strength: float,
) -> Float:
    """Light to add on the person, (rows, columns, 3) float32 BGR from 0 to 255, on `grid_of(frame, matte)`.

    alpha: the matte at network size, (h, w) in [0, 1].
    background_bgr: (H, W, 3) uint8 BGR at the frame's size.
    strength: 0 to 10.

    A cell's light is the blurred background, times the share of background around the cell, Gaussian(1 - alpha), which
    falls off towards the inside of the person.
    """
    height, width = background_bgr.shape[:2]
    grid = grid_of((width, height), (alpha.shape[1], alpha.shape[0]))
    sigma = max(0.5, REACH_SHARE * min(width, height) / grid.cell_px)
    outside = to_grid(1 - alpha, grid, frame_wh=(width, height))
    near = cv2.GaussianBlur(outside, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    # The last cells extend a little beyond the frame; the light is too smooth for that to show.
    light = cv2.resize(background_bgr, (grid.columns, grid.rows), interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), 2 * sigma, borderType=cv2.BORDER_REPLICATE)
    share = 2 * SHARE_AT_EDGE * strength / MAX_STRENGTH
    return np.asarray(light * (share * near)[..., None], np.float32)
