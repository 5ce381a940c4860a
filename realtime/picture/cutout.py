"""The person alone with transparency: the own colours of the person, and alpha, for outputs that hold it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background
from bgcam.realtime.frames import CameraFrame, CoarseMatte, CutoutFrame
from bgcam.realtime.look import Look
from bgcam.realtime.picture.buffers import Region
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.composed import composed_cutout
from bgcam.realtime.picture.despill import Spill, despill
from bgcam.realtime.picture.drawing import parts_of
from bgcam.realtime.picture.foreground import Colours, colours_at, near_colours
from bgcam.realtime.picture.tiles import Tiles
from bgcam.realtime.picture.views import gray_matte
from bgcam.realtime.picture.work import Work

Float = NDArray[np.float32]
# Rows that are worked on at a time: the arithmetic is in float32, and a frame of 100 megapixels would take gigabytes.
BAND_PX = 256


class CutoutChain:
    """As `Chain`, but gives the person alone, with transparency. The background is asked for and not shown."""

    def __init__(
        self,
        background: Background,
        look: Look | None = None,
        *,
        independent: bool = False,
        also: Callable[[Chain, Work], None] | None = None,
    ):
        self._chain, self._also = Chain(background, look, independent=independent), also

    @property
    def notice(self) -> str:
        """See `Chain`."""
        return self._chain.notice

    def __call__(self, frame: CameraFrame, coarse: CoarseMatte) -> CutoutFrame:
        work = self._chain.prepare(frame, coarse)
        colours = work.colours or near_colours(work.person_seen, work.coarse.alpha, frame_wh=work.frame.size_wh)
        parts = parts_of(work)
        alpha = self._chain.alpha(work, parts.edge)
        bgra = cut_out(work.person_bgr, alpha, colours, work.spill, parts=parts)
        if self._also is not None:
            self._also(self._chain, work)
        return composed_cutout(frame, bgra)


def cut_out(
    frame_bgr: NDArray[np.uint8], alpha: Float, colours: Colours, spill: Spill | None, *, parts: Tiles | None = None
) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 BGRA, not premultiplied, of a frame (H, W, 3) and its alpha (H, W) in [0, 1].

    The colours are `foreground.estimate_foreground`'s less the spill, and 0 where alpha rounds to 0: not a pixel of the
    room is left under what is transparent, nor anything that was made from one. parts: where alpha is looked at, the
    whole frame unless given.
    """
    height, width = alpha.shape
    parts = parts or Tiles(_bands(height, width, colours.grid.cell_px), [])
    out = np.zeros((height, width, 4), np.uint8)
    for place in parts.person:
        out[place][..., :3], out[place][..., 3] = frame_bgr[place], 255
    for place in parts.edge:
        out[place][..., :3] = _person(frame_bgr, alpha, colours, spill, place)
        out[place][..., 3] = gray_matte(alpha[place])
    out[out[..., 3] == 0] = 0
    return out


def _bands(height: int, width: int, cell_px: int) -> list[Region]:
    step = -(-BAND_PX // cell_px) * cell_px
    return [(slice(top, min(top + step, height)), slice(0, width)) for top in range(0, height, step)]


def _person(
    frame_bgr: NDArray[np.uint8], alpha: Float, colours: Colours, spill: Spill | None, place: Region
) -> NDArray[np.uint8]:
    person, room = (colours_at(side, colours.grid.cell_px, place) for side in (colours.person, colours.room))
    share = alpha[place][..., None]
    own = person + share * (frame_bgr[place] - share * person - (1 - share) * room)
    own = np.clip(own, 0, 255, dtype=np.float32)
    if spill is not None:
        own = despill(own, spill, place)
    return np.asarray(np.rint(np.clip(own, 0, 255)), np.uint8)
