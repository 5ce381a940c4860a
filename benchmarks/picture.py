"""Measure what each stage of the picture chain gains and costs, with the network's own mattes.

Needs the folder with data/keyed, data/cutouts, data/backgrounds and clips/ (--shared). Stages are added one by one,
from the network's matte resized and blended to the whole chain; then the optional ones. Units of mad, grad, dtssd and
flicker: bgcam.train.metrics. fg_mse and out_mse: squared grey levels; tint: grey levels; ghost: frames; ms: a frame of
1280x720, all variants in turn on each frame.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bgcam.benchmarks.fps import decode
from bgcam.benchmarks.machine import describe
from bgcam.benchmarks.picture_scenes import CLIPS, SIZE_WH, Sample, before_screen, moving, rooms_of, still_scene, stills
from bgcam.benchmarks.picture_scores import (
    behind_picture,
    clip_flicker,
    noise_flicker,
    run_chain,
    still_scores,
    tint_left,
    video_scores,
)
from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds.blur import Blur
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.errors import SinkError, SourceError, UsageError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.look import Look
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.enlarge import whole_of
from bgcam.realtime.picture.work import Work

TIMED_CLIP, TIMED_WH = "s32.mp4", (1280, 720)
STILL_CLIPS = ("s32.mp4", "vretalk_4.mp4", "d0.mp4")
WARM_UP_FRAMES, LEAST_FRAMES = 5, 8
SCREEN_FRAMES = 5
COLUMNS = {
    "mad": 2, "grad": 3, "fg_mse": 0, "out_mse": 0, "tint": 1,
    "video_mad": 2, "dtssd": 2, "ghost": 3, "noise": 3, "flicker": 3, "ms": 2,
}  # fmt: skip


class Plain(Chain):
    """What there was before: the matte resized, and blended."""

    def alpha(self, work: Work, places: object = None) -> Any:
        resized = cv2.resize(work.coarse.alpha, work.frame.size_wh, interpolation=cv2.INTER_LINEAR)
        return np.clip(resized, 0, 1, dtype=np.float32)

    def draw(self, work: Work) -> Any:
        alpha = self.alpha(work)
        return cv2.blendLinear(work.frame.room_bgr, whole_of(work.background), alpha, 1 - alpha)


@dataclass(frozen=True)
class Variant:
    """A row of the table. scored: whether it is more than a cost."""

    name: str
    make: Callable[[Background], Chain]
    scored: bool = True
    blurred: bool = False


def variants() -> list[Variant]:
    """From nothing to the whole chain; then what is off by default, and the blurred room."""

    def without(*names: str) -> Callable[[Background], Chain]:
        return lambda background: Chain(background, without=names)

    def looking(**options: Any) -> Callable[[Background], Chain]:
        return lambda background: Chain(background, Look(**options))

    return [
        Variant(
            "resized and blended",
            lambda background: Plain(background, without=("temporal_filter", "guided_filter", "foreground")),
        ),
        Variant("+ contrast, tiles", without("temporal_filter", "guided_filter", "foreground")),
        Variant("+ guided upsampling", without("temporal_filter", "foreground")),
        Variant("+ person's own colours", without("temporal_filter", "despill")),
        Variant("+ spill removed", without("temporal_filter")),
        Variant("+ steadied: the default", without()),
        Variant("default, blurred room", without(), scored=False, blurred=True),
        Variant("with --light-wrap 5", looking(wrap=5), scored=False),
        Variant("with --light-match 5", looking(match=5), scored=False),
        Variant("with --edge shrink:2", looking(edge_steps=-2), scored=False),
        Variant("with --frame follow", looking(frame="follow"), scored=False),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shared", type=Path, default=Path("../shared"), metavar="DIR", help="default: ../shared")
    parser.add_argument("--model", metavar="NAME|PATH", help="a shipped model or an .onnx file (default: bgcam's own)")
    parser.add_argument("--backend", default="auto", help="inference backend (default: auto)")
    parser.add_argument("--stills", type=int, default=60, metavar="N", help="composites to score (default: 60)")
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="frames of each clip (default: 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")


def run(args: argparse.Namespace) -> None:
    from bgcam.realtime.model.find import find_model

    if args.stills < 2 or args.frames < LEAST_FRAMES:
        raise UsageError(f"--stills {args.stills} --frames {args.frames}: give at least 2 and {LEAST_FRAMES}")
    if not args.shared.is_dir():
        raise SourceError(f"{args.shared}: no such folder; give --shared the folder that holds data and clips")
    matting = Matting(find_model(args.model), backend=args.backend)
    rows = measure(args.shared, matting, count=args.stills, frames=args.frames)
    result = {"rows": rows, "model": matting.spec.name, "stills": args.stills, "frames": args.frames, **describe()}
    print(table(rows))
    if args.json:
        try:
            args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise SinkError(f"{args.json}: cannot be written ({error.strerror}); give another --json") from error


def measure(shared: Path, matting: Matting, *, count: int, frames: int) -> list[dict[str, Any]]:
    """A row for each of `variants`: its name, and figures by the names of COLUMNS, None where it has none."""
    from rich.console import Console
    from rich.progress import track

    all_variants = variants()
    wanted = [one for one in all_variants if one.scored]
    figures: dict[str, dict[str, list[float]]] = {one.name: {} for one in all_variants}

    def note(variant: Variant, scores: dict[str, float]) -> None:
        for name, value in scores.items():
            figures[variant.name].setdefault(name, []).append(value)

    behind = behind_picture(SIZE_WH)
    waves = Still("waves", behind)
    samples = list(stills(shared, matting, count=count))
    for variant in track(wanted, description="stills", console=Console(stderr=True), transient=True):
        made = [part for one in samples for part in run_chain(variant.make(waves), [one])]
        note(variant, still_scores(samples, made, behind))
    scenes = [list(still_scene(samples[at], matting, frames=min(frames, 20))) for at in (0, len(samples) // 2)]
    for variant in wanted:
        for scene in scenes:
            note(variant, {"noise": noise_flicker(run_chain(variant.make(waves), scene))})
    rooms = rooms_of(shared)
    for clip in CLIPS:
        for sway in (False, True):
            folder = shared / "clips" / clip
            scene = list(moving(folder, rooms, matting, frames=frames, sway=sway))
            for variant in track(wanted, description=clip, console=Console(stderr=True), transient=True):
                note(variant, video_scores(scene, run_chain(variant.make(waves), scene)))
        scene = list(before_screen(folder, matting, frames=SCREEN_FRAMES))
        for variant in wanted:
            made = run_chain(variant.make(Still("waves", behind_picture(scene[0].frame.size_wh))), scene)
            note(variant, {"tint": tint_left(scene, made)})
    for clip in STILL_CLIPS:
        scene = read_clip(shared / "clips" / clip, matting, frames=frames)
        for variant in wanted:
            note(variant, {"flicker": clip_flicker(variant.make(waves), scene)})
    costs = time_variants(
        all_variants, read_clip(shared / "clips" / TIMED_CLIP, matting, frames=frames, size_wh=TIMED_WH)
    )
    for variant, cost_ms in zip(all_variants, costs, strict=True):
        note(variant, {"ms": cost_ms})
    return [
        {"stages": name, **{key: float(np.mean(found[key])) if key in found else None for key in COLUMNS}}
        for name, found in figures.items()
    ]


def read_clip(path: Path, matting: Matting, *, frames: int, size_wh: tuple[int, int] | None = None) -> list[Sample]:
    """The first frames of a clip with the network's mattes; truth is empty."""
    pictures, fps = decode(str(path), size_wh=size_wh, limit=frames)
    nothing = np.zeros((0, 0), np.float32)
    found = [CameraFrame(at, bgr, at / fps, 0.0) for at, bgr in enumerate(pictures)]
    return [Sample(frame, matting(frame), nothing, nothing) for frame in found]


def time_variants(all_variants: Iterable[Variant], samples: Sequence[Sample]) -> list[float]:
    """The median milliseconds a frame of each variant, all of them on each frame before the next one."""
    frame_wh = samples[0].frame.size_wh
    waves = Still("waves", behind_picture(frame_wh))
    chains = [one.make(Blur() if one.blurred else waves) for one in all_variants]
    times_ms: list[list[float]] = [[] for _ in chains]
    for sample in samples:
        for chain, own in zip(chains, times_ms, strict=True):
            started_s = time.perf_counter()
            chain(sample.frame, sample.coarse)
            own.append(1e3 * (time.perf_counter() - started_s))
    return [float(np.median(own[WARM_UP_FRAMES:] or own)) for own in times_ms]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown."""

    def cell(row: dict[str, Any], name: str) -> str:
        return "" if row[name] is None else f"{row[name]:.{COLUMNS[name]}f}"

    lines = [f"| {' | '.join(['stages', *COLUMNS])} |", f"|---|{'---:|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join([row['stages'], *(cell(row, name) for name in COLUMNS)])} |" for row in rows]
    return "\n".join(lines)
