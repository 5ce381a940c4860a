"""Carries the network's matte of one frame to the next by the person's motion between them, and says when that fails.

At network size h x w, for the frame before (luma y0, the network's alpha) and the next (luma y1):

1. Both lumas and alpha are halved, to s0, s1 and a; s1 is multiplied by the ratio of both means over the person, since
   exposure may have changed.
2. moving: the cells of CELL x CELL pixels whose mean |s1 - s0| is above STEP + FACTOR * noise, where noise is the
   median of all cells, at most NOISIEST. Without any, alpha is carried as it is, the same array. The rest is done in
   the box around them, one cell wider.
3. v: the person's motion in pixels, s1(x + v) = s0(x), by Lucas and Kanade's least squares, one step on each of LEVELS
   sizes, the coarsest first. The squares are weighted with a + ROOM_WEIGHT: at the person's edge the person's motion is
   wanted, not the room's. v has half the picture's size; its squares are sums over WINDOW x WINDOW of its cells, plus
   DAMP, which keeps v small where there is no texture.
4. v is averaged over SPREAD x SPREAD cells, weighted with a squared, so that it reaches beyond the edge, and multiplied
   by SHORT.
5. alpha'(x) = alpha(x - v(x)), bilinear.
6. doubt: the share of the picture that neither motion nor rest explains. At half the size of s0 and s1, of the two
   differences s1(x) - s0(x - v) and s1(x) - s0(x), both as means over 3x3 cells, the smaller one's size is above
   UNLIKE + FACTOR * noise.
   speed: the largest |v| where a is above 0.5, in pixels of the network's picture.
   misfit: how much is left of the difference at the edge, weighted with a (1 - a), when it follows v, of that at rest.
   Above 1 the edge moves otherwise than the person inside it: a face that turns, a hand before the chest.

`Carried.fails` says from these three whether the network should run instead: after a cut, when something comes in, when
the camera moves, when the person moves fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Luma = NDArray[np.uint8]

CELL = 8
# Grey levels.
STEP, FACTOR, NOISIEST, UNLIKE = 1.0, 1.5, 3.0, 8.0
LEVELS, WINDOW, SPREAD = 3, 7, 9
ROOM_WEIGHT, DAMP = np.float32(0.005), np.float32(10.0)
SOBEL_SCALE = 1 / 8
# Noise and the still room beside the person make the least squares fall short by about a twentieth.
SHORT = np.float32(1.05)
# Added to the weights of step 4, for where nobody is.
NOBODY = np.float32(1e-3)
# Exposure changes by less than this from one frame to the next.
GAIN = (0.8, 1.25)
MOST_DOUBT, TOP_SPEED, MOST_MISFIT = 0.02, 12.0, 1.2


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """alpha: (h, w) float32 in [0, 1]. doubt, misfit: shares. speed: in pixels of the network's picture."""

    alpha: Float
    doubt: float = 0.0
    speed: float = 0.0
    misfit: float = 0.0

    @property
    def fails(self) -> bool:
        """Whether this is not to be shown."""
        return not (self.doubt <= MOST_DOUBT and self.speed <= TOP_SPEED and self.misfit <= MOST_MISFIT)


def carry(alpha: Float, before: Luma, luma: Luma) -> Carried:
    """The matte of the next frame, (h, w) float32 in [0, 1], from that of the frame before; changes no argument.

    before, luma: (h, w) uint8, of the frame of alpha and of the next. Raises ValueError for other sizes or types.
    """
    if not (alpha.shape == before.shape == luma.shape) or alpha.ndim != 2 or not alpha.size:
        raise ValueError(f"a matte {alpha.shape} cannot be carried from luma {before.shape} to luma {luma.shape}")
    if alpha.dtype != np.float32 or before.dtype != np.uint8 or luma.dtype != np.uint8:
        raise ValueError(f"a matte {alpha.dtype} cannot be carried from luma {before.dtype} to luma {luma.dtype}")
    height, width = alpha.shape
    half_wh = ((width + 1) // 2, (height + 1) // 2)
    s0, s1, a = _resized(before, half_wh), _resized(luma, half_wh), _resized(alpha, half_wh)
    s1 *= _gain(s0, s1, a)
    cells, noise = _changes(s0, s1)
    moving = cells > STEP + FACTOR * noise
    if not moving.any():
        return Carried(alpha)
    rows, columns = _box(moving, half_wh)
    s0, s1, a = s0[rows, columns], s1[rows, columns], a[rows, columns]
    sizes = _halved([s0, s1, a])
    v = person_motion(sizes)
    old, new, person = sizes[1]
    rest, follows = new - old, new - warp(old, v * np.float32(0.5))
    edge = person * (1 - person)
    misfit = (float(np.vdot(np.abs(follows), edge)) + 1e-3) / (float(np.vdot(np.abs(rest), edge)) + 1e-3)
    rest, follows = _mean(rest, 3), _mean(follows, 3)
    unlike = np.minimum(np.abs(rest), np.abs(follows)) > UNLIKE + FACTOR * noise
    doubt = 4 * int(np.count_nonzero(unlike)) / (half_wh[0] * half_wh[1])
    speed = 2 * float(np.sqrt((v * v).sum(axis=-1).max(where=person > 0.5, initial=0.0)))
    top, left = 2 * rows.start, 2 * columns.start
    part = np.s_[top : 2 * rows.stop, left : 2 * columns.stop]
    carried = alpha.copy()
    moved = warp(alpha, _resized_motion(v, alpha[part].shape, 2.0), at=(left, top))
    carried[part] = np.clip(moved, 0, 1, out=moved)
    return Carried(carried, doubt, speed, misfit)


def person_motion(sizes: Sequence[Sequence[Float]]) -> Float:
    """Steps 3 and 4: right and down in pixels from s0 (h, w) to s1 (h, w), at half their size: (h / 2, w / 2, 2).

    sizes: s0, s1 and a at each of LEVELS sizes, the largest first.
    """
    v: Float | None = None
    for old, new, weight in reversed(sizes):
        v = _step(old, new, weight + ROOM_WEIGHT, v)
    assert v is not None
    share = sizes[1][2] * sizes[1][2] + NOBODY
    scale = SHORT / _mean(share, SPREAD)
    return np.dstack([_mean(v[..., axis] * share, SPREAD) * scale for axis in (0, 1)])


def warp(values: Float, v: Float, *, at: tuple[int, int] = (0, 0)) -> Float:
    """values(x - v(x)), bilinear, border pixels repeated: (h, w) float32 of v's size.

    at: where v begins in `values`, right and down.
    """
    where = cv2.subtract(_grid(v.shape[1], v.shape[0], *at), v)
    # OpenCV's stub does not know that both coordinates may be in one map.
    moved = cv2.remap(values, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(moved, np.float32)


def _halved(pictures: Sequence[Float]) -> list[Sequence[Float]]:
    sizes = [pictures]
    for _ in range(LEVELS - 1):
        half_wh = _half(sizes[-1][0].shape)
        sizes.append([_resized(one, half_wh) for one in sizes[-1]])
    return sizes


def _step(old: Float, new: Float, weight: Float, before: Float | None) -> Float:
    """One step of least squares, at half the size of old and new; from the motion at a coarser size, None for none."""
    half_wh = _half(old.shape)
    if before is not None:
        new = warp(new, _resized_motion(before, old.shape, -2.0))
    across, down = _slope(old, 1, 0), _slope(old, 0, 1)
    change = old - new
    wide, high = across * weight, down * weight
    xx, yy, xy = _sums((wide * across, high * down, wide * down), half_wh)
    x, y, damp = _sums((wide * change, high * change, weight), half_wh)
    xx, yy = xx + damp * DAMP, yy + damp * DAMP
    scale = np.float32(1) / (xx * yy - xy * xy)
    step: Float = np.dstack(((yy * x - xy * y) * scale, (xx * y - xy * x) * scale))
    return step if before is None else step + _resized_motion(before, step.shape, 2.0)


def _slope(values: Float, across: int, down: int) -> Float:
    """Grey levels a pixel."""
    slope = cv2.Sobel(values, cv2.CV_32F, across, down, scale=SOBEL_SCALE, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(slope, np.float32)


def _sums(products: Sequence[Float], size_wh: tuple[int, int]) -> Sequence[Float]:
    """At this size, each cell with its neighbours. OpenCV resizes up to four at once."""
    small = _resized(np.asarray(cv2.merge(products), np.float32), size_wh).reshape(size_wh[1], size_wh[0], 3)
    return [np.asarray(one, np.float32) for one in cv2.split(_mean(small, WINDOW))]


def _changes(s0: Float, s1: Float) -> tuple[Float, float]:
    """The mean change of each cell, in grey levels, and the noise."""
    cells_wh = (max(1, s0.shape[1] // CELL), max(1, s0.shape[0] // CELL))
    cells = _resized(np.abs(s1 - s0), cells_wh)
    middle = cells.size // 2
    return cells, min(float(np.partition(cells, middle, axis=None)[middle]), NOISIEST)


def _box(moving: NDArray[np.bool_], size_wh: tuple[int, int]) -> tuple[slice, slice]:
    """The box around the cells, one cell wider, as rows and columns of a picture of this size."""
    sides = []
    for axis, length in ((1, size_wh[1]), (0, size_wh[0])):
        there, count = np.flatnonzero(moving.any(axis=axis)), moving.shape[1 - axis]
        first, last = max(0, int(there[0]) - 1), min(count, int(there[-1]) + 2)
        sides.append(slice(first * length // count, -(-last * length // count)))
    return sides[0], sides[1]


def _gain(s0: Float, s1: Float, a: Float) -> np.float32:
    weight = a + ROOM_WEIGHT
    gain = (float(np.vdot(s0, weight)) + 1) / (float(np.vdot(s1, weight)) + 1)
    return np.float32(min(max(gain, GAIN[0]), GAIN[1]))


def _half(shape: tuple[int, ...]) -> tuple[int, int]:
    """The width and height of half of (h, w)."""
    return max(1, shape[1] // 2), max(1, shape[0] // 2)


def _resized(values: Float | Luma, size_wh: tuple[int, int]) -> Float:
    return np.asarray(cv2.resize(values, size_wh, interpolation=cv2.INTER_AREA), np.float32)


def _resized_motion(v: Float, shape: tuple[int, ...], scale: float) -> Float:
    resized = cv2.resize(v * np.float32(scale), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32).reshape(shape[0], shape[1], 2)


def _mean(values: Float, side: int) -> Float:
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)


@lru_cache(maxsize=32)
def _grid(width: int, height: int, left: int, top: int) -> Float:
    x, y = np.arange(left, left + width, dtype=np.float32), np.arange(top, top + height, dtype=np.float32)
    return np.dstack(np.meshgrid(x, y))
