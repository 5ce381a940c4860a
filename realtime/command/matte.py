"""`bgcam matte`: mattes as gray pictures or a gray video, or cutouts with transparency."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bgcam.realtime.command.overwrite import check_existing, written_files
from bgcam.realtime.command.run import run_to_outputs
from bgcam.realtime.errors import SinkError, SourceError, UsageError, about_setting
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.second_look import SecondLook
from bgcam.realtime.picture.png import write_png
from bgcam.realtime.run.file_job import job_of
from bgcam.realtime.run.mattes import cutout, gray, matte_run
from bgcam.realtime.run.status import BAR_CELLS, as_clock
from bgcam.realtime.settings import Settings
from bgcam.realtime.sinks import check_output, is_folder
from bgcam.realtime.sources import open_source
from bgcam.realtime.sources.base import PICTURE_SUFFIXES
from bgcam.realtime.sources.files import is_picture
from bgcam.realtime.sources.images import read_picture
from bgcam.realtime.sources.picture_files import picture_tree, written_names
from bgcam.realtime.sources.primed import FirstRead

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov")
CUTOUT_SUFFIXES = (".webm", ".mov")


def matte(given: str, output: str, settings: Settings, *, as_cutout: bool = False) -> int:
    """Write the mattes of `given` to `output`. Gives the exit code: 1 if a picture could not be read."""
    given = given.removeprefix("file://")
    source, target = Path(given), Path(output)
    if "://" not in given and not source.exists():
        raise UsageError(f"{source}: no such file or folder; check the path")
    if source.is_dir():
        with about_setting("input"):
            jobs = _folder_jobs(source, target)
    elif is_picture(source) and source.exists():
        jobs = [(source, _target_of_one(source, target))]
    else:
        _check_video(source, target, output=output, as_cutout=as_cutout)
        with about_setting("output"):
            check_output(output)
        check_existing(written_files(output, None), overwrite=settings.overwrite)
        return _matte_video(given, output, settings, as_cutout=as_cutout)
    check_existing((png for _, png in jobs), overwrite=settings.overwrite)
    return _matte_pictures(jobs, _open_matting(settings), as_cutout=as_cutout, far=settings.far)


def _open_matting(settings: Settings) -> Matting:
    with about_setting("model"):
        return Matting(find_model(settings.model), backend=settings.backend, threads=settings.threads)


def _folder_jobs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """(picture, PNG) for every picture of a folder. Raises before anything is written."""
    if target.is_file() or target.suffix.lower() in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
        raise UsageError(f"{target}: the mattes of a folder need a folder; give a folder's name")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target} is the input folder; give another folder for the mattes")
    paths = picture_tree(source, leave_out=[target])
    return [
        (path, target / name) for path, name in zip(paths, written_names(paths, source, suffix=".png"), strict=True)
    ]


def _target_of_one(source: Path, target: Path) -> Path:
    suffix = target.suffix.lower()
    if not target.is_dir() and suffix in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
        if suffix != ".png":
            raise UsageError(f"{target}: mattes of pictures are PNG files; give a .png file or a folder")
        png = target
    else:
        png = target / f"{source.stem}.png"
    if png.resolve() == source.resolve():
        raise UsageError(f"{png} is the input picture; give another name for the matte")
    return png


def _matte_pictures(jobs: Sequence[tuple[Path, Path]], matting: Matting, *, as_cutout: bool, far: bool) -> int:
    """All that can be read, each file whole; the rest is said on stderr."""
    make = cutout if as_cutout else gray
    find = SecondLook(matting) if far else matting
    skipped = 0
    told = _Progress(len(jobs))
    for number, (path, png) in enumerate(jobs):
        try:
            bgr = read_picture(path)
        except SourceError as error:
            if len(jobs) == 1:
                with about_setting("input"):
                    raise
            told.say(f"bgcam: skipped: {error}")
            skipped += 1
            continue
        frame = CameraFrame(number, bgr, 0.0, 0.0)
        picture = make(frame, find(frame))
        try:
            png.parent.mkdir(parents=True, exist_ok=True)
            write_png(png, picture)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SinkError(f"{png}: cannot be written ({reason}); check the folder and its free space") from error
        told.done(png)
    told.end()
    written = len(jobs) - skipped
    if skipped:
        print(f"{written} of {len(jobs)} pictures done, {skipped} skipped")
    elif len(jobs) == 1:
        print(f"done: {jobs[0][1]}")
    else:
        print(f"{written} pictures done: {jobs[0][1].parent}")
    return 1 if skipped else 0


def _check_video(source: Path, target: Path, *, output: str, as_cutout: bool) -> None:
    suffix = target.suffix.lower()
    if as_cutout:
        if suffix not in CUTOUT_SUFFIXES and not (suffix == "" and is_folder(output)):
            raise UsageError(f"{target}: cannot hold a video with transparency; give a .webm or .mov file, or FOLDER/")
    elif suffix not in VIDEO_SUFFIXES:
        raise UsageError(f"{target}: the matte of a video is a video; give a {', '.join(VIDEO_SUFFIXES)} file")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target} is the input video; give another name for the matte")


def _matte_video(given: str, output: str, settings: Settings, *, as_cutout: bool) -> int:
    matting = _open_matting(settings)
    with about_setting("input", device="://" in given):
        opened = open_source(input=given)
    try:
        with about_setting("input", device="://" in given):
            source = FirstRead(opened)
        description = matting.prepare(source.size_wh).description
        pipeline = matte_run(source, matting, backend=settings.backend, far=settings.far, as_cutout=as_cutout)
        # A matte is for a program that has the video, with its sound, beside it.
        sound = as_cutout and not settings.no_audio
        job = job_of(opened, pipeline, transparent=as_cutout, sound=sound)
        return run_to_outputs(pipeline, source, [output], backend=description, job=job)
    finally:
        opened.close()


class _Progress:
    """A bar on a terminal; elsewhere a line every hundred pictures."""

    def __init__(self, total: int):
        self._total, self._count = total, 0
        self._begun_s = time.monotonic()
        self._live = sys.stderr.isatty()

    def done(self, path: Path) -> None:
        self._count += 1
        if self._live:
            filled = round(BAR_CELLS * self._count / self._total)
            left_s = (time.monotonic() - self._begun_s) / self._count * (self._total - self._count)
            bar = "\u2501" * filled + " " * (BAR_CELLS - filled)
            line = f"{bar} {self._count}/{self._total}, {as_clock(left_s)} left, {path.name}"
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif self._count % 100 == 0:
            print(f"{self._count}/{self._total}", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        print(("\r\x1b[K" if self._live else "") + line, file=sys.stderr)

    def end(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
