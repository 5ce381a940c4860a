"""Which of a container's video streams is the actual video."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import av
from av.stream import Disposition

# FFmpeg lists these among the video streams: cover art, a player's thumbnails, and the tiles of a HEIF picture.
_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
# For these FFmpeg's own decoders ignore the transparency, and show the colours that it hides.
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_PICTURE_CODECS = frozenset({"mjpeg", "png", "apng", "bmp", "tiff", "webp"})


def best_video(streams: Iterable[av.VideoStream]) -> av.VideoStream | None:
    """The default stream, otherwise the largest, otherwise the first; None if there is no video.

    Some programs store cover art as an unmarked stream of one picture: such a stream comes last.
    """
    return max((stream for stream in streams if not stream.disposition & _NO_VIDEO), key=_rank, default=None)


def alpha_decoder(stream: av.VideoStream, options: dict[str, str]) -> av.VideoCodecContext | None:
    """A decoder that keeps this stream's transparency, if its default one would ignore it; None for others."""
    name = _WITH_ALPHA.get(stream.codec_context.name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if name is None or name not in av.codecs_available or tags.get("alpha_mode") != "1":
        return None
    decoder = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
    decoder.options = options
    return decoder


def _rank(stream: av.VideoStream) -> tuple[bool, bool, bool, int]:
    context = stream.codec_context
    if context is None:  # a codec that FFmpeg does not know
        return False, False, False, 0
    one_picture = context.name in _PICTURE_CODECS and stream.frames <= 1  # 0: the container does not count
    return True, not one_picture, bool(stream.disposition & Disposition.default), stream.width * stream.height
