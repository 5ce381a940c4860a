"""Score networks before rooms that stand still, as a webcam's does: how much of the room shows, and how it flickers.

bgcam runs as it does in a call: network, then the picture chain's stages that make the matte, frame after frame.
--weights runs a training checkpoint in FP32 in the INT8 file's place; --peers others' networks, as `clips` does. All
see the same frames. Scenes: `benchmarks/room_scenes.py`. A scene's frames before --warm-up are seen, but not scored.
--plate shows the empty room before each scene, so that bgcam learns it: with `--without room_plate`, the same frames
without what it learnt.

- mad, grad, dtssd: `bgcam.train.metrics`.
- shown: room shown, x1e3. Share of the true room with alpha above 0.2, of what is farther from the person than 1/40 of
  the picture's width (8 pixels of 320).
- flips: how often such a place goes on or off, x1e3: changes a frame, over all of that room.
- boil: the same changes over the places that are shown, not over all: 0 stands still, 1 is new each frame.
- ghost: how much of the frame before is still in the matte where the person moves, see `picture_scores.lag`.
- network: runs of the network a frame. --half-rate scores each model with `--matte-rate half` too, --crop with the crop
  around the person and without it. --height gives the person other heights, in shares of the picture's.

Each is the mean over scenes, and behind the stroke the worst scene's. boil and ghost are of all scenes together.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.clips import AlphaOf, Contender, add_half_rate, bgcam, peers
from bgcam.benchmarks.machine import describe
from bgcam.benchmarks.picture_scenes import SIZE_WH
from bgcam.benchmarks.picture_scores import lag_sums
from bgcam.benchmarks.room_scenes import PERSON_HEIGHT_SHARE, RoomFrame, Scene, scenes
from bgcam.benchmarks.trained import trained_matting
from bgcam.realtime.errors import UsageError

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

SHOWN_ALPHA = 0.2
FAR_SHARE = 1 / 40
# Digits of each figure in the table.
FIGURES = {"mad": 2, "grad": 3, "dtssd": 3, "shown": 2, "flips": 2, "boil": 3, "ghost": 3, "network": 2}
GRAD_EVERY = 3
# Smaller people than these are a few pixels.
LEAST_HEIGHT = 0.1
# Four seconds: bgcam learns the room once nobody is in it for three.
EMPTY_FRAMES = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with clips and data")
    parser.add_argument(
        "--model", metavar="NAME|PATH", action="append", help="may be given again (default: every shipped one)"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", nargs="+", default=[], help="checkpoints (.pt, .safetensors) in FP32"
    )
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="folder with peers.py: score its networks too")
    parser.add_argument("--held-out", action="store_true", help="no keyed clips: for choosing between trained weights")
    parser.add_argument("--backend", default="auto", help="inference backend (default: auto)")
    add_half_rate(parser)
    parser.add_argument("--crop", action="store_true", help="score each model with the crop around the person too")
    parser.add_argument(
        "--height",
        type=float,
        metavar="SHARE",
        nargs="+",
        default=[],
        help=f"the person's heights, as shares of the picture's, in turn (default: {PERSON_HEIGHT_SHARE})",
    )
    parser.add_argument("--without", metavar="STAGE", nargs="+", default=[], help="stages to leave out of the chain")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth scene (default: 1)")
    parser.add_argument("--frames", type=int, default=90, metavar="N", help="frames of each scene (default: 90)")
    parser.add_argument("--warm-up", type=int, default=30, metavar="N", help="frames not scored (default: 30)")
    parser.add_argument("--plate", action="store_true", help="show the empty room before each scene, to be learnt")
    parser.add_argument("--scenes", action="store_true", help="also print a line per scene")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    from bgcam.realtime.model.find import shipped_models

    if not 0 <= args.warm_up <= args.frames - 2:
        raise UsageError(f"--warm-up {args.warm_up} of {args.frames} frames: leave at least 2 to score")
    if args.every < 1:
        raise UsageError(f"--every {args.every}: give 1 or more")
    for share in args.height:
        if not LEAST_HEIGHT <= share <= 1:
            raise UsageError(f"--height {share:g}: give shares of the picture's height, {LEAST_HEIGHT} to 1")
    without = checked_stages(args.without)
    found = scenes(args.shared, held_out=args.held_out)[:: args.every]
    names = args.model or ([] if args.weights else shipped_models())
    rates = (False, True) if args.half_rate else (False,)
    crops = (False, True) if args.crop else (False,)
    contenders = [
        bgcam(name, backend=args.backend, without=without, half_rate=half, crop=crop)
        for name in names
        for half in rates
        for crop in crops
    ]
    for path in args.weights:
        trained = trained_matting(path, size_wh=SIZE_WH, backend=args.backend)
        contenders += [bgcam(str(path), without=without, matting=trained, crop=crop) for crop in crops]
    contenders += peers(args.peers) if args.peers else []
    empty = EMPTY_FRAMES if args.plate else 0
    rows = list(results(found, contenders, frames=args.frames, warm_up=args.warm_up, empty=empty, heights=args.height))
    if args.json:
        about = {
            "frames": args.frames,
            "warm_up": args.warm_up,
            "held_out": args.held_out,
            "plate": args.plate,
            **describe(),
        }
        print(json.dumps({"networks": summaries(rows), "rows": rows, **about}, indent=1))
    else:
        print(table(summaries(rows)))
        if args.scenes:
            print(f"\n{scene_table(rows)}")


def checked_stages(names: Sequence[str]) -> Sequence[str]:
    """Raises UsageError for a name that is no stage of the chain's."""
    from bgcam.realtime.picture.stages import STAGES

    for name in names:
        if name not in STAGES:
            raise UsageError(f"--without {name}: no such stage; there are {', '.join(STAGES)}")
    return names


def results(
    found: Sequence[Scene],
    contenders: Sequence[Contender],
    *,
    frames: int,
    warm_up: int,
    empty: int = 0,
    heights: Sequence[float] = (),
) -> Iterator[dict[str, Any]]:
    """A row for each scene, height and network: what they are, and FIGURES.

    empty: frames of the room alone, before these. heights: the person's, as shares of the picture's; then the networks'
    names say them.
    """
    from rich.console import Console
    from rich.progress import track

    for scene in track(found, description="rooms", console=Console(stderr=True)):
        about = {"room": scene.room, "person": scene.person, "motion": scene.motion}
        for height in heights or (PERSON_HEIGHT_SHARE,):
            tallies = score(scene.frames(frames, empty, height), contenders, warm_up=empty + warm_up)
            for contender, tally in zip(contenders, tallies, strict=True):
                model = f"{contender.model}, height {height:g}" if heights else contender.model
                network = contender.network()
                yield {**about, "model": model, **tally.figures(), "network": network, **tally.counts()}


def score(frames: Iterator[RoomFrame], contenders: Sequence[Contender], *, warm_up: int) -> list[Tally]:
    """Every network on every frame, in turn, so that no frame has to be kept."""
    tallies = [Tally() for _ in contenders]
    alphas: list[AlphaOf] = []
    for at, one in enumerate(frames):
        alphas = alphas or [contender.begin(one.frame.size_wh) for contender in contenders]
        far = far_room(one.alpha) if at >= warm_up else None
        for tally, alpha_of in zip(tallies, alphas, strict=True):
            alpha = alpha_of(one.frame)
            if far is not None:
                tally.add(alpha, one.alpha, far)
    return tallies


def far_room(truth: Float) -> Mask:
    """(H, W) bool: what is farther from the person than FAR_SHARE of the width."""
    distance = cv2.distanceTransform((truth < 0.02).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance > FAR_SHARE * truth.shape[1], np.bool_)


@dataclass
class Tally:
    """What one network's mattes of a scene add up to."""

    mad: list[float] = field(default_factory=list)
    grad: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    flipped_px: int = 0
    # Of the places that are room in two frames that follow each other: how many there were, and how many were shown.
    followed_px: int = 0
    followed_shown_px: float = 0.0
    lag_over: float = 0.0
    lag_under: float = 0.0
    _before: tuple[Float, Float, Mask, Mask] | None = None

    def add(self, alpha: Float, truth: Float, far: Mask) -> None:
        """The next frame: alpha and truth (H, W) float32 in [0, 1], far as `far_room`."""
        from bgcam.train.metrics import grad, mad

        if len(self.mad) % GRAD_EVERY == 0:  # it takes as long as all the rest
            self.grad.append(grad(alpha, truth))
        self.mad.append(mad(alpha, truth))
        error, shows = alpha - truth, (alpha > SHOWN_ALPHA) & far
        self.shown.append(1e3 * int(np.count_nonzero(shows)) / max(1, int(np.count_nonzero(far))))
        if self._before is not None:
            last_truth, last_error, last_shows, last_far = self._before
            over, under = lag_sums(alpha, last_truth, truth)
            self.lag_over, self.lag_under = self.lag_over + over, self.lag_under + under
            self.changed.append(1e2 * math.sqrt(float(np.mean(np.square(error - last_error), dtype=np.float64))))
            both = far & last_far
            self.flipped_px += int(np.count_nonzero((shows ^ last_shows) & both))
            self.followed_px += int(np.count_nonzero(both))
            shown = int(np.count_nonzero(shows & both)) + int(np.count_nonzero(last_shows & both))
            self.followed_shown_px += shown / 2
        self._before = truth, error, shows, far

    def figures(self) -> dict[str, float]:
        return {
            "mad": float(np.mean(self.mad)),
            "grad": float(np.mean(self.grad)),
            "dtssd": float(np.mean(self.changed)),
            "shown": float(np.mean(self.shown)),
            "flips": 1e3 * self.flipped_px / max(1, self.followed_px),
            "boil": boil(self.flipped_px, self.followed_shown_px),
            "ghost": ratio(self.lag_over, self.lag_under),
        }

    def counts(self) -> dict[str, float]:
        names = ("flipped_px", "followed_shown_px", "lag_over", "lag_under")
        return {name: getattr(self, name) for name in names}


def boil(flipped_px: float, shown_px: float) -> float:
    """Changes a frame for each place that is shown; nothing shown: 0."""
    return ratio(flipped_px, shown_px)


def ratio(over: float, under: float) -> float:
    return over / under if under else 0.0


def summaries(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each network, in order, the mean of each figure over scenes, and the worst scene's with its room."""
    out = []
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        one: dict[str, Any] = {"model": model, "scenes": len(own)}
        for key in FIGURES:
            worst = max(own, key=lambda row: float(row[key]))
            one[key] = float(np.mean([row[key] for row in own]))
            one[f"{key}_worst"], one[f"{key}_worst_room"] = worst[key], worst["room"]
        sums = {name: sum(row[name] for row in own) for name in Tally().counts()}
        one["boil"] = boil(sums["flipped_px"], sums["followed_shown_px"])
        one["ghost"] = ratio(sums["lag_over"], sums["lag_under"])
        out.append(one)
    return out


def table(found: Sequence[dict[str, Any]]) -> str:
    """A line a network: the mean, and behind the stroke the worst scene."""
    lines = [f"| network | {' | '.join(FIGURES)} | worst room by what shows |", "|---" * (len(FIGURES) + 2) + "|"]
    for one in found:
        cells = [f"{one[key]:.{digits}f} / {one[f'{key}_worst']:.{digits}f}" for key, digits in FIGURES.items()]
        lines.append(f"| {one['model']} | {' | '.join(cells)} | {one['shown_worst_room']} |")
    return "\n".join(lines)


def scene_table(rows: Sequence[dict[str, Any]]) -> str:
    """A line a scene: what each network shows of the room, x1e3, and its flips x1e3."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    lines = [
        f"| scene | {' | '.join(f'{model}: shown, flips' for model in models)} |",
        "|---" * (len(models) + 1) + "|",
    ]
    for name in dict.fromkeys((row["room"], row["person"], row["motion"]) for row in rows):
        own = {row["model"]: row for row in rows if (row["room"], row["person"], row["motion"]) == name}
        cells = [f"{own[model]['shown']:.2f}, {own[model]['flips']:.2f}" for model in models]
        lines.append(f"| {name[0]}, {name[1]} {name[2]} | {' | '.join(cells)} |")
    return "\n".join(lines)
