"""Which of a container's video streams is the video that people mean."""

from __future__ import annotations

from collections.abc import Iterable

import av
from av.stream import Disposition

# FFmpeg lists these among the video streams: cover art, a player's thumbnails, and the tiles of a HEIF picture.
_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
_PICTURE_CODECS = frozenset({"mjpeg", "png", "apng", "bmp", "tiff", "webp"})


def best_video(streams: Iterable[av.VideoStream]) -> av.VideoStream | None:
    """The stream marked as the default one, then the largest, then the first; None where none holds a video.

    Some programs store cover art as a stream of one picture without marking it: such a stream comes last.
    """
    return max((stream for stream in streams if not stream.disposition & _NO_VIDEO), key=_rank, default=None)


def _rank(stream: av.VideoStream) -> tuple[bool, bool, bool, int]:
    context = stream.codec_context
    if context is None:  # a codec that FFmpeg does not know
        return False, False, False, 0
    one_picture = context.name in _PICTURE_CODECS and stream.frames == 1
    return True, not one_picture, bool(stream.disposition & Disposition.default), stream.width * stream.height
