"""Frames of a video, a folder of pictures or a camera, as RGB arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

from bgcam.realtime.api.images import RGB, to_rgb


def frames(
    source: str | os.PathLike[str] | int = 0, *, size_wh: tuple[int, int] | None = None, fps: float | None = None
) -> Iterator[RGB]:
    """The frames of a source, (H, W, 3) uint8 RGB each; the source is closed when the loop ends.

    source: a video, a picture, a folder of pictures, a URL, or a camera by its index.
    size_wh, fps: what a camera is asked for; a file is scaled to that size, and loses or repeats frames for that rate.
    Raises SourceError, a BgcamError, at the first frame if the source cannot be opened.
    """
    from bgcam.realtime.sources import open_source

    camera, path = (str(source), None) if isinstance(source, int) else (None, os.fspath(source))
    opened = open_source(camera=camera, input=path, size_wh=size_wh, fps=fps)
    with closing(opened):
        while (frame := opened.read()) is not None:
            yield to_rgb(frame.room_bgr)
