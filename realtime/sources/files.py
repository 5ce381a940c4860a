"""Classifies files by their content, not their name: pictures, animations, videos."""

from __future__ import annotations

from pathlib import Path

from bgcam.realtime.sources._heif_boxes import is_heif
from bgcam.realtime.sources._shape import COVER
from bgcam.realtime.sources.animation import AnimationSource, is_animated
from bgcam.realtime.sources.base import PICTURE_SUFFIXES, Source


def is_picture(path: Path) -> bool:
    """Whether the file is one picture that does not move: by its suffix, or because it holds HEIC or AVIF."""
    suffixed = path.suffix.lower() in PICTURE_SUFFIXES
    return (suffixed and not is_animated(path)) or (not suffixed and is_heif(path))


def open_moving(
    path: Path, *, size_wh: tuple[int, int] | None = None, mirror: bool = False, fit: str = COVER
) -> Source:
    """Opens a video, GIF, animated WebP or APNG as a source. Raises SourceError."""
    if is_animated(path):
        return AnimationSource(path, size_wh=size_wh, mirror=mirror, fit=fit)
    from bgcam.realtime.sources.video import VideoSource

    return VideoSource(str(path), size_wh=size_wh, mirror=mirror, fit=fit)
