"""Where frames come from: a camera, or a file, picture, folder or URL."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from bgcam.realtime import MAX_PIXELS as MAX_PIXELS
from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.frames import CameraFrame

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")

# Streams by nature. What comes by HTTP is one where its server gives neither a length nor a duration.
LIVE_SCHEMES = ("rtsp", "rtsps", "rtp", "srtp", "udp", "srt", "rtmp", "rtmps", "tcp", "mms", "mmsh")


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


def is_live_address(input: str) -> bool:
    """Whether this is the address of a network camera by its scheme alone, before anything is opened."""
    scheme, separator, _ = input.partition("://")
    return bool(separator) and scheme.lower() in LIVE_SCHEMES


def open_source(
    *,
    camera: str | None = None,
    input: str | Sequence[str] | None = None,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    fit: str = "cover",
    leave_out: Collection[Path] = (),
) -> Source:
    """Open a camera (index, path or part of its name) or an input (file, picture, folder or URL; several: pictures).

    With neither, the first camera. size_wh and fps are what a camera is asked for. An input's frames are brought to
    size_wh as `fit` says ("cover" or "contain", see `sources._shape`); of a video, frames are dropped or repeated for
    fps. mirror flips left and right. leave_out: folders in a folder of pictures that are not looked into.
    Raises SourceError, and UsageError for values that make no sense.
    """
    inputs = [] if input is None else [input] if isinstance(input, str) else [*input]
    if camera is not None and inputs:
        raise UsageError(f"--camera {camera} and --input {inputs[0]} exclude each other; give one of them")
    if size_wh is not None and (min(size_wh) < 1 or size_wh[0] * size_wh[1] > MAX_PIXELS):
        raise UsageError(f"size {size_wh[0]}x{size_wh[1]} makes no sense; give two sides above 0, such as 1280x720")
    if fps is not None and not 0 < fps <= 1000:
        raise UsageError(f"fps {fps:g} makes no sense; give a number above 0 and up to 1000")
    if not inputs:
        from bgcam.realtime.sources.camera import open_camera

        return open_camera(camera, size_wh=size_wh, fps=fps, mirror=mirror)
    places = [_existing(one) for one in inputs]
    if all(place is not None and _holds_pictures(place) for place in places):
        from bgcam.realtime.sources.images import ImagesSource

        paths = [place for place in places if place is not None]
        return ImagesSource(paths, size_wh=size_wh, fps=fps, mirror=mirror, fit=fit, leave_out=leave_out)
    if len(inputs) > 1:
        held = zip(inputs, places, strict=True)
        video = next(one for one, place in held if place is None or not _holds_pictures(place))
        raise UsageError(
            f"--input {video} is not a picture, and several inputs must all be pictures; run bgcam once for each video"
        )
    if places[0] is None:
        from bgcam.realtime.sources.network import open_address

        return _at_rate(open_address(inputs[0], size_wh=size_wh, fps=fps, mirror=mirror, fit=fit), fps)
    from bgcam.realtime.sources.files import open_moving

    return _at_rate(open_moving(places[0], size_wh=size_wh, mirror=mirror, fit=fit), fps)


def _existing(input: str) -> Path | None:
    """The file or folder that it names, None for an address. Raises SourceError where there is nothing."""
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
    """A file's frames at this rate; a camera has seen to it itself."""
    if fps is None or source.live:
        return source
    from bgcam.realtime.sources.rated import RatedSource

    return RatedSource(source, fps)
