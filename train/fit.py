"""The training loop, written out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bgcam.train import checkpoint as ckpt
from bgcam.train.checkpoint import Checkpoint
from bgcam.train.data import Batch, Sampler, batches
from bgcam.train.losses import combined
from bgcam.train.network import IMAGENET_MEAN, IMAGENET_STD, MatteNet
from bgcam.train.recipes import Recipe
from bgcam.train.report import Report


def to_tensors(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """A batch as the network takes it: normalised RGB (N, 3, H, W) channels-last, alpha (N, 1, H, W) in [0, 1]."""
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)
    rgb = torch.from_numpy(batch.rgb).to(device, non_blocking=True).permute(0, 3, 1, 2).float()
    alpha = torch.from_numpy(batch.alpha).to(device, non_blocking=True).unsqueeze(1).float() / 255
    return ((rgb / 255 - mean) / std).contiguous(memory_format=torch.channels_last), alpha


def channels_last(network: MatteNet) -> MatteNet:
    """The network with its weights laid out as the fast convolutions want them."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def make_optimizer(network: MatteNet, recipe: Recipe) -> torch.optim.Optimizer:
    """Two groups, encoder first; biases and batch norm are not decayed."""
    encoder = list(network.encoder.parameters())
    decoder = [p for n, p in network.named_parameters() if not n.startswith("encoder.")]
    groups = [
        {"params": [p for p in params if (p.ndim > 1) == decays], "peak_lr": lr, "lr": lr,
         "weight_decay": recipe.weight_decay if decays else 0.0}
        for params, lr in ((encoder, recipe.encoder_lr), (decoder, recipe.lr)) for decays in (True, False)
    ]
    return torch.optim.Adam(groups) if recipe.optimizer == "adam" else torch.optim.AdamW(groups)


class MovingAverage:
    """Exponential moving average of weights and batch-norm statistics (early steps count for less)."""

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[key].lerp_(value, 1 - decay)
            else:
                self.weights[key].copy_(value)


def check_same_recipe(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise ValueError when a run would go on under other settings than it began with; it may grow longer."""
    for key, value in now.items():
        if key != "steps" and key in before and before[key] != value:
            raise ValueError(
                f"{path}: this run began with {key} {before[key]}, asked is {value}; "
                "give another --out, with --init to start from its weights"
            )


@dataclass
class Run:
    """Where a run keeps things and when it stops. minutes: time budget of this piece (None: until the last step)."""

    folder: Path
    minutes: float | None = None
    save_every_s: float = 300.0
    device: str = "auto"
    devices: int = 1
    threads: int = 0


def fit(
    network: MatteNet, sampler: Sampler, recipe: Recipe, run: Run, *, notes: dict[str, str] | None = None,
    validate: Callable[[MatteNet], dict[str, float]] | None = None, fabric: Any = None,
) -> Checkpoint:
    """Train, from the folder's checkpoint if it has one, until the steps or the minutes are used up.

    Writes `last.pt` (resumes exactly) and returns it. Raises ValueError if that run began under another recipe.
    validate: called with the averaged network at every save.
    """
    fabric = fabric or make_fabric(run)
    started = time.monotonic()
    last = run.folder / "last.pt"
    ema = MovingAverage(network, recipe.ema_decay)
    optimizer = make_optimizer(network, recipe)
    state = Checkpoint(network.config, ema.weights, recipe=asdict(recipe), notes=notes or {})
    if last.exists():
        state = ckpt.load(last)
        check_same_recipe(last, state.recipe, asdict(recipe))
        network.load_state_dict(state.network)
        ema.weights = state.weights
        optimizer.load_state_dict(state.optimizer)
    model, optimizer = fabric.setup(channels_last(network), optimizer)
    model.mark_forward_method("logits")
    ema.weights = {k: v.to(fabric.device) for k, v in ema.weights.items()}
    report = Report(run.folder, recipe.steps, state.step, quiet=fabric.global_rank != 0)

    def keep(step: int) -> None:
        state.step, state.network, state.optimizer = step, network.state_dict(), optimizer.state_dict()
        state.weights = ema.weights if recipe.ema_decay else state.network
        if validate is not None and fabric.global_rank == 0:
            averaged = MatteNet(network.config)
            averaged.load_state_dict(state.weights)
            figures = validate(averaged.eval().to(fabric.device))
            minutes = (time.monotonic() - started) / 60
            state.history.append({"step": step, "minutes": minutes, **report.means(), **figures})
            report.validation(step, figures)
        if fabric.global_rank == 0:
            ckpt.save(last, state)

    feed = batches(
        sampler, recipe.sizes_of_steps(), start_step=state.step, batch=recipe.batch, rank=fabric.global_rank,
        world=fabric.world_size,
    )
    saved, step = time.monotonic(), state.step
    with report:
        for batch in feed:
            model.train()
            if recipe.freeze_batch_norm:
                for module in model.modules():
                    if isinstance(module, nn.BatchNorm2d):
                        module.eval()
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * recipe.lr_factor(step)
            rgb, truth = to_tensors(batch, fabric.device)
            logits = model.logits(rgb)
            loss = combined(logits, truth, recipe.losses)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=5.0)
            optimizer.step()
            step += 1
            if recipe.ema_decay:
                ema.update(network, step)
            report.step(step, loss.detach(), logits.detach(), truth, recipe.batch)
            if run.minutes is not None and time.monotonic() - started > run.minutes * 60:
                break
            if time.monotonic() - saved > run.save_every_s:
                keep(step)
                saved = time.monotonic()
        keep(step)
    return state


def make_fabric(run: Run) -> Any:
    """Lightning Fabric: device, precision (bf16 mixed) and processes."""
    from lightning_fabric import Fabric

    if run.threads:
        torch.set_num_threads(run.threads)
    fabric = Fabric(accelerator=run.device, devices=run.devices, precision="bf16-mixed")
    fabric.launch()
    return fabric
