"""HEIC and AVIF pictures, as phones write them: decoded by FFmpeg; the tiles of a large one are assembled here."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from bgcam.realtime import MAX_PIXELS
from bgcam.realtime.errors import SourceError
from bgcam.realtime.sources._geometry import Geometry, display_matrix
from bgcam.realtime.sources._heif_boxes import Grid, read_grid
from bgcam.realtime.sources._streams import best_video
from bgcam.realtime.sources._to_bgr import ToBgr
from bgcam.realtime.sources._transparency import read_on_grey

_CODECS = ("hevc", "libdav1d", "av1", "libaom-av1", "mjpeg")
_OPTIONS = {"max_pixels": str(MAX_PIXELS), "codec_whitelist": ",".join(_CODECS)}
# Tiles extend beyond the picture at the right and at the bottom.
_MAX_TILES = 2
# For untagged colours, ISO/IEC 23000-22 uses BT.601's matrix, whatever the size.
_UNTAGGED = "ITU601"
# What marks an item of the file as the alpha of another.
_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"


def read_heif(path: Path) -> NDArray[np.uint8]:
    """The main picture as (H, W, 3) uint8 BGR, upright. Raises SourceError, which says in one line what is wrong."""
    try:
        data = path.read_bytes()
        grid = read_grid(data)
        if grid is not None and grid.size_wh[0] * grid.size_wh[1] > MAX_PIXELS:
            raise SourceError(f"{path}: {_size(grid.size_wh)} is over 100 megapixels; make it smaller first")
        with av.open(f"file:{path}", options=_OPTIONS) as container:
            _check_decoders(container, path, data)
            return _one(container, path, data) if grid is None else _tiled(container, grid)
    except SourceError:
        raise
    except (
        OSError, ValueError, KeyError, IndexError, MemoryError, struct.error, cv2.error, av.error.FFmpegError,
    ) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        advice = "it may be cut off: get a whole copy, or save it as JPEG"
        raise SourceError(f"{path}: not a readable HEIC or AVIF picture ({reason}); {advice}") from error


def _check_decoders(container: av.container.InputContainer, path: Path, data: bytes) -> None:
    """Raise SourceError if FFmpeg was built without the decoder of this picture."""
    if container.streams.video and not any(map(_decoder_of, container.streams.video)):
        kind = "AVIF" if data[8:12] == b"avif" else "HEIC"
        raise SourceError(
            f"{path}: the FFmpeg of this bgcam has no decoder for {kind}; save the picture as JPEG or PNG"
        )


def _decoder_of(stream: av.VideoStream) -> object:
    """None for a codec that FFmpeg does not know."""
    return stream.codec_context


def _one(container: av.container.InputContainer, path: Path, data: bytes) -> NDArray[np.uint8]:
    stream = best_video(container.streams.video)
    if stream is None or stream.codec_context is None:
        raise ValueError("it has no picture that FFmpeg can decode")
    if stream.width * stream.height > MAX_PIXELS:
        raise SourceError(
            f"{path}: {_size((stream.width, stream.height))} is over 100 megapixels; make it smaller first"
        )
    if data[8:12] == b"avif" and _ALPHA in data:
        seen = read_on_grey(data, formats=("AVIF",))
        if seen is not None:
            return seen
    frame = next(container.decode(stream), None)
    if frame is None:
        raise ValueError("its picture cannot be decoded")
    return Geometry.of(display_matrix(frame), stream.sample_aspect_ratio).apply(ToBgr(untagged=_UNTAGGED)(frame))


def _tiled(container: av.container.InputContainer, grid: Grid) -> NDArray[np.uint8]:
    streams = {stream.id: stream for stream in container.streams.video}
    positions = {streams[tile].index: at for at, tile in enumerate(grid.tiles)}
    width, height = grid.size_wh
    if sum(streams[tile].width * streams[tile].height for tile in grid.tiles) > _MAX_TILES * MAX_PIXELS:
        raise ValueError("its tiles are far larger than the picture")
    whole, to_bgr, missing = np.zeros((height, width, 3), np.uint8), ToBgr(untagged=_UNTAGGED), set(positions)
    for packet in container.demux([streams[tile] for tile in grid.tiles]):
        at = packet.stream.index  # an empty packet, which flushes the last frame, has no index
        for frame in packet.decode():
            if isinstance(frame, VideoFrame) and at in missing:
                missing.discard(at)
                row, column = divmod(positions[at], grid.columns)
                tile = to_bgr(frame)
                part = whole[row * tile.shape[0] :, column * tile.shape[1] :][: tile.shape[0], : tile.shape[1]]
                part[:] = tile[: part.shape[0], : part.shape[1]]
                if row + 1 == grid.rows and column + 1 == grid.columns and part.size == 0:
                    raise ValueError("its tiles do not fit its size")
    if missing:
        raise ValueError(f"{len(missing)} of its {len(positions)} tiles cannot be decoded")
    for how, value in grid.turns:
        whole = np.rot90(whole, value) if how == "rotate" else np.flip(whole, value)
    return np.ascontiguousarray(whole)


def _size(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]}x{size_wh[1]}"
