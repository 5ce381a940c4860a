"""Composites of which alpha and colours are known, and the network's own mattes of them: stills and moving scenes.

The network sees the composite as from a camera: JPEG or H.264 was over the person before, sensor noise comes on top.
What it makes of that is what the picture chain is given; truth is only for scoring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame, CoarseMatte

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]
Matter = Callable[[CameraFrame], CoarseMatte]

SIZE_WH = (640, 360)
NOISE_LEVELS = 2.0
STILL_NOISE_LEVELS = 4.0
CLIPS = ("d0_matte", "vretalk_4_matte")
# The person sways by this many pixels to each side, the room by this many, in these many frames.
SWAY_PX, SWAY_FRAMES = 60, 38
PAN_PX, PAN_FRAMES = 30, 94


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A frame with its coarse matte; alpha (H, W) and the person's colours (H, W, 3) float32 BGR are the truth."""

    frame: CameraFrame
    coarse: CoarseMatte
    alpha: Float
    person: Float


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A person without a room: colours (h, w, 3) uint8 BGR and alpha (h, w) float32 in [0, 1]."""

    bgr: Picture
    alpha: Float


def stills(shared: Path, matting: Matter, *, count: int) -> Iterator[Sample]:
    """Keyed frames at their own size and cut-outs enlarged twice, in turn, each before another room."""
    random = np.random.default_rng(5)
    rooms = rooms_of(shared)
    keyed = _spread(sorted((shared / "data/keyed/images").glob("*.webp")), (count + 1) // 2)
    cutouts = _spread(sorted((shared / "data/cutouts").glob("*.webp")), count // 2)
    for at, path in enumerate(part for pair in zip(keyed, cutouts, strict=False) for part in pair):
        one = read_keyed(path) if path.parent.name == "images" else read_cutout(path)
        left = (SIZE_WH[0] - one.alpha.shape[1]) // 2 + int(random.integers(-80, 81))
        room = cover(read_bgr(rooms[int(random.integers(len(rooms)))]), SIZE_WH)
        yield composite(one, room, matting, number=at, left=left, random=random, noise=NOISE_LEVELS)


def moving(folder: Path, rooms: Sequence[Path], matting: Matter, *, frames: int, sway: bool) -> Iterator[Sample]:
    """A keyed clip before a room that pans; with `sway` the person goes to and fro as well, up to 10 pixels a frame."""
    random = np.random.default_rng(1)
    room = cover(read_bgr(rooms[len(rooms) // 5]), (SIZE_WH[0] + 2 * PAN_PX, SIZE_WH[1]))
    for at, one in enumerate(keyed_clip(folder, frames)):
        middle = (SIZE_WH[0] - one.alpha.shape[1]) // 2
        left = middle + (round(SWAY_PX * np.sin(2 * np.pi * at / SWAY_FRAMES)) if sway else 0)
        pan = PAN_PX + round(PAN_PX * np.sin(2 * np.pi * at / PAN_FRAMES))
        behind = room[:, pan : pan + SIZE_WH[0]]
        yield composite(one, behind, matting, number=at, left=left, random=random, noise=NOISE_LEVELS)


def before_screen(folder: Path, matting: Matter, *, frames: int) -> Iterator[Sample]:
    """A keyed clip as it is, before its own screen, which shines onto the person, whose colours are not known."""
    for at, (bgr, mask) in enumerate(_frames(folder, frames)):
        frame = CameraFrame(at, bgr, at / 30, 0.0)
        yield Sample(frame, matting(frame), mask.astype(np.float32) / np.float32(255), np.zeros((0, 0, 3), np.float32))


def still_scene(sample: Sample, matting: Matter, *, frames: int) -> Iterator[Sample]:
    """The same frame again and again, under ever new noise."""
    random = np.random.default_rng(2)
    for at in range(frames):
        bgr = noisy(sample.frame.room_bgr, STILL_NOISE_LEVELS, random)
        frame = CameraFrame(at, bgr, at / 30, 0.0)
        yield Sample(frame, matting(frame), sample.alpha, sample.person)


def composite(
    one: Cutout,
    room: Picture,
    matting: Matter,
    *,
    number: int,
    left: int,
    random: np.random.Generator,
    noise: float,
) -> Sample:
    """The person at the room's lower edge, what does not fit being cut off; and what the network makes of it."""
    height, width = room.shape[:2]
    alpha, person = np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32)
    rows = min(height, one.alpha.shape[0])
    begin, end = max(left, 0), min(left + one.alpha.shape[1], width)
    part = np.s_[:rows, begin - left : end - left]
    alpha[height - rows :, begin:end] = one.alpha[part]
    person[height - rows :, begin:end] = one.bgr[part]
    bgr = noisy(person * alpha[..., None] + room * (1 - alpha[..., None]), noise, random)
    frame = CameraFrame(number, bgr, number / 30, 0.0)
    return Sample(frame, matting(frame), alpha, person)


def noisy(picture: NDArray[np.floating | np.uint8], levels: float, random: np.random.Generator) -> Picture:
    noise = random.normal(0, levels, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def read_keyed(path: Path) -> Cutout:
    """An image of `keyed/images`, with the mask of the same name: despilled colours."""
    mask = read_bgr(path.parents[1] / "masks" / f"{path.stem}.png")[..., 0]
    return _despilled(read_bgr(path), mask)


def read_cutout(path: Path) -> Cutout:
    """An RGBA cut-out, enlarged twice: they are small."""
    bgra = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4:
        raise SourceError(f"{path}: not a picture with transparency; give the cut-outs' own folder")
    twice: Picture = np.asarray(cv2.resize(bgra, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    return Cutout(np.ascontiguousarray(twice[..., :3]), twice[..., 3].astype(np.float32) / np.float32(255))


def keyed_clip(folder: Path, frames: int) -> Iterator[Cutout]:
    for bgr, mask in _frames(folder, frames):
        yield _despilled(bgr, mask)


def _frames(folder: Path, frames: int) -> Iterator[tuple[Picture, Picture]]:
    from bgcam.realtime.sources import open_source

    source = open_source(input=str(folder / "rgb.mp4"))
    try:
        for path in sorted(folder.glob("*.png"))[:frames]:
            frame = source.read()
            if frame is None:
                return
            yield frame.room_bgr, read_bgr(path)[..., 0]
    finally:
        source.close()


def _despilled(bgr: Picture, mask: Picture) -> Cutout:
    from bgcam.train.trimap import despill, foreground_colours

    alpha = mask.astype(np.float32) / np.float32(255)
    colours = despill(foreground_colours(np.ascontiguousarray(bgr[..., ::-1]), alpha), alpha)
    return Cutout(np.ascontiguousarray(colours[..., ::-1]), alpha)


def rooms_of(shared: Path) -> list[Path]:
    """The pictures of `data/backgrounds`. Raises SourceError when there are none."""
    rooms = sorted((shared / "data/backgrounds").glob("*.webp"))
    if not rooms:
        raise SourceError(
            f"{shared}: no data/backgrounds/*.webp in it; give --shared the folder that holds data and clips"
        )
    return rooms


def read_bgr(path: Path) -> Picture:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SourceError(f"{path}: not a readable picture; check the file")
    return np.asarray(bgr, np.uint8)


def cover(bgr: Picture, size_wh: tuple[int, int]) -> Picture:
    """Cut around the centre to the aspect, and resized."""
    from bgcam.realtime.sources._shape import cover as cut

    return cut(bgr, size_wh)


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    return [paths[int(at)] for at in np.linspace(0, len(paths) - 1, min(count, len(paths)))] if paths else []
