"""How good a matte is: figures on alpha (H, W) float32 in [0, 1] against truth of the same shape, range and type.

| name    | unit           | best | what it says                                                                      |
|---------|----------------|------|-----------------------------------------------------------------------------------|
| iou     | %              | 100  | the person's intersection over union at threshold 0.5                             |
| miou    | %              | 100  | mean of the person's and the background's                                         |
| dice    |                | 1    | soft dice as in the seed paper, no threshold                                      |
| l1      |                | 0    | mean absolute difference                                                          |
| mad     | 1e-3           | 0    | the same, times 1000                                                              |
| mse     | 1e-3           | 0    | mean squared difference, times 1000                                               |
| sad     | thousands      | 0    | sum of absolute differences (grows with the picture)                              |
| grad    | thousands      | 0    | gradient error, Rhemann et al., CVPR 2009: soft edges such as hair                |
| conn    | thousands      | 0    | connectivity error, same paper: islands and holes                                 |
| dtssd   | 1e-2           | 0    | video: difference in how alpha changes over time, Erofeev et al., BMVC 2015       |
| flicker | 1e-3           | 0    | video without truth: how much alpha moves where the camera's picture is still     |

Scales are those that papers print. NumPy alone at import; OpenCV inside `grad`, `conn` and `flicker`; never torch.
ValueError for arrays that do not fit the contract (shape, type, range, NaN).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Alpha = NDArray[np.float32]

PERSON_THRESHOLD = 0.5
GRAD_SIGMA_PX = 1.4
CONN_STEPS = 10
CONN_TOLERANCE = 0.15
STILL_GRAY_LEVELS = 2


def check_pair(alpha: Alpha, truth: Alpha) -> None:
    """Raise ValueError unless both are (H, W) float32 in [0, 1], of one shape and not empty."""
    for name, array in (("alpha", alpha), ("truth", truth)):
        if array.dtype != np.float32 or array.ndim != 2 or not array.size:
            raise ValueError(f"{name} must be (H, W) float32, found {array.shape} {array.dtype}")
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # written so that NaN is refused too
            raise ValueError(f"{name} must be in [0, 1], found {low:g} to {high:g}")
    if alpha.shape != truth.shape:
        raise ValueError(f"alpha and truth must have the same shape, found {alpha.shape} and {truth.shape}")


def l1(alpha: Alpha, truth: Alpha) -> float:
    """Mean of |alpha - truth|."""
    check_pair(alpha, truth)
    return float(np.mean(np.abs(alpha - truth), dtype=np.float64))


def soft_dice(alpha: Alpha, truth: Alpha) -> float:
    """2 sum(yt yp) / (sum(yt^2) + sum(yp^2)); two empty mattes agree: 1."""
    check_pair(alpha, truth)
    size = _sum(alpha * alpha) + _sum(truth * truth)
    return 2 * _sum(alpha * truth) / size if size else 1.0


def iou(alpha: Alpha, truth: Alpha) -> float:
    """The person's intersection over union at alpha > 0.5, in percent; nobody in either: 100."""
    check_pair(alpha, truth)
    return _overlap_percent(alpha > PERSON_THRESHOLD, truth > PERSON_THRESHOLD)


def miou(alpha: Alpha, truth: Alpha) -> float:
    """Mean of the person's and the background's intersection over union, in percent."""
    check_pair(alpha, truth)
    background = _overlap_percent(alpha <= PERSON_THRESHOLD, truth <= PERSON_THRESHOLD)
    return (iou(alpha, truth) + background) / 2


def mad(alpha: Alpha, truth: Alpha) -> float:
    """Mean absolute difference times 1000."""
    return 1e3 * l1(alpha, truth)


def mse(alpha: Alpha, truth: Alpha) -> float:
    """Mean squared difference times 1000."""
    check_pair(alpha, truth)
    return 1e3 * float(np.mean(np.square(alpha - truth), dtype=np.float64))


def sad(alpha: Alpha, truth: Alpha) -> float:
    """Sum of absolute differences divided by 1000."""
    return l1(alpha, truth) * alpha.size / 1e3


def grad(alpha: Alpha, truth: Alpha) -> float:
    """Sum of (|grad alpha| - |grad truth|)^2 divided by 1000, gradients by Gaussian derivatives of sigma 1.4 px.

    As in the authors' code and those after it: kernels 9 px wide and of unit L2 norm, border pixels repeated.
    """
    check_pair(alpha, truth)
    return _sum(np.square(_gradient_size(alpha) - _gradient_size(truth))) / 1e3


def conn(alpha: Alpha, truth: Alpha) -> float:
    """Sum of |phi(alpha) - phi(truth)| divided by 1000: how far pixels hang off the matte's main body.

    phi(a) = 1 - d [d >= 0.15], d = a - l, where l is the last of the thresholds 0, 0.1 ... 1 up to which the pixel
    stays in the largest 4-connected region that alpha and truth have in common at that threshold.
    """
    check_pair(alpha, truth)
    level = _connected_level(np.minimum(alpha, truth))
    return _sum(np.abs(_phi(alpha - level) - _phi(truth - level))) / 1e3


def dtssd(alphas: Iterable[Alpha], truths: Iterable[Alpha]) -> float:
    """sqrt(mean(((a_t - a_t-1) - (t_t - t_t-1))^2)) times 100, averaged over the pairs of following frames.

    Takes any iterables of equal length; holds two frames at a time. ValueError when there are fewer than two frames.
    """
    # (a_t - a_t-1) - (t_t - t_t-1) is the change of the error a - t, which needs one array a frame.
    changes = [
        math.sqrt(float(np.mean(np.square(now - before), dtype=np.float64)))
        for before, now in pairwise(_errors(alphas, truths))
    ]
    if not changes:
        raise ValueError("dtssd needs at least two frames")
    return 1e2 * math.fsum(changes) / len(changes)


def flicker(alphas: Iterable[Alpha], frames: Iterable[NDArray[np.uint8]]) -> float:
    """Mean of |a_t - a_t-1| times 1000 over all pixels whose gray value in the camera changed by less than 2 levels.

    frames: (H, W, 3) uint8 BGR of the mattes' size. NaN where no pixel of any pair stood still.
    ValueError when there are fewer than two frames.
    """
    import cv2

    moved = still_pixels = 0.0
    pairs = 0
    for (alpha_before, gray_before), (alpha, gray) in pairwise(_with_gray(alphas, frames)):
        still = cv2.absdiff(gray, gray_before) < STILL_GRAY_LEVELS
        moved += _sum(np.abs(alpha - alpha_before)[still])
        still_pixels += int(np.count_nonzero(still))
        pairs += 1
    if not pairs:
        raise ValueError("flicker needs at least two frames")
    return 1e3 * moved / still_pixels if still_pixels else math.nan


IMAGE_METRICS = {
    "iou": iou,
    "miou": miou,
    "dice": soft_dice,
    "l1": l1,
    "mad": mad,
    "mse": mse,
    "sad": sad,
    "grad": grad,
    "conn": conn,
}


def score(alpha: Alpha, truth: Alpha) -> dict[str, float]:
    """All figures of one picture, keyed as in `IMAGE_METRICS`."""
    return {name: metric(alpha, truth) for name, metric in IMAGE_METRICS.items()}


def _sum(values: NDArray[np.float32]) -> float:
    """In float64: a float32 sum over a million pixels loses digits that are printed."""
    return float(np.sum(values, dtype=np.float64))


def _overlap_percent(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = int(np.count_nonzero(a | b))
    return 100 * int(np.count_nonzero(a & b)) / union if union else 100.0


def _gradient_size(alpha: Alpha) -> NDArray[np.float32]:
    import cv2

    smooth, slope = _gaussian_kernels()
    along_x = cv2.sepFilter2D(alpha, cv2.CV_32F, slope, smooth, borderType=cv2.BORDER_REPLICATE)
    along_y = cv2.sepFilter2D(alpha, cv2.CV_32F, smooth, slope, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(along_x, along_y).astype(np.float32, copy=False)


def _gaussian_kernels() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Gaussian and its derivative over -4 ... 4 px, each of unit L2 norm: so is then their outer product.

    The authors' code cuts where the Gaussian falls below 0.01: sigma sqrt(-2 ln(sqrt(2 pi) sigma 0.01)) = 3.6 px.
    """
    reach_px = math.ceil(GRAD_SIGMA_PX * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * GRAD_SIGMA_PX * 0.01)))
    x = np.arange(-reach_px, reach_px + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * GRAD_SIGMA_PX**2))
    slope = x * smooth
    return smooth / np.linalg.norm(smooth), slope / np.linalg.norm(slope)


def _connected_level(common: Alpha) -> Alpha:
    """`l` of `conn`: (H, W) float32. Both mattes reach a threshold where their minimum does."""
    import cv2

    level = np.zeros_like(common)
    inside = np.ones(common.shape, np.bool_)
    for step in range(1, CONN_STEPS + 1):
        threshold = step / CONN_STEPS
        _, labels, stats, _ = cv2.connectedComponentsWithStats((common >= threshold).astype(np.uint8), connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]  # label 0 is what lies below the threshold
        if not areas.size:
            break
        inside &= labels == 1 + int(np.argmax(areas))  # once outside, outside for good
        level[inside] = threshold
    return level


def _phi(distance: Alpha) -> Alpha:
    return 1 - distance * (distance >= CONN_TOLERANCE)


def _errors(alphas: Iterable[Alpha], truths: Iterable[Alpha]) -> Iterable[Alpha]:
    for alpha, truth in zip(alphas, truths, strict=True):
        check_pair(alpha, truth)
        yield alpha - truth


def _with_gray(
    alphas: Iterable[Alpha], frames: Iterable[NDArray[np.uint8]]
) -> Iterable[tuple[Alpha, NDArray[np.uint8]]]:
    import cv2

    for alpha, frame in zip(alphas, frames, strict=True):
        check_pair(alpha, alpha)
        if frame.shape != (*alpha.shape, 3) or frame.dtype != np.uint8:
            raise ValueError(f"a frame must be {(*alpha.shape, 3)} uint8, found {frame.shape} {frame.dtype}")
        yield alpha, cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
