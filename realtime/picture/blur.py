"""Blur of the background alone: the person's colours do not leak into it, so that no halo shows around the person."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.blend import blend

MIN_STRENGTH, DEFAULT_STRENGTH, MAX_STRENGTH = 1.0, 5.0, 10.0
# The blur's sigma at strength 1, as a share of the picture's shorter side: strength 5 is 18 pixels at 720 lines.
SIGMA_SHARE = 0.005
# The blur runs at about this many lines: it removes what a finer picture would show anyway.
WORK_LINES = 180
# From an alpha of 1 / EDGE, a pixel counts as the person's.
EDGE = np.float32(4)
# A place where less than this of the room shows tells nothing of it.
CLEARLY_SEEN = 0.25
# How much of the background must be seen nearby to count: below it, the wider blur's colour takes over.
ENOUGH_SEEN = 0.02


def blur_background(
    frame_bgr: NDArray[np.uint8], alpha: NDArray[np.float32], *, strength: float = DEFAULT_STRENGTH
) -> NDArray[np.uint8]:
    """The blurred room, (H, W, 3) uint8 BGR of the frame's size; alpha is (H, W) in [0, 1], strength from 1 to 10.

    A normalised convolution: blur(frame * room) / blur(room), where room is 1 - 4 * alpha, at least 0. Where hardly any
    room is near (behind the middle of the person), the colour comes from ever wider surroundings.
    """
    height, width = alpha.shape
    scale = min(1.0, WORK_LINES / min(height, width))
    small_wh = max(1, round(width * scale)), max(1, round(height * scale))
    # A pixel of the soft edge holds the person's colour too, so it counts for less than its share of the room.
    room = np.clip(1 - EDGE * alpha, 0, 1, dtype=np.float32)
    # The person goes black at full size: had the frame been made smaller first, edges would mix both colours.
    colour = _shrink(blend(frame_bgr, np.zeros_like(frame_bgr), room), small_wh).astype(np.float32)
    seen = _shrink(room, small_wh)
    # Where the room is hardly seen, its colour is mostly rounding.
    clear = (seen >= CLEARLY_SEEN).astype(np.float32)
    colour, seen = colour * clear[..., None], seen * clear
    sigma = max(0.5, strength * SIGMA_SHARE * min(small_wh))
    colour, seen = _gaussian(colour, sigma), _gaussian(seen, sigma)
    filled = np.rint(_fill(colour, seen)).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _fill(colour: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """colour / seen, (h, w, 3) by (h, w); where `seen` is small, from the picture at half the size, and so on."""
    height, width = seen.shape
    if min(height, width) < 4:
        total = float(seen.sum())
        wide = colour.sum(axis=(0, 1), dtype=np.float32) / total if total > 1e-6 else np.zeros(3, np.float32)
    else:
        half_wh = (width + 1) // 2, (height + 1) // 2
        coarse = _fill(_shrink(colour, half_wh), _shrink(seen, half_wh))
        wide = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    filled: NDArray[np.float32] = (colour + ENOUGH_SEEN * wide) / (seen + ENOUGH_SEEN)[..., None]
    return filled


def _shrink(picture: NDArray[Any], size_wh: tuple[int, int]) -> NDArray[Any]:
    return cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)


def _gaussian(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
