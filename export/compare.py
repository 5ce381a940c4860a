"""Compare an exported model with what it was made from, on real pictures; refuse what strays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgcam.train.metrics import iou

# A matter: (H, W, 3) uint8 BGR -> alpha (H, W) float32, as the backends' `infer`.
Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

ONNX_LIMIT = 1e-3
INT8_ALPHA_LIMIT = 0.005
INT8_IOU_LIMIT = 0.3
# Of one picture. The mean hides it: where the mean lost 0.03 points, single pictures had lost 33.
INT8_WORST_LIMIT = 10.0


class ExportRefused(Exception):
    """The exported model differs too much from its source; nothing was written."""


@dataclass(frozen=True)
class Difference:
    """largest, mean: of |alpha - alpha of the source|. iou, source_iou: mean person IoU in percent (nan: no truth).

    worst_loss: the points of IoU that the worst picture loses (nan: no truth); worst_picture: its number, from 0.
    """

    largest: float
    mean: float
    iou: float
    source_iou: float
    pictures: int
    worst_loss: float = float("nan")
    worst_picture: int = -1

    def __str__(self) -> str:
        return (
            f"alpha difference mean {self.mean:.5f}, largest {self.largest:.5f}; "
            f"IoU {self.iou:.2f} % (source {self.source_iou:.2f} %) on {self.pictures} pictures, "
            f"the worst, number {self.worst_picture}, loses {self.worst_loss:.2f} points"
        )


def compare(
    run: Run, source: Run, pictures: Sequence[tuple[NDArray[np.uint8], NDArray[np.float32] | None]]
) -> Difference:
    """Run both on pictures (H, W, 3) uint8 BGR, each with its true alpha (H, W) or None."""
    largest = total = 0.0
    scores, source_scores = [], []
    worst_loss, worst_picture = float("nan"), -1
    for number, (image, truth) in enumerate(pictures):
        # A backend's sigmoid may end a rounding step above 1.
        a, b = (np.clip(matter(image), 0, 1) for matter in (run, source))
        gap = np.abs(a - b)
        largest, total = max(largest, float(gap.max())), total + float(gap.mean())
        if truth is not None:
            scores.append(iou(a, truth))
            source_scores.append(iou(b, truth))
            loss = source_scores[-1] - scores[-1]
            if not loss <= worst_loss:  # also the first, as nothing is at most nan
                worst_loss, worst_picture = loss, number
    mean, source_mean = (float(np.mean(s)) if s else float("nan") for s in (scores, source_scores))
    return Difference(largest, total / len(pictures), mean, source_mean, len(pictures), worst_loss, worst_picture)


def check_onnx(difference: Difference, limit: float = ONNX_LIMIT) -> None:
    """Raise ExportRefused when the ONNX file strays from PyTorch anywhere by more than `limit`."""
    if not difference.largest <= limit:
        raise ExportRefused(f"ONNX differs from PyTorch by {difference.largest:.5f} (limit {limit}); nothing written")


def check_int8(difference: Difference) -> None:
    """Raise ExportRefused when INT8 strays from FP32 in mean alpha, in mean IoU, or in one picture's IoU."""
    if not difference.mean <= INT8_ALPHA_LIMIT:
        raise ExportRefused(
            f"INT8 differs from FP32 by {difference.mean:.5f} on average (limit {INT8_ALPHA_LIMIT}); nothing written"
        )
    loss = difference.source_iou - difference.iou
    if loss > INT8_IOU_LIMIT:
        raise ExportRefused(f"INT8 loses {loss:.2f} points of IoU (limit {INT8_IOU_LIMIT}); nothing written")
    if difference.worst_loss > INT8_WORST_LIMIT:
        raise ExportRefused(
            f"INT8 loses {difference.worst_loss:.2f} points of IoU on picture {difference.worst_picture} "
            f"(limit {INT8_WORST_LIMIT}); nothing written"
        )
