"""Converts a decoded frame to 8-bit BGR of an ordinary screen, whatever its stored format."""

from __future__ import annotations

import functools
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from bgcam.realtime.sources._colour_table import SIDE, colour_table, needs_table
from bgcam.realtime.sources._transparency import on_grey

_UNSPECIFIED_COLORSPACE = 2  # AVCOL_SPC_UNSPECIFIED
# Without these flags every pixel is one level too dark; they cost 2 ms at 1280x720.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class ToBgr:
    """Frames to (H, W, 3) uint8 BGR: HDR tone-mapped, wide gamuts converted to BT.709, transparency on grey.

    untagged: the colour matrix of untagged frames; None: BT.709 for HD, BT.601 below, as is usual.
    Caches FFmpeg's state for one kind of frame; use from one thread at a time.
    """

    def __init__(self, *, untagged: str | None = None) -> None:
        self._untagged = untagged
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None
        self._kind: tuple[object, ...] = ()

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Raises FFmpeg's errors, MemoryError, and ValueError for a format that cannot be converted."""
        hd = frame.width >= 1280 or frame.height > 576
        untagged = self._untagged or ("ITU709" if hd else "ITU601")
        guess = untagged if frame.colorspace == _UNSPECIFIED_COLORSPACE else None
        if any(component.is_alpha for component in frame.format.components):
            bgra = frame.to_ndarray(format="bgra", src_colorspace=guess, interpolation=_EXACT)
            return on_grey(np.asarray(bgra, np.uint8))
        if needs_table(frame.color_trc, frame.color_primaries):
            return self._by_table(frame, guess)
        return np.asarray(frame.to_ndarray(format="bgr24", src_colorspace=guess, interpolation=_EXACT), np.uint8)

    def _by_table(self, frame: VideoFrame, guess: str | None) -> NDArray[np.uint8]:
        # Packed 16-bit RGB gets wrong colours with these flags (FFmpeg 8.1).
        rgb = self._reformatter.reformat(frame, format="gbrp12le", src_colorspace=guess, interpolation=_EXACT)  # type: ignore[arg-type]
        kind = (rgb.width, rgb.height, frame.color_trc, frame.color_primaries)
        if self._graph is None or kind != self._kind:
            self._graph, self._kind = _table_graph(rgb, _cube(frame.color_trc, frame.color_primaries)), kind
        self._graph.vpush(rgb)
        return np.asarray(self._graph.vpull().to_ndarray(format="bgr24"), np.uint8)


@functools.lru_cache(maxsize=4)
def _cube(trc: int, primaries: int) -> str:
    """The table as the text of a .cube file, cached for a background that restarts."""
    colours = colour_table(trc, primaries).transpose(2, 1, 0, 3).reshape(-1, 3)  # red changes fastest
    return f"LUT_3D_SIZE {SIDE}\n" + "%.5f %.5f %.5f\n" * len(colours) % tuple(colours.ravel().tolist())


def _table_graph(rgb: VideoFrame, text: str) -> Graph:
    """FFmpeg's filter for a 3D table: it interpolates on several threads, and reads the table only from a file."""
    with tempfile.TemporaryDirectory() as folder:
        cube = Path(folder) / "table.cube"
        cube.write_text(text)
        graph = Graph()
        begin = graph.add(
            "buffer",
            video_size=f"{rgb.width}x{rgb.height}",
            pix_fmt=rgb.format.name,
            time_base=str(rgb.time_base or Fraction(1, 1000)),
            colorspace="0",
            range="2",
        )
        filters = graph.add("lut3d", file=str(cube), interp="tetrahedral"), graph.add("buffersink")
        graph.link_nodes(begin, *filters).configure()
    return graph
