"""Where frames come from: a camera, or a file, picture, folder or URL."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from bgcam.realtime import MAX_PIXELS as MAX_PIXELS
from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.frames import CameraFrame

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class Source(Protocol):
    """One stream of frames.

    name: for people. size_wh, fps: what the source really gives. live: frames come in real time and old ones are
    dropped (`drops` counts them); otherwise every frame is given, as fast as it is asked for. frames: how many there
    will be, when known. note: what is not as it was asked for, notice: what is wrong or limited now; each in words for
    people, "" for nothing.
    """

    name: str
    size_wh: tuple[int, int]
    fps: float
    live: bool
    drops: int

    @property
    def frames(self) -> int | None: ...

    @property
    def note(self) -> str: ...

    @property
    def notice(self) -> str: ...

    def read(self) -> CameraFrame | None:
        """The next frame, numbered from 0 without gaps; None at the end. Raises SourceError when it breaks."""

    def close(self) -> None:
        """Let go of the device or file; may be called from another thread, and twice."""


def open_source(
    *,
    camera: str | None = None,
    input: str | Sequence[str] | None = None,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    leave_out: Collection[Path] = (),
) -> Source:
    """Open a camera (index, path or part of its name) or an input (file, picture, folder or URL; several: pictures).

    With neither, the first camera. size_wh and fps are what a camera is asked for; an input's frames are resized to
    size_wh, and fps replaces its own rate (no frame is dropped or doubled for it). mirror flips left and right.
    leave_out: folders in a folder of pictures that are not looked into.
    Raises SourceError, and UsageError for values that make no sense.
    """
    inputs = None if input is None else [input] if isinstance(input, str) else [*input]
    if camera is not None and inputs:
        raise UsageError(f"--camera {camera} and --input {inputs[0]} exclude each other; give one of them")
    if size_wh is not None and (min(size_wh) < 1 or size_wh[0] * size_wh[1] > MAX_PIXELS):
        raise UsageError(f"size {size_wh[0]}x{size_wh[1]} makes no sense; give two sides above 0, such as 1280x720")
    if fps is not None and not 0 < fps <= 1000:
        raise UsageError(f"fps {fps:g} makes no sense; give a number above 0 and up to 1000")
    if not inputs:
        from bgcam.realtime.sources.camera import open_camera

        return open_camera(camera, size_wh=size_wh, fps=fps, mirror=mirror)
    if all(map(_holds_pictures, inputs)):
        from bgcam.realtime.sources.images import ImagesSource

        return ImagesSource([Path(one) for one in inputs], size_wh=size_wh, fps=fps, mirror=mirror, leave_out=leave_out)
    if len(inputs) > 1:
        video = next(one for one in inputs if not _holds_pictures(one))
        raise UsageError(f"--input {video} is no picture, and several inputs have to be; run bgcam once for each video")
    from bgcam.realtime.sources.video import VideoSource

    return VideoSource(inputs[0], size_wh=size_wh, fps=fps, mirror=mirror)


def _holds_pictures(input: str) -> bool:
    """Whether it is a picture or a folder. Raises SourceError where there is nothing."""
    if "://" in input:
        return False
    path = Path(input)
    if not input or not os.path.exists(path):
        raise SourceError(f"{input or 'the empty name'}: no such file or folder; check the path given to --input")
    return path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES
