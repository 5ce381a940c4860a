"""A photo that differs from its mirror image, and a teacher that knows its matte."""

from __future__ import annotations

import numpy as np


def matte_of(alpha: np.ndarray):
    return lambda rgb: np.asarray(alpha, np.float32) if rgb[0, 0, 0] == 0 else np.asarray(alpha[:, ::-1], np.float32)


def photo(height: int, width: int) -> np.ndarray:
    """Its left upper corner is dark, its mirror image's is not."""
    rgb = np.full((height, width, 3), 120, np.uint8)
    rgb[0, 0] = 0
    return rgb
