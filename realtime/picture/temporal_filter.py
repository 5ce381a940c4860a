"""A temporal filter: the network's alpha flickers, and this keeps it steady where the picture does not change.

At network size, each cell keeps an alpha and a luma from the frames before. Both move towards the new frame's by the
same weight w, so that slow movement adds up in the luma until it counts as movement:

1. moved = |mean of (luma - kept luma)| over 3x3 cells, then the largest of 3x3 cells, borders repeated; in grey levels.
   The mean's sign matters: a camera's noise cancels out, movement does not.
2. apart = |alpha - kept alpha|.
3. w = REST + (1 - REST) * ramp(apart, APART): a cell at rest follows slowly, and faster the further it is off.
4. Hysteresis: where the new alpha is within SURE of 0 or of 1, w = 1, so that nothing lingers. Elsewhere, where the
   kept alpha is within SURE of 0 or of 1 and the new one within LEAVE of the same value, w *= HELD: it is left slowly.
5. w = max(w, ramp(moved, MOVED)): moving parts follow at once, without ghosting.
6. kept += w * (new - kept), for alpha and luma; the kept alpha is the result.

ramp(x, (a, b)) rises from 0 at a to 1 at b. After a cut (more than half of all cells differ from the kept luma by more
than CUT grey levels) and when the size changes, the new frame replaces what was kept. Frames must come in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native

Float = NDArray[np.float32]

REST = 0.2
APART = (0.1, 0.5)
MOVED = (2.0, 6.0)
SURE, LEAVE, HELD = 0.04, 0.15, 0.25
CUT = 10.0
SQUARE = (3, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """State from the frames before: alpha (h, w) float32 in [0, 1], luma (h, w) float32 from 0 to 255."""

    alpha: Float
    luma: Float


def temporal_filter_reference(alpha: Float, luma: NDArray[np.uint8], kept: Kept | None) -> Kept:
    """The new state, whose alpha is the result, from the new frame's alpha (h, w) and luma (h, w); in plain NumPy."""
    new = Kept(alpha.astype(np.float32), luma.astype(np.float32))
    if kept is None or kept.alpha.shape != alpha.shape:
        return new
    change = new.luma.astype(np.float64) - kept.luma
    if (np.abs(change) > CUT).mean() > 0.5:
        return new
    moved = _around(np.abs(_around(change).mean(axis=0))).max(axis=0)
    apart = new.alpha.astype(np.float64) - kept.alpha
    weight = REST + (1 - REST) * _ramp(np.abs(apart), APART)
    for low, lower in ((kept.alpha, new.alpha), (1 - kept.alpha, 1 - new.alpha)):
        weight = np.where((low < SURE) & (lower < LEAVE), weight * HELD, weight)
    weight = np.where((new.alpha < SURE) | (new.alpha > 1 - SURE), 1, weight)
    weight = np.maximum(weight, _ramp(moved, MOVED))
    return Kept((kept.alpha + weight * apart).astype(np.float32), (kept.luma + weight * change).astype(np.float32))


def temporal_filter(alpha: Float, luma: NDArray[np.uint8], kept: Kept | None) -> Kept:
    """As `temporal_filter_reference`, within 1e-4 of alpha; changes no argument."""
    if alpha.shape != luma.shape or alpha.ndim != 2 or alpha.dtype != np.float32 or luma.dtype != np.uint8:
        raise ValueError(f"a small matte {alpha.shape} {alpha.dtype} does not match luma {luma.shape} {luma.dtype}")
    new = Kept(alpha, luma.astype(np.float32))
    if kept is None or kept.alpha.shape != alpha.shape:
        return new
    if native.LIBRARY is not None:
        rules = native.TemporalRules(rest=REST, apart=APART, moved=MOVED, sure=SURE, leave=LEAVE, held=HELD, cut=CUT)
        followed = native.temporal_filter(alpha, luma, kept.alpha, kept.luma, rules=rules)
        return new if followed is None else Kept(*followed)
    change = new.luma - kept.luma
    if 2 * np.count_nonzero(np.abs(change) > CUT) > change.size:
        return new
    drift = np.abs(cv2.blur(change, SQUARE, borderType=cv2.BORDER_REPLICATE))
    moved: Float = np.asarray(cv2.dilate(drift, np.ones(SQUARE, np.uint8)), np.float32)
    apart = alpha - kept.alpha
    distance: Float = np.abs(apart, dtype=np.float32)
    weight = _clipped_line(distance, APART, (REST, 1.0))
    held = (np.maximum(kept.alpha, alpha - (LEAVE - SURE)) < SURE) | (
        np.minimum(kept.alpha, alpha + (LEAVE - SURE)) > 1 - SURE
    )
    weight[held] *= np.float32(HELD)
    weight[(alpha < SURE) | (alpha > 1 - SURE)] = 1
    np.maximum(weight, _clipped_line(moved, MOVED, (0.0, 1.0)), out=weight)
    apart *= weight
    change *= weight
    return Kept(np.add(kept.alpha, apart, out=apart), np.add(kept.luma, change, out=change))


def _clipped_line(values: Float, span: tuple[float, float], ends: tuple[float, float]) -> Float:
    """From ends[0] at span[0] to ends[1] at span[1], and no further; overwrites `values`."""
    slope = (ends[1] - ends[0]) / (span[1] - span[0])
    values *= np.float32(slope)
    values += np.float32(ends[0] - slope * span[0])
    return np.clip(values, ends[0], ends[1], out=values)


def _ramp(values: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.float64]:
    return np.clip((values - span[0]) / (span[1] - span[0]), 0, 1)


def _around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(h, w) to (9, h, w): each cell with its neighbours, border cells repeated."""
    padded = np.pad(values, 1, mode="edge")
    height, width = values.shape
    return np.stack([padded[i : i + height, j : j + width] for i in range(3) for j in range(3)])
