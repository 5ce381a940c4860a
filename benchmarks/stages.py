"""Processor time of each stage of the picture, compiled and not, before a room that bgcam has learnt.

No network and no clip: the astronaut of the demo before a shipped background, under a camera's noise, with their own
matte at the network's size. Both kinds run on each frame in turn, in this thread; the median over the frames, for
room_plate the mean, since every eighth frame brings its room up to date. "draw" is the blend.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.machine import describe
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.settings.values import size_wh

NETWORK_WH = (320, 192)
FPS = 30.0
# The room is learnt after three seconds without anyone.
EMPTY_FRAMES = 100
KINDS = ("compiled", "OpenCV")

Sample = tuple[CameraFrame, CoarseMatte]
Milliseconds = dict[str, dict[str, float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=size_wh, default=(1280, 720), metavar="WxH", help="default: 1280x720")
    parser.add_argument("--background", default="blur", metavar="SPEC", help="default: blur")
    parser.add_argument("--frames", type=int, default=80, metavar="N", help="with the person (default: 80)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> None:
    if args.frames < 16:
        raise UsageError(f"--frames {args.frames}: give at least 16")
    cv2.setNumThreads(1)
    found, known = time_stages(args.background, args.size, frames=args.frames)
    if args.json:
        print(json.dumps({"cpu_ms": found, "learnt_room_is_known": known, **describe()}, indent=1))
    else:
        print(table(found))
        if not known:
            print("the room was not learnt: the row of room_plate says nothing")


def samples(frame_wh: tuple[int, int], *, frames: int) -> Iterator[Sample]:
    """EMPTY_FRAMES of the room alone, then `frames` with the person, who sways."""
    from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
    from bgcam.realtime.command.demo.clip import ASSETS

    (width, height), random = frame_wh, np.random.default_rng(0)
    room = _fit(_read(next(iter(shipped_backgrounds().values()))), frame_wh).astype(np.float32)
    portrait, matte = _read(ASSETS / "astronaut.jpg"), _read(ASSETS / "astronaut_matte.png")[..., 0]
    scale = 0.9 * height / portrait.shape[0]
    grain = random.normal(0, 2, (height + 16, width + 16, 3)).astype(np.float32)
    for number in range(EMPTY_FRAMES + frames):
        alpha: NDArray[np.float32] = np.zeros((height, width), np.float32)
        scene = room
        if number >= EMPTY_FRAMES:
            left = (width - scale * portrait.shape[1]) / 2 + 0.02 * width * np.sin(2 * np.pi * number / FPS / 2.6)
            move = np.array([[scale, 0, left], [0, scale, 0.1 * height]])
            alpha = np.asarray(cv2.warpAffine(matte, move, frame_wh) / 255, np.float32)
            person = cv2.warpAffine(portrait, move, frame_wh, borderMode=cv2.BORDER_REPLICATE)
            scene = np.asarray(room + alpha[..., None] * (person - room), np.float32)
        top, left_px = random.integers(0, 16, 2)
        noisy = scene + grain[top : top + height, left_px : left_px + width]
        bgr = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        small, seen = _fit(alpha, NETWORK_WH).astype(np.float32), _fit(bgr, NETWORK_WH).astype(np.uint8)
        yield CameraFrame(number, bgr, number / FPS, 0.0), CoarseMatte(number, small, seen)


def _read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def _fit(picture: NDArray[Any], wanted_wh: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(cv2.resize(picture, wanted_wh, interpolation=cv2.INTER_AREA))


def time_stages(background: str, frame_wh: tuple[int, int], *, frames: int) -> tuple[Milliseconds, bool]:
    """By kind and stage, milliseconds of processor time a frame with the person; and whether the room was known."""
    from bgcam.realtime.backgrounds import open_background
    from bgcam.realtime.picture import native
    from bgcam.realtime.picture.chain import Chain

    library = native.LIBRARY
    kinds = {kind: there for kind, there in zip(KINDS, (library, None), strict=True) if kind != KINDS[0] or library}
    chains = {kind: Chain(open_background(background)) for kind in kinds}
    took_s: dict[str, dict[str, list[float]]] = {kind: {} for kind in kinds}
    try:
        for frame, coarse in samples(frame_wh, frames=frames):
            for kind, there in kinds.items():
                native.LIBRARY = there
                for stage, seconds in _one_frame(chains[kind], frame, coarse):
                    if frame.number >= EMPTY_FRAMES:
                        took_s[kind].setdefault(stage, []).append(seconds)
    finally:
        native.LIBRARY = library
    found = {kind: {stage: _typical_ms(stage, times) for stage, times in own.items()} for kind, own in took_s.items()}
    return found, all(chain.learnt.status().state == "known" for chain in chains.values())


def _one_frame(chain: Any, frame: CameraFrame, coarse: CoarseMatte) -> Iterator[tuple[str, float]]:
    """Each stage's seconds of processor time, the blend last."""
    from bgcam.realtime.picture.stages import STAGES
    from bgcam.realtime.picture.work import Work

    work = Work(frame, coarse)
    for stage, step in STAGES.items():
        begun_s = time.thread_time()
        step(chain, work)
        yield stage, time.thread_time() - begun_s
    begun_s = time.thread_time()
    chain.draw(work)
    yield "draw", time.thread_time() - begun_s


def _typical_ms(stage: str, times_s: list[float]) -> float:
    """The median; of a stage that does more in some frames, with their share of the mean above it."""
    ordered = sorted(times_s)
    median_s = statistics.median(ordered)
    if stage == "room_plate":
        often = ordered[: len(ordered) * 15 // 16]  # without what only the machine made slow
        median_s = max(median_s, statistics.fmean(often))
    return round(1000 * median_s, 3)


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """As Markdown; stages that take nothing are left out."""
    kinds = list(found)
    lines = [f"| stage | {' | '.join(f'{kind}, ms' for kind in kinds)} |", "|---|" + "---:|" * len(kinds)]
    for stage in found[kinds[0]]:
        if any(found[kind][stage] >= 0.02 for kind in kinds):
            lines.append(f"| {stage} | {' | '.join(f'{found[kind][stage]:.2f}' for kind in kinds)} |")
    sums = (sum(found[kind].values()) for kind in kinds)
    return "\n".join([*lines, f"| all | {' | '.join(f'{one:.2f}' for one in sums)} |"])
