"""Score the shipped model, as users run it, on a folder with images/ and masks/ or alphas/ (same stems).

Every picture goes through `Matting` on its own, in the orientation that fits it, and is compared at its own size; each
figure is the mean over pictures (units: bgcam.train.metrics). --peers scores others' networks on the same pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.machine import describe
from bgcam.realtime.errors import SourceError, UsageError

if TYPE_CHECKING:
    from bgcam.train.pairs import Pair


@dataclass(frozen=True)
class Contender:
    """A network to score. alpha_of: (H, W, 3) uint8 BGR -> (H, W) float32 in [0, 1], the same for each call."""

    model: str
    backend: str
    alpha_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with images/ and masks/ or alphas/")
    parser.add_argument(
        "--model", metavar="NAME|PATH", action="append", help="a shipped model or an .onnx file; may be given again"
    )
    parser.add_argument("--backend", default="auto", help="inference backend (default: auto)")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N pictures, spread evenly over the folder")
    parser.add_argument("--set", metavar="PREFIX", help="only pictures whose names begin so (coco_)", default="")
    parser.add_argument("--held-out", action="store_true", help="only pictures that training never sees (a tenth)")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="folder with peers.py: score its networks too")
    parser.add_argument("--json", action="store_true", help="print JSON: one object, or for several networks a list")


def run(args: argparse.Namespace) -> None:
    pairs = choose_pairs(args.folder, limit=args.limit, prefix=args.set, held_out=args.held_out)
    own = [shipped(model, backend=args.backend) for model in args.model or [None]]
    contenders = [*own, *(peers(args.peers) if args.peers else ())]
    about = {"set": f"{args.folder.resolve().name} {args.set}".strip(), **describe()}
    results = [
        {**scores, "model": contender.model, "backend": contender.backend, **about}
        for contender, scores in zip(contenders, average_scores(contenders, pairs), strict=True)
    ]
    if args.json:
        print(json.dumps(results if len(contenders) > 1 else results[0], indent=1))
    else:
        print(table(results))


def choose_pairs(folder: Path, *, limit: int | None = None, prefix: str = "", held_out: bool = False) -> list[Pair]:
    """The folder's pairs, at most `limit` of them, evenly spread. Files without a partner are named on stderr.

    prefix: of the names. held_out: only those of training's validation split.
    """
    from bgcam.train.pairs import find_pairs

    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: give at least 1 picture")
    try:
        pairs, problems = find_pairs(folder)
    except FileNotFoundError as error:
        raise SourceError(str(error)) from None
    for problem in problems:
        _skipped(problem)
    pairs = [pair for pair in pairs if pair.stem.startswith(prefix)]
    if held_out:
        from bgcam.train.data import in_validation
        from bgcam.train.recipes import BEST

        pairs = [pair for pair in pairs if in_validation(pair.stem, BEST.validation_share)]
    if not pairs:
        raise SourceError(f"{folder}: no picture there has a mask of the same name, or none is asked for")
    if limit is not None and limit < len(pairs):
        pairs = [pairs[int(at)] for at in np.linspace(0, len(pairs) - 1, limit)]
    return pairs


def shipped(model: str | None, *, backend: str) -> Contender:
    """The model as the command runs it."""
    from bgcam.realtime.frames import CameraFrame
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.picture.guided_filter import whole_matte

    matting = Matting(find_model(model), backend=backend)
    description = matting.prepare(matting.spec.sizes_wh[0]).description

    def alpha_of(bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        frame = CameraFrame(number=0, room_bgr=bgr, time_s=0.0, captured_s=0.0)
        return whole_matte(frame, matting(frame)).alpha

    return Contender(matting.spec.name, description, alpha_of)


def load_peers(folder: Path) -> Any:
    """`train.teachers.load_peers`; SourceError where that raises."""
    from bgcam.train import teachers

    try:
        return teachers.load_peers(folder)
    except ValueError as error:
        raise SourceError(str(error)) from None


def peers(folder: Path) -> list[Contender]:
    """The networks of a folder with peers.py, for stills."""
    from bgcam.train.teachers import peer_teacher

    module = load_peers(folder)

    def contender(name: str) -> Contender:
        teacher = peer_teacher(module, name)
        return Contender(name, "peers.py", lambda bgr: teacher(np.ascontiguousarray(bgr[..., ::-1])))

    return [contender(name) for name in module.SPECS]


def average_scores(contenders: Sequence[Contender], pairs: Sequence[Pair]) -> list[dict[str, float]]:
    """For each contender the mean of each figure of `train.metrics.score`, and `n`, the pictures that count.

    A picture that cannot be read, or whose mask is of another size, is named on stderr and counts for nobody.
    """
    from bgcam.train.metrics import IMAGE_METRICS, score

    scores: list[list[dict[str, float]]] = [[] for _ in contenders]
    for bgr, truth in _readable(pairs):
        for own, contender in zip(scores, contenders, strict=True):
            own.append(score(contender.alpha_of(bgr), truth))
    if not scores[0]:
        raise SourceError("none of the pictures could be scored; see the lines above")
    return [
        {**{name: float(np.mean([one[name] for one in own])) for name in IMAGE_METRICS}, "n": len(own)}
        for own in scores
    ]


def table(results: Sequence[dict[str, Any]]) -> str:
    """One line a network, for people."""
    columns = {"iou": 2, "miou": 2, "dice": 4, "l1": 4, "mad": 2, "mse": 2, "sad": 3, "grad": 3, "conn": 3, "n": 0}
    width = max(len(str(one["model"])) for one in results)
    lines = [" ".join([f"{'':{width}}", *(f"{name:>8}" for name in columns)])]
    lines += [
        " ".join([f"{one['model']:{width}}", *(f"{one[name]:8.{digits}f}" for name, digits in columns.items())])
        for one in results
    ]
    return "\n".join(lines)


def _readable(pairs: Sequence[Pair]) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    from rich.console import Console
    from rich.progress import track

    from bgcam.train.pairs import read_alpha, read_rgb

    for pair in track(pairs, description="pictures", console=Console(stderr=True)):
        try:
            rgb, alpha = read_rgb(pair.image), read_alpha(pair)
        except ValueError as error:
            _skipped(str(error))
            continue
        if rgb.shape[:2] != alpha.shape:
            _skipped(f"{pair.image}: {_size(rgb)}, but its mask is {_size(alpha)}")
            continue
        yield np.ascontiguousarray(rgb[..., ::-1]), alpha.astype(np.float32) / np.float32(255)


def _size(picture: NDArray[np.uint8]) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def _skipped(problem: str) -> None:
    print(f"skipped: {problem}", file=sys.stderr)
