"""The recipes: `paper`, as the seed paper describes it; `best`, ours; `finish`, which goes on from its end."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from bgcam.train.network import FULL, MIDDLE, Sizes


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run, apart from its data and its network.

    steps: optimiser steps in all; sizes_wh: (share of the run, sizes to take turns through) in order.
    lr: peak rate of the decoder; encoder_lr: of the encoder, 0 leaves it as it is. frozen_stride: the encoder's layers
    up to this stride stay as they are; frozen_depthwise: so do depthwise weights, whose gradients take a third of a
    step on a CPU. schedule: "cosine" has a warm-up and ends at `final_lr`.
    twins: every picture twice in a batch with other flaws, as the loss "steady" needs it.
    rounded_weights: train with weights as an INT8 file stores them (`rounding.py`).
    teacher_share: how much of the loss is against the teacher's matte instead of the label's, where there is a teacher.
    """

    name: Literal["best", "paper", "finish"]
    steps: int
    batch: int
    lr: float
    encoder_lr: float
    sizes_wh: tuple[tuple[float, Sizes], ...]
    losses: dict[str, float]
    frozen_stride: int = 0
    frozen_depthwise: bool = False
    optimizer: Literal["adam", "adamw"] = "adamw"
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_steps: int = 100
    final_lr: float = 0.02
    weight_decay: float = 0.01
    ema_decay: float = 0.998
    validation_share: float = 0.1
    seed: int = 0
    twins: bool = False
    teacher_share: float = 0.5
    rounded_weights: bool = False

    def lr_factor(self, step: int, *, spent: float = 0.0) -> float:
        """What the peak rates are multiplied by at a step, or when that share (0 to 1) of a time budget is spent."""
        if self.schedule == "constant":
            return 1.0
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        progress = max(spent, (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps))
        return self.final_lr + (1 - self.final_lr) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def sizes_of_steps(self) -> list[Sizes]:
        """For each step the sizes to take turns through."""
        out: list[Sizes] = []
        for share, sizes in self.sizes_wh:
            out += [sizes] * round(share * self.steps)
        return (out + [self.sizes_wh[-1][1]] * self.steps)[: self.steps]


BEST = Recipe(
    name="best",
    steps=12000,
    batch=64,
    lr=2e-3,
    encoder_lr=6e-4,
    sizes_wh=((0.3, MIDDLE), (0.7, FULL)),
    losses={"l1": 1.0, "dice": 0.5, "gradient": 0.5, "bce": 0.2},
    warmup_steps=300,
    weight_decay=0.03,
    ema_decay=0.999,
)

# For `--init`: lower rates, the full size, and steadiness from frame to frame.
FINISH = replace(
    BEST,
    name="finish",
    steps=3000,
    lr=8e-4,
    encoder_lr=3e-4,
    warmup_steps=100,
    final_lr=0.005,
    seed=1,
    twins=True,
    sizes_wh=((1.0, FULL),),
    losses={**BEST.losses, "laplacian": 0.5, "steady": 1.0},
)


def paper(photos: int) -> Recipe:
    """The seed paper's: 320x240, batch 128, Adam 0.005, 40 epochs, L1, 80/20 split, flips and small rotations.

    Its set is upright (600x800), so 320x240 is read as 320 high. photos: how many there are to train on.
    """
    return Recipe(
        name="paper",
        steps=40 * math.ceil(photos / 128),
        batch=128,
        lr=0.005,
        encoder_lr=0.005,
        sizes_wh=((1.0, ((240, 320),)),),
        losses={"l1": 1.0},
        optimizer="adam",
        schedule="constant",
        weight_decay=0.0,
        ema_decay=0.0,
        validation_share=0.2,
    )


def changed(recipe: Recipe, **values: object) -> Recipe:
    """The recipe with the values that are not None in place of its own."""
    return replace(recipe, **{k: v for k, v in values.items() if v is not None})  # type: ignore[arg-type]
