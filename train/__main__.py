"""`python -m bgcam.train prepare | pack | label | correct | fit | widen | average | figures | score | weights`."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bgcam.packages import lacking, missing

if TYPE_CHECKING:
    from bgcam.train.teachers import Teacher


def minutes(text: str) -> float:
    """Minutes above 0; argparse.ArgumentTypeError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; give minutes above 0, such as 8.5")
    return value


def spread(text: str) -> float:
    """A disagreement, 0 to 0.5; argparse.ArgumentTypeError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 0.5:
        raise argparse.ArgumentTypeError(f"{text!r} is not a disagreement; give a number from 0 to 0.5")
    return value


def parser() -> argparse.ArgumentParser:
    """The command line."""
    ap = argparse.ArgumentParser(prog="python -m bgcam.train", description="Prepare data and train the matte network.")
    sub = ap.add_subparsers(dest="command", required=True)

    p = sub.add_parser("prepare", help="hard masks -> soft mattes and foreground colours")
    p.add_argument("source", type=Path, metavar="SRC", help="images/ and masks/, or clip_img/ and matting/")
    p.add_argument("destination", type=Path, metavar="DST")
    p.add_argument("--keep-alpha", action="store_true", help="the mattes are soft already (keyed): despill")
    p.add_argument("--max-side", type=int, default=448, metavar="PX", help="shrink larger pictures to this (448)")
    p.add_argument("--workers", type=int, help="processes (all cores)")

    p = sub.add_parser("pack", help="prepared folders -> a few tar files to carry to another machine")
    p.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="prepared sets, or folders of pictures")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--part-mb", type=float, default=60.0, help="size of a part at most (60)")
    p.add_argument("--max-side", type=int, default=384, metavar="PX", help="shrink larger pictures to this (384)")

    teachers = argparse.ArgumentParser(add_help=False)
    teachers.add_argument("--network", type=Path, nargs="*", default=[], metavar="FILE", help="checkpoints or weights")
    teachers.add_argument("--peers", type=Path, metavar="DIR", help="folder with peers.py and other tools' networks")
    teachers.add_argument(
        "--peer", nargs="*", default=[], metavar="NAME", help="which of them; one given twice counts double"
    )
    p = sub.add_parser("label", parents=[teachers], help="label photos by what several networks agree on")
    p.add_argument("sources", type=Path, nargs="+", metavar="SRC", help="folders of pictures")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--limit", type=spread, help="leave out photos on which they disagree more, 0 to 0.5 (0.25)")

    p = sub.add_parser("correct", parents=[teachers], help="correct labels that all networks contradict (seen/)")
    p.add_argument("folder", type=Path, metavar="DATA", help="a prepared folder")
    p.add_argument("--without", nargs="*", default=[], metavar="SET", help="not the photos of these name prefixes")

    p = sub.add_parser("fit", help="train; continues from OUT/last.pt if it exists")
    p.add_argument("data", type=Path, nargs="+", metavar="DATA", help="prepared folders (or plain images/ and masks/)")
    p.add_argument("--out", type=Path, required=True, help="folder of the run")
    p.add_argument("--backgrounds", type=Path, help="folder of photos without people")
    p.add_argument("--things", type=Path, help="folder of RGBA cut-outs, ROOM_KIND.png, to put into those rooms")
    p.add_argument("--recipe", choices=("best", "finish", "paper"), default="best")
    p.add_argument("--encoder", choices=("resnet50", "efficientnet_lite0"), default="resnet50")
    p.add_argument("--width", type=float, choices=(0.5, 1.0), default=1.0, help="channels against ResNet50 (1.0)")
    p.add_argument("--stride-on", choices=("conv1", "conv2"), default="conv2", help="conv2 as torchvision (default)")
    p.add_argument("--pool", choices=("pad", "ceil"), default="pad", help="pad as torchvision (default)")
    p.add_argument("--encoder-weights", type=Path, metavar="FILE", help="ImageNet checkpoint with torchvision's names")
    p.add_argument("--init", type=Path, metavar="FILE", help="start from this network's weights (.pt or .safetensors)")
    p.add_argument("--teacher", type=Path, metavar="FILE", help="learn from this network's mattes too")
    p.add_argument("--without", nargs="*", default=[], metavar="SET", help="leave out photos of these name prefixes")
    p.add_argument("--steps", type=int, help="optimiser steps in all")
    p.add_argument("--batch", type=int)
    p.add_argument("--lr", type=float)
    p.add_argument("--encoder-lr", type=float)
    p.add_argument(
        "--frozen-stride",
        type=int,
        choices=(0, 2, 4, 8, 16, 32),
        metavar="S",
        help="freeze the encoder up to stride S",
    )
    p.add_argument("--frozen-depthwise", action="store_true", help="keep depthwise weights: a third faster on CPUs")
    p.add_argument("--rounded-weights", action="store_true", help="train with weights as an INT8 file stores them")
    p.add_argument(
        "--sizes",
        choices=("middle", "full"),
        help="train at 256x192 and its like only, or at 320x240 and its like (as the recipe says)",
    )
    p.add_argument("--seed", type=int)
    p.add_argument("--minutes", type=minutes, help="stop this part of the run after this time; run again to continue")
    p.add_argument("--budget-minutes", type=minutes, help="for the whole run: the rates fall with the time spent")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--devices", type=int, default=1)
    p.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="fp32: for CPUs without AMX (bf16)")
    p.add_argument("--teacher-precision", choices=("bf16", "fp32"), help="of the teacher (as --precision)")
    p.add_argument("--threads", type=int, default=0, help="of the network on a CPU (all cores)")
    p.add_argument("--workers", type=int, default=2, help="processes that prepare pictures (2); 0: none")

    p = sub.add_parser("widen", help="a half-width network -> full width, the same function")
    p.add_argument("checkpoint", type=Path)
    p.add_argument("output", type=Path, help=".safetensors")
    p.add_argument("--how", choices=("copy", "zero"), default="copy")

    p = sub.add_parser("slim", help="`fast` -> the smaller `light`, as a start for fit --teacher")
    p.add_argument("checkpoint", type=Path)
    p.add_argument("data", type=Path, nargs="+", metavar="DATA", help="prepared folders; 100 of their photos are used")
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help=".safetensors")

    p = sub.add_parser("average", help="mix the weights of two checkpoints of one network")
    p.add_argument("first", type=Path)
    p.add_argument("second", type=Path)
    p.add_argument("output", type=Path)
    p.add_argument("--share", type=float, default=0.5, help="how much of the second (0.5)")

    p = sub.add_parser("figures", help="curves and panels of a run, as PNG")
    p.add_argument("checkpoint", type=Path)
    p.add_argument("data", type=Path, nargs="+")
    p.add_argument("--out", type=Path, required=True)

    p = sub.add_parser("score", help="L1, dice and IoU on training and validation photos, without augmentation")
    p.add_argument("checkpoint", type=Path)
    p.add_argument("data", type=Path, nargs="+")
    p.add_argument("--validation-share", type=float, default=0.1)
    p.add_argument("--without", nargs="*", default=[], metavar="SET", help="leave out photos of these name prefixes")
    p.add_argument("--backgrounds", type=Path, help="rooms without people: false alarms on the held-out ones")
    p.add_argument("--limit", type=int, default=600, metavar="N", help="photos of each part, evenly spread (600)")

    p = sub.add_parser("weights", help="a checkpoint -> its weights alone, FP16 safetensors")
    p.add_argument("checkpoint", type=Path)
    p.add_argument("output", type=Path)
    return ap


def run_prepare(args: argparse.Namespace) -> None:
    from bgcam.train.prepare import prepare

    states = prepare(
        args.source, args.destination, keep_alpha=args.keep_alpha, max_side_px=args.max_side, workers=args.workers
    )
    print(", ".join(f"{count} {state}" for state, count in states.items()) + f": {args.destination}")


def run_pack(args: argparse.Namespace) -> None:
    from bgcam.train.pack import pack

    parts = pack(args.folders, args.out, part_mb=args.part_mb, max_side_px=args.max_side)
    for part in parts:
        print(f"{part}: {part.stat().st_size / 1e6:.1f} MB")


def run_label(args: argparse.Namespace) -> None:
    from bgcam.train.label import DISAGREEMENT_LIMIT, label

    limit = DISAGREEMENT_LIMIT if args.limit is None else args.limit
    kept, dropped = label(teachers_of(args), args.sources, args.out, limit=limit)
    print(f"{kept} labelled, {dropped} left out because the networks disagree: {args.out}")


def run_correct(args: argparse.Namespace) -> None:
    from bgcam.train.label import correct

    count, moved = correct(teachers_of(args), args.folder, without=args.without)
    print(f"{count} labels checked, changed by {moved:.4f} on average: {args.folder / 'seen'}")


def teachers_of(args: argparse.Namespace) -> list[Teacher]:
    """The networks that `label` and `correct` ask; ValueError when there is none."""
    from bgcam.train.teachers import load_peers, own_teacher, peer_teacher

    if bool(args.peer) != bool(args.peers):
        raise ValueError("--peers DIR, the folder with peers.py, and --peer NAME go together")
    teachers = [own_teacher(path) for path in args.network]
    if args.peers:
        peers = load_peers(args.peers)
        teachers += [peer_teacher(peers, name) for name in args.peer]
    if not teachers:
        raise ValueError("no network to ask: give --network FILE, or --peers DIR --peer NAME")
    return teachers


def run_fit(args: argparse.Namespace) -> None:
    import torch

    from bgcam.train import checkpoint as ckpt
    from bgcam.train import recipes
    from bgcam.train.data import Backgrounds, PhotoSet, Sampler, Things
    from bgcam.train.fit import Run, fit
    from bgcam.train.network import FAST, MatteNet, NetworkConfig
    from bgcam.train.sets import set_of
    from bgcam.train.validate import make_validator

    share = 0.2 if args.recipe == "paper" else 0.1
    photos = PhotoSet.from_folders(args.data, validation=False, share=share, without=args.without)
    held = PhotoSet.from_folders(args.data, validation=True, share=share, without=args.without)
    chosen = {"best": recipes.BEST, "finish": recipes.FINISH, "paper": recipes.paper(len(photos))}
    recipe = recipes.changed(
        chosen[args.recipe],
        steps=args.steps,
        batch=args.batch,
        lr=args.lr,
        encoder_lr=args.encoder_lr,
        frozen_stride=args.frozen_stride,
        frozen_depthwise=args.frozen_depthwise or None,
        rounded_weights=args.rounded_weights or None,
        seed=args.seed,
        sizes_wh={"middle": ((1.0, recipes.MIDDLE),), "full": ((1.0, recipes.FULL),), None: None}[args.sizes],
    )
    torch.manual_seed(recipe.seed)
    if args.init:
        start = ckpt.load(args.init)
        network = MatteNet(start.config)
        network.load_state_dict(start.weights)
    else:
        resnet50 = NetworkConfig(width=args.width, stride_on=args.stride_on, pool=args.pool)
        network = MatteNet(FAST if args.encoder == "efficientnet_lite0" else resnet50)
        if args.encoder_weights:
            ckpt.load_encoder(network, args.encoder_weights)
    sets = sorted({set_of(p.stem) for p in photos.pairs})
    run = Run(
        args.out,
        minutes=args.minutes,
        budget_minutes=args.budget_minutes,
        device=args.device,
        devices=args.devices,
        precision=args.precision,
        teacher_precision=args.teacher_precision,
        threads=args.threads,
        workers=args.workers,
    )
    sampler = Sampler(
        photos,
        Backgrounds(args.backgrounds),
        seed=recipe.seed,
        style=recipe.name,
        twins=recipe.twins,
        things=Things(args.things),
    )
    teacher = ckpt.build_network(ckpt.load(args.teacher)) if args.teacher else None
    print(f"{len(photos)} photos to train on, {len(held)} to validate, {len(sampler.backgrounds)} backgrounds")
    state = fit(
        network,
        sampler,
        recipe,
        run,
        validate=make_validator(held),
        teacher=teacher,
        notes={"data": f"{len(photos)} photos: {', '.join(sets)}"},
    )
    if state.history:
        draw_figures(run.folder / "last.pt", args.data, run.folder / "figures")
    print(f"step {state.step} of {recipe.steps}: {run.folder / 'last.pt'}")


def draw_figures(checkpoint: Path, data: list[Path], out: Path) -> None:
    """Write curves.png and panels.png."""
    import numpy as np

    from bgcam.train import checkpoint as ckpt
    from bgcam.train.data import PhotoSet
    from bgcam.train.figures import draw_curves, draw_panels

    state = ckpt.load(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    if state.history:
        draw_curves(state, out / "curves.png")
    held = PhotoSet.from_folders(data, validation=True, share=0.1)
    indices = np.linspace(0, len(held) - 1, min(8, len(held)), dtype=int).tolist()
    draw_panels(ckpt.build_network(state), held, indices, out / "panels.png")
    print(f"figures: {out}")


def run_figures(args: argparse.Namespace) -> None:
    draw_figures(args.checkpoint, args.data, args.out)


def run_widen(args: argparse.Namespace) -> None:
    from bgcam.train import checkpoint as ckpt
    from bgcam.train.widen import widen

    state = ckpt.load(args.checkpoint)
    wide = widen(ckpt.build_network(state), how=args.how)
    state.config, state.weights = wide.config, wide.state_dict()
    ckpt.save_weights(args.output, state)
    print(f"{args.output}: {sum(p.numel() for p in wide.parameters()) / 1e6:.1f} M parameters")


def run_slim(args: argparse.Namespace) -> None:
    from bgcam.train import checkpoint as ckpt
    from bgcam.train.data import PhotoSet
    from bgcam.train.slim import pictures_for, slim

    state = ckpt.load(args.checkpoint)
    photos = PhotoSet.from_folders(args.data, validation=False, share=0.1)
    light = slim(ckpt.build_network(state), pictures_for(photos))
    state.config, state.weights = light.config, light.state_dict()
    ckpt.save_weights(args.out, state)
    print(f"{args.out}: {sum(p.numel() for p in light.parameters()) / 1e6:.1f} M parameters")


def run_average(args: argparse.Namespace) -> None:
    from bgcam.train import checkpoint as ckpt

    ckpt.save(args.output, ckpt.average(ckpt.load(args.first), ckpt.load(args.second), args.share))
    print(args.output)


def run_score(args: argparse.Namespace) -> None:
    from bgcam.train.score import score

    lines = score(
        args.checkpoint,
        args.data,
        share=args.validation_share,
        limit=args.limit,
        backgrounds=args.backgrounds,
        without=args.without,
    )
    for line in lines:
        print(line)


def run_weights(args: argparse.Namespace) -> None:
    from bgcam.train import checkpoint as ckpt

    ckpt.save_weights(args.output, ckpt.load(args.checkpoint))
    print(args.output)


COMMANDS = {
    "prepare": run_prepare,
    "pack": run_pack,
    "label": run_label,
    "correct": run_correct,
    "fit": run_fit,
    "widen": run_widen,
    "slim": run_slim,
    "average": run_average,
    "figures": run_figures,
    "score": run_score,
    "weights": run_weights,
}


# What each imports beyond bgcam's own dependencies; the extra `train` brings all of it.
_TORCH = ("torch", "safetensors")
NEEDS: dict[str, tuple[str, ...]] = {
    "prepare": ("pymatting",),
    "pack": (),
    "label": ("torch", "pymatting"),
    "correct": ("torch", "pymatting"),
    "fit": (*_TORCH, "pymatting", "matplotlib", "tensorboard", "lightning_fabric"),
    "widen": _TORCH,
    "slim": _TORCH,
    "average": _TORCH,
    "figures": (*_TORCH, "matplotlib"),
    "score": _TORCH,
    "weights": _TORCH,
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; errors that people can mend are one line."""
    args = parser().parse_args(argv)
    if line := lacking(dict.fromkeys(NEEDS.get(args.command, ()), "train")):
        print(f"bgcam.train: {line}", file=sys.stderr)
        return 1
    try:
        COMMANDS[args.command](args)
    except (OSError, ValueError) as error:
        print(f"bgcam.train: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"bgcam.train: {missing(error.name or '', extras='train')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bgcam.train: stopped; run the same command to continue from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
