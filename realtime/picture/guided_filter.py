"""Guided upsampling: a network-size matte to the frame's size, so that its edge follows the picture's.

Kaiming He and Jian Sun, "Fast Guided Filter", arXiv 1505.00996 (2015): near each pixel of the small matte p, alpha is
taken to be a line of luma, gain * luma + offset; the lines are found at network size and laid over the full-size luma.
With one change. The paper's offset is mean(p) - gain * mean(luma), which gives back p smoothed wherever luma does not
explain it; measured here, that was worse than plain bilinear. The offset p - gain * luma keeps p as it is, and adds
only what luma shows beyond the network's resolution:

    alpha = bilinear(p) + bilinear(gain) * luma - bilinear(gain * small_luma)

Exactly, with p (h, w) in [0, 1], Y the frame's luma (H, W) and y the luma of the network's input (h, w), both uint8:

1. luma: 0.114 B + 0.587 G + 0.299 R, rounded to nearest uint8 (`cv2.COLOR_BGR2GRAY`); below, divided by 255.
2. mean(x): over the (2 * RADIUS + 1) squared window at network size, border cells repeated (BORDER_REPLICATE).
3. gain = (mean(y p) - mean(y) mean(p)) / (mean(y y) - mean(y)^2 + EPS). No averaging of gains over windows.
4. gain *= min(1, (largest p - smallest p) / SPAN) over the window: what is hardly an edge is left alone. And gain = 0
   in cells whose window holds no p above LOW, or none below HIGH: there alpha is to be 0 or 1, whatever Y is.
5. The contrast step goes into the line: gain' = gain / (HIGH - LOW), offset' = (p - gain * y - LOW) / (HIGH - LOW).
6. alpha = clip(up(gain') * Y + up(offset'), 0, 1), up being bilinear with half-pixel centres and repeated borders:
   full-size pixel x lies at (x + 0.5) * w / W - 0.5 (cv2.INTER_LINEAR), the same for y.

By 4 to 6 alpha is exactly 0 where the four cells around a pixel and their windows lie below LOW by a thousandth, and
exactly 1 where they lie above HIGH by as much: a sigmoid's last digits neither show the room nor thin the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte, Matte
from bgcam.realtime.picture import native
from bgcam.realtime.picture.buffers import Buffers, Place

RADIUS = 1
# In units of luma in [0, 1], squared: a contrast of 25 grey levels counts half. At a tenth of it the edges boil with a
# camera's noise (3 levels), and are no nearer to truth.
EPS = 1e-2
SPAN = 0.4
# What the network calls less than LOW is background, and more than HIGH is the person. Its edges are wider than true
# ones, and lie outside of them: benchmarks/RESULTS.md compares other values.
LOW, HIGH = 0.125, 0.96

Float = NDArray[np.float32]


def upsample_reference(small: Float, small_luma: NDArray[np.uint8], luma: NDArray[np.uint8]) -> Float:
    """Plain NumPy in float64: p (h, w) float32 in [0, 1] and two lumas, (h, w) and (H, W) uint8, to alpha (H, W)."""
    p, y = small.astype(np.float64), small_luma / 255
    covariance = _mean_reference(y * p) - _mean_reference(y) * _mean_reference(p)
    gain = covariance / (_mean_reference(y * y) - _mean_reference(y) ** 2 + EPS)
    windows = _windows(p)
    least, most = windows.min(axis=0), windows.max(axis=0)
    gain *= np.minimum(1, (most - least) / SPAN)
    gain[(most <= LOW) | (least >= HIGH)] = 0
    offset = p - gain * y - LOW
    rows, columns = (_bilinear_weights(new, old) for new, old in zip(luma.shape, p.shape, strict=True))
    alpha = (rows @ gain @ columns.T * (luma / 255) + rows @ offset @ columns.T) / (HIGH - LOW)
    return np.clip(alpha, 0, 1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """What is laid over the luma, at network size: gain' per grey level (so divided by 255), offset', float32 (h, w).

    unsure: bool (h, w), where step 4 leaves the gain. A pixel none of whose four cells is unsure has alpha 0 or 1.
    """

    gain: Float
    offset: Float
    unsure: NDArray[np.bool_]


def guided_coefficients(small: Float, small_luma: NDArray[np.uint8]) -> Coefficients:
    """Steps 2 to 5: p (h, w) float32 in [0, 1] and the luma of what the network saw, (h, w) uint8."""
    if small.shape != small_luma.shape or small.ndim != 2 or small.dtype != np.float32 or small_luma.dtype != np.uint8:
        raise ValueError(f"a small matte {small.shape} {small.dtype} does not match luma {small_luma.shape}")
    if native.LIBRARY is not None and RADIUS == 1:
        return Coefficients(*native.guided_coefficients(small, small_luma, rules=(EPS, SPAN, LOW, HIGH)))
    y = small_luma.astype(np.float32) * np.float32(1 / 255)
    mean_y, mean_p = _mean(y), _mean(small)
    covariance, variance = _mean(y * small) - mean_y * mean_p, _mean(y * y) - mean_y * mean_y
    gain: Float = np.divide(covariance, variance + np.float32(EPS), dtype=np.float32)
    window = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
    most, least = cv2.dilate(small, window), cv2.erode(small, window)
    unsure = (most > LOW) & (least < HIGH)
    gain *= np.minimum((most - least) * np.float32(1 / SPAN), np.float32(1)) * unsure
    offset: Float = (small - gain * y - np.float32(LOW)) / np.float32(HIGH - LOW)
    gain /= np.float32(255 * (HIGH - LOW))
    return Coefficients(gain, offset, unsure)


def bilinear_coefficients(small: Float) -> Coefficients:
    """As `guided_coefficients` without a picture: p resized, and the contrast step. For comparison."""
    window = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
    unsure = (cv2.dilate(small, window) > LOW) & (cv2.erode(small, window) < HIGH)
    offset: Float = (small - np.float32(LOW)) / np.float32(HIGH - LOW)
    return Coefficients(np.zeros_like(small), offset, unsure)


def apply_coefficients(
    lines: Coefficients,
    frame_bgr: NDArray[np.uint8],
    *,
    places: Sequence[Place] | None = None,
    buffers: Buffers | None = None,
) -> Float:
    """Step 6: alpha (H, W) for a frame (H, W, 3) uint8 BGR; sizes and aspects need not be related.

    places: the rectangles in which alpha is wanted; outside of them it holds nothing of use. None: everywhere.
    With buffers, what comes back is one of them, and holds until the next call; without, it is a new array.
    """
    buffers = buffers or Buffers()
    shape, size_wh = frame_bgr.shape[:2], frame_bgr.shape[1::-1]
    alpha = buffers.get("guided alpha", shape, np.float32)
    offset = buffers.get("guided offset", shape, np.float32)
    cv2.resize(lines.gain, size_wh, dst=alpha, interpolation=cv2.INTER_LINEAR)
    cv2.resize(lines.offset, size_wh, dst=offset, interpolation=cv2.INTER_LINEAR)
    for place in [(slice(None), slice(None))] if places is None else places:
        part = alpha[place]
        cv2.multiply(luma_of(frame_bgr[place]), part, dst=part, dtype=cv2.CV_32F)
        cv2.add(part, offset[place], dst=part)
        np.clip(part, 0, 1, out=part)
    return alpha


def upsample(small: Float, seen_bgr: NDArray[np.uint8], frame_bgr: NDArray[np.uint8]) -> Float:
    """As `upsample_reference`, within 1e-3: both halves of the way at once, into a new array."""
    return apply_coefficients(guided_coefficients(small, luma_of(seen_bgr)), frame_bgr)


def whole_matte(frame: CameraFrame, coarse: CoarseMatte) -> Matte:
    """The matte of one frame at its size, without a thought of the frames before. ValueError for another's matte."""
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
