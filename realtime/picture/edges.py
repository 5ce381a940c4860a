"""Moves the person's edge a little in (shrink) or out (grow), or makes it steeper (sharp)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

MAX_STEPS = 5
# One step moves the edge by this share of the matte's shorter side: half a cell of 192, 2 pixels of 720.
STEP_SHARE = 0.0026
# One step of `sharp` makes the edge this much steeper.
STEEPER = 1.35
CROSS = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.uint8)


def move_edge(alpha: Float, *, steps: float) -> Float:
    """Alpha (h, w) float32 in [0, 1] with its edge moved out by `steps`, or in if below 0.

    Each whole cell is an erosion or dilation by a 3x3 cross; a remaining fraction mixes the results with and without
    it.
    """
    change = cv2.dilate if steps > 0 else cv2.erode
    left = abs(steps) * STEP_SHARE * min(alpha.shape)
    moved = alpha
    while left > 0:
        share = min(left, 1.0)
        moved = np.asarray(cv2.addWeighted(moved, 1 - share, change(moved, CROSS), share, 0), np.float32)
        left -= 1
    return moved


def sharpen_edge(alpha: Float, *, steps: float) -> Float:
    """Alpha (h, w) float32 in [0, 1], made steeper around one half. 0 steps leave it unchanged."""
    steepness = np.float32(STEEPER**steps)
    return np.asarray(np.clip((alpha - np.float32(0.5)) * steepness + np.float32(0.5), 0, 1), np.float32)
