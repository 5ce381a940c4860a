"""Sources of frames: a camera, or a file, picture, folder or URL."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from bgcam.realtime import MAX_PIXELS as MAX_PIXELS
from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.sources.base import Source as Source
from bgcam.realtime.sources.base import Wanted, always
from bgcam.realtime.sources.base import is_live_address as is_live_address


def open_source(
    *,
    camera: str | None = None,
    input: str | Sequence[str] | None = None,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    fit: str = "cover",
    leave_out: Collection[Path] = (),
    wanted: Wanted = always,
) -> Source:
    """Open a camera (index, path or part of its name) or an input (file, picture, folder or URL; several: pictures).

    With neither, the first camera. size_wh and fps are requested from a camera. An input's frames are scaled to
    size_wh by `fit` ("cover" or "contain", see `sources._shape`); a video's frames are dropped or repeated to match
    fps. mirror flips left and right. leave_out: folders in a folder of pictures that are skipped. wanted: called
    at each read of a camera, which is closed while it returns False.
    Raises SourceError, and UsageError for invalid values.
    """
    inputs = [] if input is None else [input] if isinstance(input, str) else [*input]
    if camera is not None and inputs:
        raise UsageError(f"--camera {camera} and --input {inputs[0]} exclude each other; give one of them")
    if size_wh is not None and (min(size_wh) < 1 or size_wh[0] * size_wh[1] > MAX_PIXELS):
        raise UsageError(f"invalid size {size_wh[0]}x{size_wh[1]}: give two sides above 0, such as 1280x720")
    if fps is not None and not 0 < fps <= 1000:
        raise UsageError(f"invalid fps {fps:g}: give a number above 0 and up to 1000")
    if not inputs:
        from bgcam.realtime.sources.camera import open_camera

        return open_camera(camera, size_wh=size_wh, fps=fps, mirror=mirror, in_demand=wanted)
    local = [_existing(one) for one in inputs]
    if all(path is not None and _holds_pictures(path) for path in local):
        from bgcam.realtime.sources.images import ImagesSource

        paths = [path for path in local if path is not None]
        return ImagesSource(paths, size_wh=size_wh, fps=fps, mirror=mirror, fit=fit, leave_out=leave_out)
    if len(inputs) > 1:
        named = zip(inputs, local, strict=True)
        video = next(one for one, path in named if path is None or not _holds_pictures(path))
        raise UsageError(
            f"--input {video} is not a picture, but several inputs must all be pictures; run bgcam once for each video"
        )
    if local[0] is None:
        from bgcam.realtime.sources.network import open_address

        opened = open_address(inputs[0], size_wh=size_wh, fps=fps, mirror=mirror, fit=fit, wanted=wanted)
        return _at_rate(opened, fps)
    from bgcam.realtime.sources.files import open_moving

    return _at_rate(open_moving(local[0], size_wh=size_wh, mirror=mirror, fit=fit), fps)


def _existing(input: str) -> Path | None:
    """The file or folder that it names, None for an address. Raises SourceError if it does not exist."""
    local = input.removeprefix("file://")
    if local and os.path.exists(local):
        return Path(local)
    if "://" in local:
        return None
    raise SourceError(f"{local or 'the empty name'}: no such file or folder; check the path given to --input")


def _holds_pictures(path: Path) -> bool:
    from bgcam.realtime.sources.files import is_picture

    return path.is_dir() or is_picture(path)


def _at_rate(source: Source, fps: float | None) -> Source:
    """A file's frames at this rate; a camera was asked for it when it was opened."""
    if fps is None or source.live:
        return source
    from bgcam.realtime.sources.rated import RatedSource

    return RatedSource(source, fps)
