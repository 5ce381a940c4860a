"""What a run shows while it goes: a line with loss, dice, images a second and time left, and a TensorBoard log."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from bgcam.train.losses import l1, soft_dice


class Report:
    """Progress of one run. quiet: a process that is not the first says nothing."""

    def __init__(self, folder: Path, steps: int, start_step: int, *, quiet: bool = False, every: int = 20):
        self.folder, self.steps, self.quiet, self.every = folder, steps, quiet, every
        self._done = start_step
        self._losses: deque[float] = deque(maxlen=200)
        self._dice: deque[float] = deque(maxlen=200)
        self._l1: deque[float] = deque(maxlen=200)
        self._pending: list[tuple[Tensor, Tensor, Tensor]] = []
        self._mark = (time.monotonic(), start_step)
        self._log: Any = None
        self._bar: Any = None

    def __enter__(self) -> Report:
        if not self.quiet:
            from torch.utils.tensorboard import SummaryWriter

            self._log = SummaryWriter(str(self.folder / "tensorboard"))
            if sys.stdout.isatty():
                from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

                self._bar = Progress(
                    TextColumn("training"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(),
                    TextColumn("{task.fields[figures]}"),
                )
                self._task = self._bar.add_task("training", total=self.steps, completed=self._done, figures="")
                self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._log is not None:
            self._log.close()

    def means(self) -> dict[str, float]:
        """Mean loss, dice and L1 over the last steps."""
        kept = {"train_loss": self._losses, "train_dice": self._dice, "train_l1": self._l1}
        return {name: sum(values) / max(1, len(values)) for name, values in kept.items()}

    @torch.no_grad()
    def step(self, step: int, loss: Tensor, logits: Tensor, truth: Tensor, images: int) -> None:
        """Count one step; figures are read back every `every` steps only, so that a GPU is not waited for."""
        if self.quiet:
            return
        alpha = torch.sigmoid(logits.float())
        self._pending.append((loss, 1 - soft_dice(alpha, truth).mean(), l1(alpha, truth).mean()))
        if step % self.every and step != self.steps:
            return
        for one in self._pending:
            for values, figure in zip((self._losses, self._dice, self._l1), one, strict=True):
                values.append(float(figure))
        self._pending.clear()
        now, (then, then_step) = time.monotonic(), self._mark
        rate = (step - then_step) / max(1e-9, now - then)
        self._mark = (now, step)
        means = self.means()
        for key, value in {**means, "images_per_s": rate * images}.items():
            self._log.add_scalar(key, value, step)
        figures = (
            f"loss {means['train_loss']:.4f}  dice {means['train_dice']:.4f}  {rate * images:.1f} images/s"
            f"  {(self.steps - step) / max(rate, 1e-9) / 60:.0f} min left"
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=step, figures=figures)
        else:
            print(f"step {step}/{self.steps}  {figures}", flush=True)

    def validation(self, step: int, figures: dict[str, float]) -> None:
        """Show and log the validation's figures."""
        for key, value in figures.items():
            self._log.add_scalar(key, value, step)
        line = f"step {step}  " + "  ".join(f"{k} {v:.4f}" for k, v in figures.items())
        (self._bar.console.print if self._bar is not None else print)(line)
        sys.stdout.flush()
