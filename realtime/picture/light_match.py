"""Light match: adapts the person's exposure and colour temperature to the new background.

The light of the old room and of the new one is estimated by their mean colours. These also contain the colours of the
walls, so only brightness and the balance of red and blue are used, with small exponents and within limits.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

MAX_STRENGTH = 10.0
# The exponents of the ratios at full strength, and the limit of each gain.
EXPOSURE_POWER, EXPOSURE_LIMIT = 0.5, 1.5
BALANCE_POWER, BALANCE_LIMIT = 0.35, 1.25
# A smaller share of visible room is not enough for an estimate.
ENOUGH_SEEN = 0.02
LUMA = np.array([0.114, 0.587, 0.299])


def light_gains(
    seen_bgr: NDArray[np.uint8], alpha: Float, background_bgr: NDArray[np.uint8], *, strength: float
) -> Float:
    """Gains (3,) float32 for B, G and R of the person, whose mean luma for grey is the exposure's gain.

    seen_bgr, alpha: what the network saw, (h, w, 3), and its matte (h, w) in [0, 1]; background: any size, uint8 BGR.
    strength: 0 to 10.

    The exposure gain is (new luma / old luma) ^ power; the balance multiplies R/B by (new R/B / old R/B) ^ power.
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
    """A table for `cv2.LUT`, (256, 1, 3) uint8: level times gain, rounded, compressed near white, not clipped."""
    levels = np.arange(256)[:, None] * gains[None].astype(np.float64)
    # A gain above 1 would clip highlights: the curve x * g / (1 + (g - 1) * x) keeps 0 and 1.
    lit = levels / (1 + np.maximum(gains - 1, 0) * np.arange(256)[:, None] / 255)
    return np.rint(np.clip(lit, 0, 255)).astype(np.uint8)[:, None]


def _limited(ratio: float, power: float, limit: float) -> float:
    return float(np.clip(ratio**power, 1 / limit, limit))
