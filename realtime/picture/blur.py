"""Blurs the background without the person, whose colours would otherwise show as a halo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native
from bgcam.realtime.picture.enlarge import enlarge
from bgcam.realtime.picture.foreground import LEAST, TINY, fill_weighted
from bgcam.realtime.picture.native.structures import BlurRules

Float = NDArray[np.float32]

MIN_STRENGTH, DEFAULT_STRENGTH, MAX_STRENGTH = 1.0, 5.0, 10.0
# The blur's sigma at strength 1, as a share of the picture's shorter side: strength 5 is 18 pixels at 720p.
SIGMA_SHARE = 0.005
# The blur is computed at a size at which its sigma is about this: with less, blocks show after enlarging.
WORK_SIGMA = 2.5
# A cell with alpha 1 / EDGE or more counts as the person: cells of the soft edge contain the person's colour too.
EDGE = np.float32(4)
NEAR = np.ones((3, 3), np.uint8)
# The Gaussian ends at this many sigmas, where OpenCV's for floats does.
GAUSSIAN_SIGMAS = 4


@dataclass(frozen=True)
class BlurPlan:
    """The sizes for one blur.

    work_wh: the size at which the blur is computed.
    holes_wh: the size at which holes are filled.
    levels: how many levels of filling.
    sigmas: of the Gaussian in cells of work_wh, horizontal and vertical.
    """

    work_wh: tuple[int, int]
    holes_wh: tuple[int, int]
    levels: int
    sigmas: tuple[float, float]


def plan_blur(frame_wh: tuple[int, int], network_wh: tuple[int, int], *, strength: float) -> BlurPlan:
    """The sizes for frames of (W, H) pixels and a network input of (w, h). strength: 1 to 10."""
    sigma_px = strength * SIGMA_SHARE * min(frame_wh)
    # The side of a work cell in frame pixels. The aspects may differ, so width and height are computed separately.
    cell_px = max(1.0, sigma_px / WORK_SIGMA)
    work_wh = _shrunk(network_wh, (frame_wh[0] / cell_px, frame_wh[1] / cell_px))
    holes_wh = _shrunk(work_wh, (work_wh[0] / 2, work_wh[1] / 2))
    across, down = (max(0.1, sigma_px * work / full) for work, full in zip(work_wh, frame_wh, strict=True))
    return BlurPlan(work_wh, holes_wh, max(1, min(holes_wh).bit_length() - 1), (across, down))


def blur_background(
    seen_bgr: NDArray[np.uint8],
    alpha: Float,
    *,
    frame_wh: tuple[int, int],
    strength: float = DEFAULT_STRENGTH,
) -> NDArray[np.uint8]:
    """The blurred room, (H, W, 3) uint8 BGR, for frames of (W, H) pixels: `blur_small`, enlarged bilinearly."""
    return enlarge(blur_small(seen_bgr, alpha, frame_wh=frame_wh, strength=strength), frame_wh)


def blur_small(
    seen_bgr: NDArray[np.uint8],
    alpha: Float,
    *,
    frame_wh: tuple[int, int],
    strength: float = DEFAULT_STRENGTH,
) -> NDArray[np.uint8]:
    """The blurred room at the size at which it is computed, (h, w, 3) uint8 BGR. strength: 1 to 10.

    seen_bgr, alpha: what the network saw, (h, w, 3) uint8, and its matte (h, w) in [0, 1]. A finer picture would add
        only details that the blur removes.

    The person is first replaced by the surrounding colours (`foreground.fill`, weighted by 1 - 4 alpha of the 3x3 cells
    around, at least 0), then a Gaussian blur is applied.
    """
    if native.LIBRARY is not None:
        rules, *gaussians = _rules(frame_wh, (alpha.shape[1], alpha.shape[0]), strength)
        return native.blur(seen_bgr, alpha, (gaussians[0], gaussians[1]), rules=rules)
    room = np.clip(1 - EDGE * cv2.dilate(alpha, NEAR), 0, 1, dtype=np.float32)
    plan = plan_blur(frame_wh, (alpha.shape[1], alpha.shape[0]), strength=strength)
    work_wh, holes_wh = plan.work_wh, plan.holes_wh
    # The person becomes black before resizing, or the edges would mix.
    seen = cv2.multiply(seen_bgr, cv2.merge([room] * 3), dtype=cv2.CV_32F)
    seen, room = (cv2.resize(one, work_wh, interpolation=cv2.INTER_AREA) for one in (seen, room))
    known = [cv2.resize(one, holes_wh, interpolation=cv2.INTER_AREA) for one in (*cv2.split(seen), room)]
    filled = fill_weighted(np.asarray(cv2.merge(known), np.float32), levels=plan.levels)
    wide = cv2.resize(filled, work_wh, interpolation=cv2.INTER_LINEAR)
    whole = seen + cv2.multiply(wide, cv2.merge([1 - room] * 3))
    across, down = plan.sigmas
    smooth = cv2.GaussianBlur(whole, (0, 0), across, sigmaY=down, borderType=cv2.BORDER_REPLICATE)
    return np.rint(smooth).clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=16)
def _rules(frame_wh: tuple[int, int], network_wh: tuple[int, int], strength: float) -> tuple[BlurRules, Float, Float]:
    """What the compiled code needs besides pictures: the plan, and its Gaussians across and down."""
    plan = plan_blur(frame_wh, network_wh, strength=strength)
    across, down = (_gaussian(sigma) for sigma in plan.sigmas)
    sizes = *plan.work_wh, *plan.holes_wh, plan.levels, len(across) // 2, len(down) // 2
    return BlurRules(*sizes, float(EDGE), float(LEAST), float(TINY)), across, down


def _gaussian(sigma: float) -> Float:
    """As `cv2.GaussianBlur` makes it for floats: an odd number of values whose sum is 1."""
    side = round(2 * GAUSSIAN_SIGMAS * sigma + 1) | 1
    return np.ascontiguousarray(cv2.getGaussianKernel(side, sigma, cv2.CV_32F).ravel(), np.float32)


def _shrunk(size_wh: tuple[int, int], wanted_wh: tuple[float, float]) -> tuple[int, int]:
    """The wanted size in whole cells, at least 1 and at most `size_wh`."""
    width, height = (max(1, min(old, round(new))) for old, new in zip(size_wh, wanted_wh, strict=True))
    return width, height
