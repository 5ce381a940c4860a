"""What a run from files has beyond one from a camera: names, sound, transparency, and files that must not be lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcam.realtime.command.overwrite import check_existing, written_files
from bgcam.realtime.errors import UsageError
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.settings import Settings
from bgcam.realtime.sinks import is_folder
from bgcam.realtime.sinks.job import Job
from bgcam.realtime.sources.base import Source
from bgcam.realtime.sources.picture_files import all_pictures, written_names

if TYPE_CHECKING:
    from bgcam.realtime.sources.images import ImagesSource


def job_of(source: Source, pipeline: Pipeline[Any], *, transparent: bool = False, sound: bool = True) -> Job:
    """What the files of a run from this source may want to know. sound: whether to keep the input's."""
    from bgcam.realtime.sources.images import ImagesSource
    from bgcam.realtime.sources.rated import RatedSource
    from bgcam.realtime.sources.video import VideoSource

    file = None
    video = source.source if isinstance(source, RatedSource) else source
    if isinstance(video, VideoSource) and video.path is not None:
        from bgcam.realtime.sinks.sound import InputFile

        file = InputFile(video.path, video.start_s, sound=sound and video.has_sound)
    return Job(
        own_times=not source.live,
        transparent=transparent,
        name_of=_names_of(source, transparent=transparent) if isinstance(source, ImagesSource) else None,
        file=file,
        one_frame=source.frames == 1,
        keep=source.live,
        is_whole=lambda: pipeline.whole,
    )


def _names_of(source: ImagesSource, *, transparent: bool) -> Callable[[int], Path]:
    """What each frame of a source of pictures is called where it is written."""
    suffix = ".png" if transparent else None

    def name_of(number: int) -> Path:
        (name,) = written_names([source.path_of(number)], source.folder, suffix=suffix)
        return name

    return name_of


def check_files(settings: Settings, *, transparent: bool = False) -> None:
    """Refuse to replace files that the user wants to keep. Raises SinkError, and what reading a folder raises."""
    names = None
    if are_pictures(settings.input):
        given = [Path(one) for one in settings.input]
        folder = given[0] if len(given) == 1 and given[0].is_dir() else None
        outputs = [Path(output) for output in settings.output if is_folder(output)]
        paths = all_pictures(given, leave_out=outputs)
        if outputs:
            names = written_names(paths, folder, suffix=".png" if transparent else None)
            read = {path.resolve() for path in paths}
            for output in outputs:
                if any((output / name).resolve() in read for name in names):
                    raise UsageError(f"--output {output} would overwrite what --input reads; give another folder")
    written = [path for output in settings.output for path in written_files(output, names)]
    check_existing(written, overwrite=settings.overwrite)


def check_trace(settings: Settings) -> None:
    """Refuse a trace in the place of what is read or written, or of a file that is to be kept. Raises BgcamError."""
    if settings.trace is None:
        return
    path = Path(settings.trace)
    used = [*settings.input, *settings.output, settings.background, settings.model]
    if any(Path(one).resolve() == path.resolve() for one in used):
        raise UsageError(f"--trace {path} would overwrite what another option names; give another name")
    check_existing([path], overwrite=settings.overwrite)


def are_pictures(inputs: Sequence[str] | None) -> bool:
    """Whether the inputs are pictures, or folders of them: frames that do not follow each other, and over at once."""
    from bgcam.realtime.sources.files import is_picture

    return bool(inputs) and all(
        os.path.isdir(one) or (os.path.exists(one) and is_picture(Path(one))) for one in inputs or ()
    )
