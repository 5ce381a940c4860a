"""Score the shipped models on clips with keyed mattes, before their own screen and before rooms that move.

bgcam runs as it does in a call: network, steadiness and guided edges, frame after frame. --peers runs others' networks
on the same frames, with their state where they keep one; their mattes are enlarged as their peers.py does it.
Units: bgcam.train.metrics.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.machine import describe
from bgcam.benchmarks.picture_scenes import CLIPS, Sample, before_screen, moving, rooms_of
from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.spec import ModelSpec

Float = NDArray[np.float32]
# The next frame's alpha, (H, W) float32 in [0, 1].
AlphaOf = Callable[[CameraFrame], Float]
FIGURES = {"mad": 2, "grad": 3, "dtssd": 3, "network": 2}


class Matter(Protocol):
    """What `realtime.matting.Matting` is here: the network's own matte of a frame, its two halves, and its name."""

    spec: ModelSpec

    def __call__(self, frame: CameraFrame) -> CoarseMatte: ...

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]: ...

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte: ...


@dataclass(frozen=True)
class Contender:
    """begin: called for each scene, since networks remember.

    network: runs of the network a frame, in the scene so far.
    """

    model: str
    begin: Callable[[tuple[int, int]], AlphaOf]
    network: Callable[[], float] = lambda: 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with clips and data/backgrounds")
    parser.add_argument(
        "--model", metavar="NAME|PATH", action="append", help="may be given again (default: every shipped one)"
    )
    parser.add_argument("--backend", default="auto", help="inference backend (default: auto)")
    add_half_rate(parser)
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="frames of each scene (default: 60)")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="folder with peers.py: score its networks too")
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_half_rate(parser: argparse.ArgumentParser) -> None:
    help = "score each model with --matte-rate half too"
    parser.add_argument("--half-rate", action="store_true", help=help)


def run(args: argparse.Namespace) -> None:
    from bgcam.realtime.model.find import shipped_models

    if args.frames < 2:
        raise UsageError(f"--frames {args.frames}: give at least 2")
    rates = (False, True) if args.half_rate else (False,)
    contenders = [
        bgcam(model, backend=args.backend, half_rate=half) for model in args.model or shipped_models() for half in rates
    ]
    if args.peers:
        contenders += peers(args.peers)
    rows = [
        {"scene": name, "model": contender.model, **figures(contender, samples)}
        for name, samples in scenes(args.shared, frames=args.frames)
        for contender in contenders
    ]
    if args.json:
        print(json.dumps({"rows": rows, "frames": args.frames, **describe()}, indent=1))
    else:
        print(table(rows))


def scenes(shared: Path, *, frames: int) -> Iterator[tuple[str, list[Sample]]]:
    """Each clip as it is, and before a room that pans while the person sways. Raises SourceError without clips."""

    def nothing(frame: CameraFrame) -> CoarseMatte:
        return CoarseMatte(frame.number, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))

    for clip in CLIPS:
        folder = shared / "clips" / clip
        if not folder.is_dir():
            raise SourceError(f"{folder}: no such folder; give --shared the folder that holds clips and data")
        name = clip.removesuffix("_matte")
        # The scenes' own networks are not asked: here every contender is.
        yield f"{name}, screen", list(before_screen(folder, nothing, frames=frames))
        yield f"{name}, moving room", list(moving(folder, rooms_of(shared), nothing, frames=frames, sway=True))


def figures(contender: Contender, samples: Sequence[Sample]) -> dict[str, float]:
    """MAD and Grad as means over the frames, dtSSD, and runs of the network a frame."""
    from bgcam.train.metrics import dtssd, grad, mad

    alpha_of = contender.begin(samples[0].frame.size_wh)
    alphas = [alpha_of(sample.frame) for sample in samples]
    truths = [sample.alpha for sample in samples]
    return {
        "mad": float(np.mean([mad(a, t) for a, t in zip(alphas, truths, strict=True)])),
        "grad": float(np.mean([grad(a, t) for a, t in zip(alphas, truths, strict=True)])),
        "dtssd": dtssd(alphas, truths),
        "network": contender.network(),
    }


def bgcam(
    model: str,
    *,
    backend: str = "auto",
    without: Sequence[str] = (),
    matting: Matter | None = None,
    half_rate: bool = False,
    crop: bool = False,
) -> Contender:
    """A model with the chain's stages that make the matte, but those of `without`.

    matting: in the place of the model's own. half_rate: with `--matte-rate half`. crop: with the crop of cameras.
    """
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.failsafe.placeholder import SafeBackground
    from bgcam.realtime.model.find import find_model
    from bgcam.realtime.model.half_rate import HalfRate
    from bgcam.realtime.model.matte_crop import CropMatting
    from bgcam.realtime.model.matting import Matting
    from bgcam.realtime.picture.chain import Chain

    matter = _Counted(matting or Matting(find_model(model), backend=backend))
    frames = 0

    def begin(size_wh: tuple[int, int]) -> AlphaOf:
        nonlocal frames
        chain = Chain(SafeBackground(open_background("green"), size_wh), without=without)
        looks = CropMatting(matter) if crop else matter
        find = HalfRate(looks) if half_rate else looks
        frames = matter.runs = 0

        def alpha_of(frame: CameraFrame) -> Float:
            nonlocal frames
            frames += 1
            return chain.alpha(chain.prepare(frame, find(frame))).copy()

        return alpha_of

    name = matter.spec.name + ", crop" * crop + ", half rate" * half_rate
    return Contender(name, begin, network=lambda: matter.runs / max(1, frames))


class _Counted:
    """Called as `Matting` is. runs: how often the network ran."""

    def __init__(self, matting: Matter):
        self.spec, self.runs, self._matting = matting.spec, 0, matting

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        return self.infer(frame, self.see(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return self._matting.see(frame)

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        self.runs += 1
        return self._matting.infer(frame, seen_bgr)


def peers(folder: Path) -> list[Contender]:
    """The networks of a folder with peers.py."""
    from bgcam.benchmarks.quality import load_peers

    module = load_peers(folder)

    def contender(name: str) -> Contender:
        peer = module.Peer(name)

        def begin(size_wh: tuple[int, int]) -> AlphaOf:
            peer.reset()

            def alpha_of(frame: CameraFrame) -> Float:
                rgb = np.ascontiguousarray(frame.room_bgr[..., ::-1])
                return np.clip(np.asarray(peer(rgb), np.float32), 0, 1)

            return alpha_of

        return Contender(name, begin)

    return [contender(name) for name in module.SPECS]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A line a network, and for each scene its figures."""
    names = list(dict.fromkeys(row["scene"] for row in rows))
    heads = " | ".join(f"{name}: MAD / Grad / dtSSD / network" for name in names)
    lines = [f"| network | {heads} |", "|---" * (len(names) + 1) + "|"]
    for model in dict.fromkeys(row["model"] for row in rows):
        own = {row["scene"]: row for row in rows if row["model"] == model}
        cells = [" / ".join(f"{own[name][key]:.{digits}f}" for key, digits in FIGURES.items()) for name in names]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)
