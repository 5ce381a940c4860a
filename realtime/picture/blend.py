"""The paper's formula: `out = frame * alpha + background * (1 - alpha)`.

`blend_reference` says it plainly; `blend` is what runs, and a test holds it within one grey level of the reference.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def blend_reference(
    frame: NDArray[np.uint8], background: NDArray[np.uint8], alpha: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 twice and alpha (H, W) in [0, 1] to (H, W, 3) uint8, rounded to nearest."""
    weight = alpha.astype(np.float64)[..., None]
    return np.rint(frame * weight + background * (1 - weight)).astype(np.uint8)


def blend(frame: NDArray[np.uint8], background: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """As `blend_reference`, within one grey level, and exact where alpha is 0 or 1. Makes a new array.

    Of five ways tried at 1280x720, OpenCV's `blendLinear` was the quickest: 4 ms on two cores, against 10 ms for 16-bit
    fixed point and 6 ms for OpenCV's float arithmetic. It divides by the weights' sum, which is 1 here.
    """
    if frame.shape != background.shape or alpha.shape != frame.shape[:2]:
        raise ValueError(f"sizes differ: frame {frame.shape}, background {background.shape}, alpha {alpha.shape}")
    return np.asarray(cv2.blendLinear(frame, background, alpha, 1 - alpha), np.uint8)
