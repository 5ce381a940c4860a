"""Blur of the background alone: the person's colours do not leak into it, so that no halo shows around the person."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.foreground import fill

Float = NDArray[np.float32]

MIN_STRENGTH, DEFAULT_STRENGTH, MAX_STRENGTH = 1.0, 5.0, 10.0
# The blur's sigma at strength 1, as a share of the picture's shorter side: strength 5 is 18 pixels at 720 lines.
SIGMA_SHARE = 0.005
# The blur is done at a size at which its sigma is about this: less shows blocks when it is made larger again.
WORK_SIGMA = 2.5
# From an alpha of 1 / EDGE, a cell counts as the person's: a cell of the soft edge holds the person's colour too.
EDGE = np.float32(4)
NEAR = np.ones((3, 3), np.uint8)


def blur_background(
    seen_bgr: NDArray[np.uint8],
    alpha: Float,
    *,
    frame_wh: tuple[int, int],
    strength: float = DEFAULT_STRENGTH,
) -> NDArray[np.uint8]:
    """The blurred room, (H, W, 3) uint8 BGR for frames of (W, H) pixels; strength from 1 to 10.

    seen_bgr, alpha: what the network saw, (h, w, 3) uint8, and its matte (h, w) in [0, 1]: what a finer picture would
    add is blurred away. First the person is replaced by the colours around (`foreground.fill`, weight 1 - 4 alpha, at
    least 0, of the 3x3 cells around), then a Gaussian goes over it.
    """
    room = np.clip(1 - EDGE * cv2.dilate(alpha, NEAR), 0, 1, dtype=np.float32)
    height, width = alpha.shape
    sigma_px = strength * SIGMA_SHARE * min(frame_wh)
    # One cell of the work size in frame pixels; aspects differ, so width and height are each brought to it.
    cell_px = max(1.0, sigma_px / WORK_SIGMA)
    work_wh = tuple(max(1, min(old, round(new / cell_px))) for old, new in zip((width, height), frame_wh, strict=True))
    known = cv2.merge([*cv2.split(seen_bgr * room[..., None]), room])
    known = np.asarray(cv2.resize(known, work_wh, interpolation=cv2.INTER_AREA), np.float32)
    weight = known[..., 3]
    colours = known[..., :3] / np.maximum(weight, np.float32(1e-3))[..., None]
    levels = max(1, min(work_wh).bit_length() - 1)
    filled = fill(colours, weight, levels=levels)
    sigma_x, sigma_y = (sigma_px * work / full for work, full in zip(work_wh, frame_wh, strict=True))
    # `fill` has smoothed by a box of 3, whose variance is 2/3.
    sigma_x, sigma_y = (max(0.1, max(0.0, sigma**2 - 2 / 3) ** 0.5) for sigma in (sigma_x, sigma_y))
    smooth = cv2.GaussianBlur(filled, (0, 0), sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REPLICATE)
    small = np.rint(smooth).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, frame_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
