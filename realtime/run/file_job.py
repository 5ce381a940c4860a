"""What the files of a run from files want to know of it: names, times, sound, transparency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.sinks.job import Job
from bgcam.realtime.sources.base import Source
from bgcam.realtime.sources.picture_files import written_names

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
