"""What a chain makes of known scenes, in figures: how near to truth, how steady, how quick to follow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.picture_scenes import Sample
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.despill import despill
from bgcam.realtime.picture.foreground import estimate_foreground
from bgcam.train.metrics import dtssd, flicker, grad, mad

Float = NDArray[np.float32]

# Alpha that changes by more than this from one frame to the next belongs to something that moves.
MOVES = 0.1
SETTLE_FRAMES = 5
EDGE_PX = 12


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a chain made of a frame: alpha (H, W), the person's colours and the composite (H, W, 3) uint8."""

    alpha: Float
    person: NDArray[np.uint8]
    composite: NDArray[np.uint8]


def run_chain(chain: Chain, samples: Iterable[Sample]) -> list[Made]:
    """Frame by frame, in order."""
    made = []
    for sample in samples:
        work = chain.prepare(sample.frame, sample.coarse)
        alpha = chain.alpha(work).copy()
        bgr = sample.frame.room_bgr
        person = bgr if work.colours is None else estimate_foreground(bgr, alpha, work.colours)
        if work.spill is not None:
            whole = slice(0, alpha.shape[0]), slice(0, alpha.shape[1])
            clean = despill(person.astype(np.float32), work.spill, whole)
            person = np.rint(np.clip(clean, 0, 255)).astype(np.uint8)
        shown = chain.draw(work)
        made.append(Made(alpha, person, shown))
    return made


def still_scores(samples: Sequence[Sample], made: Sequence[Made], behind: NDArray[np.uint8]) -> dict[str, float]:
    """mad, grad: of alpha. fg_mse: of the person's colours where truth is soft, weighted by alpha, squared grey levels.
    out_mse: of the composite before `behind` around the true edge, squared grey levels.
    """
    import cv2

    rows = []
    for sample, one in zip(samples, made, strict=True):
        soft = (sample.alpha > 0.02) & (sample.alpha < 0.98)
        around = cv2.dilate(soft.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        weight = sample.alpha[soft].astype(np.float64)
        colour = np.square(one.person - sample.person).mean(axis=-1)[soft]
        truth = sample.person * sample.alpha[..., None] + behind * (1 - sample.alpha[..., None])
        rows.append(
            {
                "mad": mad(one.alpha, sample.alpha),
                "grad": grad(one.alpha, sample.alpha),
                "fg_mse": float((colour * weight).sum() / weight.sum()),
                "out_mse": float(np.square(one.composite - truth).mean(axis=-1)[around].mean()),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def video_scores(samples: Sequence[Sample], made: Sequence[Made]) -> dict[str, float]:
    """dtssd, and `ghost`: how far the matte hangs behind truth, in frames; see `lag`."""
    alphas, truths = [one.alpha for one in made], [sample.alpha for sample in samples]
    return {
        "video_mad": float(np.mean([mad(a, t) for a, t in zip(alphas, truths, strict=True)])),
        "dtssd": dtssd(alphas, truths),
        "ghost": lag(alphas, truths),
    }


def lag(alphas: Sequence[Float], truths: Sequence[Float]) -> float:
    """Where truth moves, how much of the frame before is still in the matte: 0 is none, 1 is all of it.

    The share s that fits best in alpha_t = truth_t + s * (truth_t-1 - truth_t). An edge that is merely soft shows as a
    share too, so compare it with that of the network's own matte.
    """
    over = under = 0.0
    for alpha, before, truth in zip(alphas[1:], truths, truths[1:], strict=False):
        sums = lag_sums(alpha, before, truth)
        over, under = over + sums[0], under + sums[1]
    return over / under if under else math.nan


def lag_sums(alpha: Float, before: Float, truth: Float) -> tuple[float, float]:
    """Of one frame, what `lag` is the ratio of. before: the truth of the frame before."""
    step = before - truth
    moves = np.abs(step) > MOVES
    over = float(((alpha - truth) * step)[moves].sum(dtype=np.float64))
    return over, float(np.square(step)[moves].sum(dtype=np.float64))


def tint_left(samples: Sequence[Sample], made: Sequence[Made]) -> float:
    """Before a screen: how much of its tint is left in the person's edge, in grey levels.

    The tint is the screen's mean colour less its grey. Left is what the person's colours have of it beyond their mean
    deep inside, weighted by the true alpha, over what lies within EDGE_PX of the true edge and is not the screen alone.
    """
    import cv2

    left = []
    for sample, one in zip(samples, made, strict=True):
        screen = sample.frame.room_bgr[sample.alpha < 0.02].mean(axis=0)
        tint = (screen - screen.mean()) / np.linalg.norm(screen - screen.mean())
        amount = one.person.astype(np.float32) @ tint.astype(np.float32)
        square = np.ones((2 * EDGE_PX + 1,) * 2, np.uint8)
        deep = cv2.erode((sample.alpha > 0.98).astype(np.uint8), square) > 0
        weight = np.where(deep, 0, sample.alpha).astype(np.float64)
        excess = np.maximum(amount - max(0.0, float(amount[deep].mean())), 0)
        left.append(float((excess * weight).sum() / weight.sum()))
    return float(np.mean(left))


def noise_flicker(made: Sequence[Made]) -> float:
    """Mean |alpha_t - alpha_t-1| times 1000 of a scene in which only noise changes."""
    alphas = [one.alpha for one in made][SETTLE_FRAMES:]
    return 1e3 * float(np.mean([np.abs(b - a).mean() for a, b in pairwise(alphas)]))


def clip_flicker(chain: Chain, samples: Sequence[Sample]) -> float:
    """`train.metrics.flicker` of a clip without truth."""
    alphas = [chain.alpha(chain.prepare(one.frame, one.coarse)).copy() for one in samples]
    return flicker(alphas, [one.frame.room_bgr for one in samples])


def behind_picture(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """A background of all colours, smooth, so that no error hides before it."""
    x, y = np.meshgrid(np.linspace(0, 2 * np.pi, size_wh[0]), np.linspace(0, 2 * np.pi, size_wh[1]))
    waves = [np.sin(x + phase) * np.cos(y - phase) for phase in (0.0, 2.1, 4.2)]
    return np.rint(127.5 + 120 * np.dstack(waves)).astype(np.uint8)
