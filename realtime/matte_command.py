"""`bgcam matte`: mattes as gray pictures or a gray video, or cutouts with transparency."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.backgrounds import Room
from bgcam.realtime.errors import SinkError, SourceError, UsageError
from bgcam.realtime.first_read import FirstRead
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look
from bgcam.realtime.matting import Matting
from bgcam.realtime.models import find_model
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.foreground import estimate_foreground, near_colours
from bgcam.realtime.picture.guided import whole_matte
from bgcam.realtime.picture.png import write_png
from bgcam.realtime.picture.views import gray_matte
from bgcam.realtime.pipeline import Pipeline
from bgcam.realtime.run_command import run_to_outputs
from bgcam.realtime.sources import PICTURE_SUFFIXES, open_source
from bgcam.realtime.sources.images import picture_paths, read_picture

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm")


def matte(options: Namespace) -> int:
    """Write the mattes of `matte_input` to `matte_output`. Gives the exit code: 1 if a picture could not be read."""
    source, target = Path(options.matte_input), Path(options.matte_output)
    if "://" not in options.matte_input and not source.exists():
        raise SourceError(f"{source}: no such file or folder; check the path")
    if source.is_dir():
        jobs = _folder_jobs(source, target)
    elif source.suffix.lower() in PICTURE_SUFFIXES:
        jobs = [(source, _target_of_one(source, target))]
    else:
        _check_video(options, source, target)
        return _matte_video(options.matte_input, target, _open_matting(options))
    return _matte_pictures(jobs, _open_matting(options), as_cutout=options.cutout)


def cutout(frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 BGRA: the person's own colours and alpha; where alpha is 0 the colours are 0, not the room's."""
    alpha = whole_matte(frame, coarse).alpha
    gray = gray_matte(alpha)
    near = near_colours(coarse.seen_bgr, coarse.alpha, frame_wh=frame.size_wh)
    colours = estimate_foreground(frame.room_bgr, alpha, near) * (gray > 0)[..., None]
    return np.dstack([colours, gray]).astype(np.uint8)


def _open_matting(options: Namespace) -> Matting:
    return Matting(find_model(options.model), backend=options.backend, threads=options.threads)


def _folder_jobs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """(picture, PNG) for every picture of a folder. Raises before anything is written."""
    if target.is_file() or target.suffix.lower() in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
        raise UsageError(f"{target}: the mattes of a folder go to a folder; give a folder's name")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target} is the folder that is read; give another one for the mattes")
    jobs = [(path, target / f"{path.stem}.png") for path in picture_paths(source)]
    owners: dict[Path, Path] = {}
    for path, png in jobs:
        if owners.setdefault(png, path) != path:
            raise UsageError(f"{owners[png].name} and {path.name} would both become {png.name}; rename one of them")
    return jobs


def _target_of_one(source: Path, target: Path) -> Path:
    suffix = target.suffix.lower()
    if not target.is_dir() and suffix in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
        if suffix != ".png":
            raise UsageError(f"{target}: mattes of pictures are PNG files; give a .png file or a folder")
        png = target
    else:
        png = target / f"{source.stem}.png"
    if png.resolve() == source.resolve():
        raise UsageError(f"{png} is the picture that is read; give another name for the matte")
    return png


def _matte_pictures(jobs: Sequence[tuple[Path, Path]], matting: Matting, *, as_cutout: bool) -> int:
    """All that can be read, each file whole; the rest is said on stderr."""
    make = cutout if as_cutout else _gray
    skipped = 0
    told = _Progress(len(jobs))
    for number, (path, png) in enumerate(jobs):
        try:
            bgr = read_picture(path)
        except SourceError as error:
            if len(jobs) == 1:
                raise
            told.say(f"bgcam: skipped: {error}")
            skipped += 1
            continue
        frame = CameraFrame(number, bgr, 0.0, 0.0)
        picture = make(frame, matting(frame))
        try:
            png.parent.mkdir(parents=True, exist_ok=True)
            write_png(png, picture)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SinkError(f"{png}: cannot be written ({reason}); check the folder and its space") from error
        told.done(png)
    told.end()
    written = len(jobs) - skipped
    print(f"{written} of {len(jobs)} pictures done" + (f", {skipped} skipped" if skipped else f": {jobs[0][1].parent}"))
    return 1 if skipped else 0


def _gray(frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
    return gray_matte(whole_matte(frame, coarse).alpha)


def _check_video(options: Namespace, source: Path, target: Path) -> None:
    if options.cutout:
        raise UsageError("--cutout makes pictures with transparency, and a video has none; leave it out")
    if target.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(f"{target}: the matte of a video is a video; give a {', '.join(VIDEO_SUFFIXES)} file")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target} is the video that is read; give another name for the matte")


def _matte_video(input: str, target: Path, matting: Matting) -> int:
    opened = open_source(input=input)
    try:
        source = FirstRead(opened)
        backend = matting.prepare(source.size_wh)
        pipeline = Pipeline(source, matting, Chain(Room(), Look(view="matte")), [], workers=backend.at_once)
        return run_to_outputs(pipeline, source, [str(target)], backend=backend.description)
    finally:
        opened.close()


class _Progress:
    """A counter that stays on one line of a terminal; elsewhere a line every hundred pictures."""

    def __init__(self, total: int):
        self._total, self._count = total, 0
        self._live = sys.stderr.isatty()

    def done(self, path: Path) -> None:
        self._count += 1
        if self._live:
            print(f"\r\x1b[K{self._count}/{self._total} {path.name}", end="", file=sys.stderr, flush=True)
        elif self._count % 100 == 0:
            print(f"{self._count}/{self._total}", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        print(("\r\x1b[K" if self._live else "") + line, file=sys.stderr)

    def end(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
