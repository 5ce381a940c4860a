"""What file outputs need to know about a run, beyond its size and rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgcam.realtime.sinks.sound import InputFile


@dataclass(frozen=True)
class Job:
    """The defaults are those of a camera's run.

    own_times: frames keep their own times, as a file's should; otherwise a camera's jitter is smoothed.
    transparent: the frames are `CutoutFrame`s.
    name_of: gives the name of frame `number` in a folder; None for numbers.
    file: the input, if it may have sound.
    one_frame: the input is a single picture.
    keep: the frames cannot be repeated, so an unfinishable file is kept too.
    before: for a part of a video, how many of its frames are before number 0 of this run, and by how many seconds its
        pictures begin later than its sound: frames get the times that they have in the output of the whole video.
    is_whole: called when an output is closed; whether the input was written to its end.
    """

    own_times: bool = False
    transparent: bool = False
    name_of: Callable[[int], Path] | None = None
    file: InputFile | None = None
    one_frame: bool = False
    keep: bool = True
    before: tuple[int, float] | None = None
    is_whole: Callable[[], bool] = lambda: False


CAMERA_JOB = Job()
