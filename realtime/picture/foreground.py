"""Foreground colours: what the person would look like alone, without the room's colour in the soft edge.

Marco Forte and Francois Pitie, "Approximate Fast Foreground Colour Estimation", ICIP 2021: blur fusion, two passes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Box sizes in pixels of the paper's two passes: the first carries colours far, the second keeps details.
PASSES_PX = (90, 6)
TINY = np.float32(1e-5)


def estimate_foreground(frame_bgr: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR and alpha (H, W) in [0, 1] to the foreground's colours, (H, W, 3) uint8 BGR.

    Where alpha is 1 they are the frame's, exactly. Where alpha is 0 they are a guess from what is near.
    """
    frame = frame_bgr.astype(np.float32) / np.float32(255)
    foreground = background = frame
    weight = alpha.astype(np.float32)[..., None]
    for size_px in PASSES_PX:
        foreground, background = _blur_fusion(frame, foreground, background, weight, size_px)
    return np.asarray(np.rint(foreground * 255), np.uint8)


def _blur_fusion(
    frame: NDArray[np.float32],
    foreground: NDArray[np.float32],
    background: NDArray[np.float32],
    alpha: NDArray[np.float32],
    size_px: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One pass on (H, W, 3) float32 in [0, 1], alpha (H, W, 1): a better foreground, and the smooth background."""
    seen = _box(alpha, size_px)
    smooth_foreground = _box(foreground * alpha, size_px) / (seen + TINY)
    smooth_background = _box(background * (1 - alpha), size_px) / (1 - seen + TINY)
    # What alpha * F + (1 - alpha) * B leaves unexplained of the frame is the foreground's, in proportion to alpha.
    unexplained = frame - alpha * smooth_foreground - (1 - alpha) * smooth_background
    return (smooth_foreground + alpha * unexplained).clip(0, 1), smooth_background


def _box(picture: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    """The mean over a square, for (H, W, 1) or (H, W, 3)."""
    return np.asarray(cv2.blur(picture, (size_px, size_px)), np.float32).reshape(picture.shape)
