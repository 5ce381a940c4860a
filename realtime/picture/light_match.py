"""A match of exposure and colour temperature: the person is lit a little as the new background is.

How the old room is lit is told by its mean colour, how the new one by the background's. Half a wall's paint is in these
means too, so only brightness and the balance of red against blue count, with small powers and within limits.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

MAX_STRENGTH = 10.0
# Powers of the ratios at full strength, and the furthest that each gain may go.
EXPOSURE_POWER, EXPOSURE_LIMIT = 0.5, 1.5
BALANCE_POWER, BALANCE_LIMIT = 0.35, 1.25
# Less visible room than this share is not enough for a measurement.
ENOUGH_SEEN = 0.02
LUMA = np.array([0.114, 0.587, 0.299])


def light_gains(
    seen_bgr: NDArray[np.uint8], alpha: Float, background_bgr: NDArray[np.uint8], *, strength: float
) -> Float:
    """Gains (3,) float32 for B, G and R of the person, whose mean luma for grey is the exposure's gain.

    seen_bgr, alpha: what the network saw, (h, w, 3), and its matte (h, w) in [0, 1]; background: any size, uint8 BGR.
    strength: 0 to 10. Exposure: (new luma / old luma) ^ power; balance: red and blue move apart by (R/B new / old).
    """
    room = np.clip(1 - 4 * alpha, 0, 1)
    if float(room.mean()) < ENOUGH_SEEN or strength <= 0:
        return np.ones(3, np.float32)
    share = strength / MAX_STRENGTH
    old = np.array(cv2.mean(seen_bgr * room[..., None])[:3]) / float(room.mean()) + 8
    new = np.array(cv2.mean(background_bgr)[:3]) + 8
    exposure = _limited(float(new @ LUMA) / float(old @ LUMA), EXPOSURE_POWER * share, EXPOSURE_LIMIT)
    balance = _limited((new[2] / new[0]) / (old[2] / old[0]), BALANCE_POWER * share, BALANCE_LIMIT)
    gains = np.array([balance**-0.5, 1.0, balance**0.5])
    return (gains * exposure / float(gains @ LUMA)).astype(np.float32)


def light_table(gains: Float) -> NDArray[np.uint8]:
    """A table for `cv2.LUT`, (256, 1, 3) uint8: level times gain, rounded, bent below white instead of cut off."""
    levels = np.arange(256)[:, None] * gains[None].astype(np.float64)
    # Above 1, a gain would clip what is bright: the curve x * g / (1 + (g - 1) * x) keeps 0 and 1.
    lit = levels / (1 + np.maximum(gains - 1, 0) * np.arange(256)[:, None] / 255)
    return np.rint(np.clip(lit, 0, 255)).astype(np.uint8)[:, None]


def _limited(ratio: float, power: float, limit: float) -> float:
    return float(np.clip(ratio**power, 1 / limit, limit))
