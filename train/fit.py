"""The training loop, written out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bgcam.train import checkpoint as ckpt
from bgcam.train.checkpoint import Checkpoint
from bgcam.train.data import Sampler, Steps, batches
from bgcam.train.losses import combined
from bgcam.train.network import IMAGENET_MEAN, IMAGENET_STD, MatteNet
from bgcam.train.recipes import Recipe
from bgcam.train.report import Report
from bgcam.train.rounding import as_rounded, round_weights


def to_network(rgb: Tensor, alpha: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """A batch as the network takes it, from rgb (N, H, W, 3) and alpha (N, H, W), both uint8.

    Normalised RGB (N, 3, H, W) channels-last, and alpha (N, 1, H, W) in [0, 1].
    """
    rgb, alpha = rgb.to(device, non_blocking=True), alpha.to(device, non_blocking=True)
    scale = torch.tensor([1 / (255 * s) for s in IMAGENET_STD], device=device)
    shift = torch.tensor([m / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)], device=device)
    # (N, H, W, 3) seen as (N, 3, H, W) lies in memory as channels-last already.
    return (rgb.float() * scale - shift).permute(0, 3, 1, 2), alpha.unsqueeze(1).float() / 255


def channels_last(network: MatteNet) -> MatteNet:
    """The network with its weights laid out as the fast convolutions want them."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def make_optimizer(network: MatteNet, recipe: Recipe) -> torch.optim.Optimizer:
    """Two groups, encoder first; biases and batch norm are not decayed. Freezes what the recipe leaves as it is."""
    for module in [network.encoder] if not recipe.encoder_lr else network.encoder.layers_to(recipe.frozen_stride):
        freeze(module)
    for module in network.encoder.modules() if recipe.frozen_depthwise else ():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.requires_grad_(False)
    encoder = [p for p in network.encoder.parameters() if p.requires_grad]
    decoder = [p for n, p in network.named_parameters() if not n.startswith("encoder.")]
    groups = [
        {
            "params": [p for p in params if (p.ndim > 1) == decays],
            "peak_lr": lr,
            "lr": lr,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for params, lr in ((encoder, recipe.encoder_lr), (decoder, recipe.lr))
        for decays in (True, False)
    ]
    return torch.optim.Adam(groups) if recipe.optimizer == "adam" else torch.optim.AdamW(groups)


PRECISIONS: dict[str, Literal["bf16-mixed", "32-true"]] = {"bf16": "bf16-mixed", "fp32": "32-true"}


class MovingAverage:
    """Exponential moving average of weights and batch-norm statistics (early steps count for less)."""

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        now = network.state_dict()
        floating = [k for k, v in now.items() if v.is_floating_point()]
        # One call for all of them: on a GPU hundreds of small ones cost more than the step.
        torch._foreach_lerp_([self.weights[k] for k in floating], [now[k] for k in floating], 1 - decay)
        for key in now.keys() - set(floating):
            self.weights[key].copy_(now[key])


def check_same_recipe(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise ValueError when a run would go on under other settings than it began with; it may grow longer."""
    for key, value in now.items():
        if key != "steps" and key in before and before[key] != value:
            raise ValueError(
                f"{path}: this run began with {key} {before[key]}, asked is {value}; "
                "give another --out, with --init to start from its weights"
            )


def freeze(module: nn.Module) -> None:
    """Keep a part as it is: no gradients, and its batch norm by the running statistics."""
    module.requires_grad_(False).eval()
    module.train = lambda mode=True: module  # type: ignore[method-assign]


def spent(run: Run, took_s: float) -> float:
    """The share of the run's time budget that is spent; 0 where there is none."""
    return took_s / (60 * run.budget_minutes) if run.budget_minutes else 0.0


def agreed_s(fabric: Any, run: Run, started_s: float) -> float:
    """How long the run has taken by the first process's clock: all have to end at the same step."""
    took_s = time.monotonic() - started_s
    if fabric.world_size == 1 or not (run.minutes or run.budget_minutes):
        return took_s
    return float(fabric.broadcast(took_s))


@dataclass
class Run:
    """Where a run keeps things and when it stops.

    minutes: time budget of this piece (None: until the last step). budget_minutes: for all of the run, whose rates then
    fall with the time that is spent, so that it ends well wherever it ends (1905.04753); it cannot be cut.
    precision: bf16 (mixed), or fp32, which is the faster on a CPU without AMX (28.7 images/s for 21.7), and on one with
    it where depthwise weights are trained: 32 images of `light` take 1.8 s of CPU time in fp32, 4.7 s in bf16.
    teacher_precision: of the teacher, where there is one; None: as the network's.
    threads: of the network on a CPU (0: all cores). workers: processes that prepare pictures. save_every_s: how often
    the checkpoint is written; validate_every_s: how often it is also validated, which takes minutes on a CPU; both are
    done at the end.
    """

    folder: Path
    minutes: float | None = None
    budget_minutes: float | None = None
    save_every_s: float = 300.0
    validate_every_s: float = 1800.0
    device: str = "auto"
    devices: int = 1
    precision: str = "bf16"
    teacher_precision: str | None = None
    threads: int = 0
    workers: int = 2


def fit(
    network: MatteNet,
    sampler: Sampler,
    recipe: Recipe,
    run: Run,
    *,
    notes: dict[str, str] | None = None,
    validate: Callable[[MatteNet], dict[str, float]] | None = None,
    teacher: MatteNet | None = None,
    fabric: Any = None,
) -> Checkpoint:
    """Train, from the folder's checkpoint if it has one, until the steps or the minutes are used up.

    Writes `last.pt` (resumes exactly) and returns it. Raises ValueError if that run began under another recipe.
    validate: called with the averaged network now and then (see `Run`). teacher: its mattes count as labels too, by the
    recipe's `teacher_share` (distillation: Hinton et al. 2015, 1503.02531).
    """
    fabric = fabric or make_fabric(run)
    if fabric.device.type == "cuda":
        # Half a minute for three sizes, and then half as fast again.
        torch.backends.cudnn.benchmark = True
    started = time.monotonic()
    last = run.folder / "last.pt"
    ema = MovingAverage(network, recipe.ema_decay)
    optimizer = make_optimizer(network, recipe)
    if recipe.rounded_weights:
        round_weights(network)
    state = Checkpoint(network.config, ema.weights, recipe=asdict(recipe), notes=notes or {})
    if last.exists():
        state = ckpt.load(last)
        check_same_recipe(last, state.recipe, asdict(recipe))
        network.load_state_dict(state.network)
        ema.weights = state.unrounded or state.weights
        optimizer.load_state_dict(state.optimizer)
    model, optimizer = fabric.setup(channels_last(network), optimizer)
    model.mark_forward_method("logits")
    ema.weights = {k: v.to(fabric.device) for k, v in ema.weights.items()}
    report = Report(run.folder, recipe.steps, state.step, quiet=fabric.global_rank != 0)

    def keep(step: int, *, validated: bool) -> None:
        state.step, state.network, state.optimizer = step, network.state_dict(), optimizer.state_dict()
        state.weights = ema.weights if recipe.ema_decay else state.network
        if recipe.rounded_weights:
            state.unrounded, state.weights = state.weights, as_rounded(network, state.weights)
        if validated and validate is not None and fabric.global_rank == 0:
            averaged = MatteNet(network.config)
            averaged.load_state_dict(state.weights)
            figures = validate(averaged.eval().to(fabric.device))
            minutes = (time.monotonic() - started) / 60
            state.history.append({"step": step, "minutes": minutes, **report.means(), **figures})
            report.validation(step, figures)
        if fabric.global_rank == 0:
            ckpt.save(last, state)

    if teacher is not None:
        teacher = channels_last(teacher.eval().requires_grad_(False)).to(fabric.device)
    if recipe.batch % fabric.world_size:
        raise ValueError(
            f"a batch of {recipe.batch} cannot be shared by {fabric.world_size} processes; give a multiple: --batch "
            f"{recipe.batch // fabric.world_size * fabric.world_size or fabric.world_size}"
        )
    steps = Steps(sampler, recipe.sizes_of_steps(), recipe.batch, fabric.global_rank, fabric.world_size)
    feed = batches(steps, start_step=state.step, workers=run.workers, device=fabric.device.type)
    saved = checked = time.monotonic()
    step = state.step
    took_s = agreed_s(fabric, run, started)
    with report:
        model.train()
        for batch in feed:
            factor = recipe.lr_factor(step, spent=spent(run, took_s))
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor
            rgb, truth = to_network(*batch, fabric.device)
            logits = model.logits(rgb)
            loss = combined(logits, truth, recipe.losses)
            if teacher is not None:
                mixed = (run.teacher_precision or run.precision) == "bf16"
                with torch.no_grad(), torch.autocast(fabric.device.type, torch.bfloat16, enabled=mixed):
                    taught = teacher(rgb).float()
                share = recipe.teacher_share
                loss = (1 - share) * loss + share * combined(logits, taught, recipe.losses)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=5.0)
            optimizer.step()
            step += 1
            if recipe.ema_decay:
                ema.update(network, step)
            report.step(step, loss.detach(), logits.detach(), truth, recipe.batch)
            took_s = agreed_s(fabric, run, started)
            if run.minutes is not None and took_s > run.minutes * 60:
                break
            if spent(run, took_s) >= 1:
                break
            if time.monotonic() - saved > run.save_every_s:
                due = time.monotonic() - checked > run.validate_every_s
                keep(step, validated=due)
                saved = time.monotonic()
                checked = saved if due else checked
        keep(step, validated=True)
    return state


def make_fabric(run: Run) -> Any:
    """Lightning Fabric: device, precision and processes."""
    from lightning_fabric import Fabric

    if run.threads:
        torch.set_num_threads(run.threads)
    launched = launched_processes(os.environ)
    devices, nodes = launched or (run.devices, 1)
    given: dict[str, Any] = {"accelerator": run.device, "devices": devices, "num_nodes": nodes}
    if launched is not None:
        from lightning_fabric.plugins.environments import TorchElasticEnvironment

        os.environ.setdefault("GROUP_RANK", os.environ.get("NODE_RANK", "0"))
        given["plugins"] = [TorchElasticEnvironment()]
    fabric = Fabric(**given, precision=PRECISIONS[run.precision])
    fabric.launch()
    return fabric


def launched_processes(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """How many processes torchrun or Ray Train has started on each node, and on how many nodes; None if neither has.

    Lightning would take one process to be all there is, and each would train by itself; beside Ray Train's it would
    start more. Raises ValueError if the nodes have different numbers of processes.
    """
    if not {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"} <= {*environment}:
        return None
    here, all_of_them = int(environment["LOCAL_WORLD_SIZE"]), int(environment["WORLD_SIZE"])
    if all_of_them % here:
        raise ValueError(
            f"{here} of {all_of_them} processes are on one node; give each node the same number of processes"
        )
    return here, all_of_them // here
