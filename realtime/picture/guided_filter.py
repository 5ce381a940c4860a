"""Guided upsampling: a network-size matte to the frame's size, so that its edge follows the picture's.

Kaiming He and Jian Sun, "Fast Guided Filter", arXiv 1505.00996 (2015): near each pixel of the small matte p, alpha is a
linear function of luma, a * luma + b. The coefficients a and b are computed at network size and applied to the
full-size luma. There is one change. The paper's b is mean(p) - a * mean(luma), which returns p smoothed wherever luma
does not explain it; measured here, that was worse than plain bilinear. With b = p - a * luma, p stays as it is, and
only what luma shows beyond the network's resolution is added:

    alpha = bilinear(p) + bilinear(a) * luma - bilinear(a * small_luma)

Exactly, with p (h, w) in [0, 1], Y the frame's luma (H, W) and y the luma of the network's input (h, w), both uint8:

1. luma: 0.114 B + 0.587 G + 0.299 R, rounded to nearest uint8 (`cv2.COLOR_BGR2GRAY`); below, divided by 255.
2. mean(x): over the (2 * RADIUS + 1) squared window at network size, border cells repeated (BORDER_REPLICATE).
3. a = (mean(y p) - mean(y) mean(p)) / (mean(y y) - mean(y)^2 + EPS). The coefficients are not averaged over windows.
4. a *= min(1, (largest p - smallest p) / SPAN) over the window: a faint edge is changed less. And a = 0
   in cells whose window holds no p above LOW, or none below HIGH: there alpha is to be 0 or 1, whatever Y is.
5. The contrast step is part of the coefficients: a' = a / (HIGH - LOW), b' = (p - a * y - LOW) / (HIGH - LOW).
6. alpha = clip(up(a') * Y + up(b'), 0, 1), where up is bilinear with half-pixel centres and repeated borders:
   full-size pixel x lies at (x + 0.5) * w / W - 0.5 (cv2.INTER_LINEAR), the same for y.

Because of steps 4 to 6, alpha is exactly 0 where the four cells around a pixel and their windows lie below LOW by a
thousandth, and exactly 1 where they lie above HIGH by as much: the last digits of a sigmoid neither show the room nor
make the person transparent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte, Matte
from bgcam.realtime.picture import native
from bgcam.realtime.picture.buffers import Buffers, Region

RADIUS = 1
# In units of luma in [0, 1], squared: a contrast of 25 grey levels counts half. At a tenth of it the edges flicker with
# a camera's noise (3 levels), and are no more accurate.
EPS = 1e-2
SPAN = 0.4
# Below LOW, the network's alpha counts as background, and above HIGH as the person. Its edges are wider than the true
# ones and lie outside them: benchmarks/RESULTS.md compares other values.
LOW, HIGH = 0.125, 0.96

Float = NDArray[np.float32]


def upsample_reference(small: Float, small_luma: NDArray[np.uint8], luma: NDArray[np.uint8]) -> Float:
    """Plain NumPy in float64: p (h, w) float32 in [0, 1] and two lumas, (h, w) and (H, W) uint8, to alpha (H, W)."""
    p, y = small.astype(np.float64), small_luma / 255
    covariance = _mean_reference(y * p) - _mean_reference(y) * _mean_reference(p)
    a = covariance / (_mean_reference(y * y) - _mean_reference(y) ** 2 + EPS)
    windows = _windows(p)
    least, most = windows.min(axis=0), windows.max(axis=0)
    a *= np.minimum(1, (most - least) / SPAN)
    a[(most <= LOW) | (least >= HIGH)] = 0
    b = p - a * y - LOW
    rows, columns = (_bilinear_weights(new, old) for new, old in zip(luma.shape, p.shape, strict=True))
    alpha = (rows @ a @ columns.T * (luma / 255) + rows @ b @ columns.T) / (HIGH - LOW)
    return np.clip(alpha, 0, 1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """The coefficients of luma at network size, (h, w).

    a: a' of step 5 for luma in grey levels, so divided by 255; float32.
    b: b' of step 5; float32.
    unsure: bool, where step 4 does not set a to 0. A pixel none of whose four cells is unsure has alpha 0 or 1.
    """

    a: Float
    b: Float
    unsure: NDArray[np.bool_]


def guided_coefficients(small: Float, small_luma: NDArray[np.uint8]) -> Coefficients:
    """Steps 2 to 5: p (h, w) float32 in [0, 1] and the luma of what the network saw, (h, w) uint8."""
    if small.shape != small_luma.shape or small.ndim != 2 or small.dtype != np.float32 or small_luma.dtype != np.uint8:
        raise ValueError(f"a small matte {small.shape} {small.dtype} does not match luma {small_luma.shape}")
    if native.LIBRARY is not None and RADIUS == 1:
        rules = native.GuidedRules(eps=EPS, span=SPAN, low=LOW, high=HIGH)
        return Coefficients(*native.guided_filter(small, small_luma, rules=rules))
    y = small_luma.astype(np.float32) * np.float32(1 / 255)
    mean_y, mean_p = _mean(y), _mean(small)
    covariance, variance = _mean(y * small) - mean_y * mean_p, _mean(y * y) - mean_y * mean_y
    a: Float = np.divide(covariance, variance + np.float32(EPS), dtype=np.float32)
    window = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
    most, least = cv2.dilate(small, window), cv2.erode(small, window)
    unsure = (most > LOW) & (least < HIGH)
    a *= np.minimum((most - least) * np.float32(1 / SPAN), np.float32(1)) * unsure
    b: Float = (small - a * y - np.float32(LOW)) / np.float32(HIGH - LOW)
    a /= np.float32(255 * (HIGH - LOW))
    return Coefficients(a, b, unsure)


def bilinear_coefficients(small: Float) -> Coefficients:
    """As `guided_coefficients` without the luma: p is resized, with the contrast step. For comparisons."""
    window = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
    unsure = (cv2.dilate(small, window) > LOW) & (cv2.erode(small, window) < HIGH)
    b: Float = (small - np.float32(LOW)) / np.float32(HIGH - LOW)
    return Coefficients(np.zeros_like(small), b, unsure)


def apply_coefficients(
    coefficients: Coefficients,
    frame_bgr: NDArray[np.uint8],
    *,
    regions: Sequence[Region] | None = None,
    buffers: Buffers | None = None,
) -> Float:
    """Step 6: alpha (H, W) for a frame (H, W, 3) uint8 BGR; sizes and aspects need not be related.

    regions: where alpha is computed; elsewhere it is undefined. None: everywhere.
    With buffers, the result is one of them, which the next call overwrites; without, it is a new array.
    """
    buffers = buffers or Buffers()
    shape, size_wh = frame_bgr.shape[:2], frame_bgr.shape[1::-1]
    alpha = buffers.get("guided alpha", shape, np.float32)
    b = buffers.get("guided b", shape, np.float32)
    cv2.resize(coefficients.a, size_wh, dst=alpha, interpolation=cv2.INTER_LINEAR)
    cv2.resize(coefficients.b, size_wh, dst=b, interpolation=cv2.INTER_LINEAR)
    for region in [(slice(None), slice(None))] if regions is None else regions:
        part = alpha[region]
        cv2.multiply(luma_of(frame_bgr[region]), part, dst=part, dtype=cv2.CV_32F)
        cv2.add(part, b[region], dst=part)
        np.clip(part, 0, 1, out=part)
    return alpha


def upsample(small: Float, seen_bgr: NDArray[np.uint8], frame_bgr: NDArray[np.uint8]) -> Float:
    """As `upsample_reference`, within 1e-3: both steps at once, into a new array."""
    return apply_coefficients(guided_coefficients(small, luma_of(seen_bgr)), frame_bgr)


def whole_matte(frame: CameraFrame, coarse: CoarseMatte) -> Matte:
    """The matte of one frame at its size, independent of earlier frames. ValueError for another frame's matte."""
    if frame.number != coarse.number:
        raise ValueError(f"{frame} cannot take {coarse}: it belongs to another frame")
    return Matte(frame.number, upsample(coarse.alpha, coarse.seen_bgr, frame.room_bgr))


def luma_of(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR to (H, W) uint8: 0.114 B + 0.587 G + 0.299 R, rounded."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def _mean(values: Float) -> Float:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)


def _windows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(h, w) to (window, h, w): each cell's neighbours, border cells repeated."""
    side = 2 * RADIUS + 1
    padded = np.pad(values, RADIUS, mode="edge")
    height, width = values.shape
    return np.stack([padded[i : i + height, j : j + width] for i in range(side) for j in range(side)])


def _mean_reference(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = _windows(values).mean(axis=0)
    return mean


def _bilinear_weights(new: int, old: int) -> NDArray[np.float64]:
    """(new, old): row x holds the weights of the old cells in new pixel x."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(at.astype(int), max(0, old - 2))
    weights = np.zeros((new, old))
    weights[np.arange(new), left] = 1 - (at - left)
    weights[np.arange(new), np.minimum(left + 1, old - 1)] += at - left
    return weights
