"""What a prepared frame looks like, in each of the views: (H, W, 3) uint8 BGR, in memory of its own."""

from __future__ import annotations

from bgcam.realtime.picture.composite import composite
from bgcam.realtime.picture.enlarge import Behind, whole_of
from bgcam.realtime.picture.foreground import grid_of
from bgcam.realtime.picture.light_wrap import REACH_SHARE
from bgcam.realtime.picture.presenter import black, box_of, paste
from bgcam.realtime.picture.tiles import Tiles, find_tiles, widened
from bgcam.realtime.picture.views import checkerboard, four_in_one, matte_view
from bgcam.realtime.picture.work import Memory, Picture, Work

# About the side of the tiles that are blended or left alone; a whole number of the colour grid's cells.
TILE_PX = 32
# Beyond this many sigmas from the edge, the background's light is zero.
REACH_SIGMAS = 2.5


def _composite(memory: Memory, work: Work) -> Picture:
    if work.background is work.frame.room_bgr:  # the user wants to see the room
        return work.frame.room_bgr.copy()  # what is shown is never the camera's own memory
    if memory.presenter is None or memory.presenter.size == 1:
        return _person_before(memory, work, work.background)
    person = _person_before(memory, work, black(work.frame.size_wh))  # in front of black, it is multiplied by alpha
    return paste(person, memory.alpha(work), whole_of(work.background), box_of(memory.presenter, work.frame.size_wh))


def parts_of(work: Work) -> Tiles:
    """Where a prepared frame needs work."""
    small, frame_wh = work.coarse.alpha, work.frame.size_wh
    cell_px = grid_of(frame_wh, (small.shape[1], small.shape[0])).cell_px
    edge = work.coefficients.unsure
    if work.spill is not None:
        edge = edge | work.spill.shows
    if work.glow is not None:
        edge = widened(edge, frame_wh=frame_wh, reach_px=REACH_SIGMAS * REACH_SHARE * min(frame_wh))
    return find_tiles(small, edge, frame_wh=frame_wh, tile_px=cell_px * max(1, round(TILE_PX / cell_px)))


def _person_before(memory: Memory, work: Work, background: Behind) -> Picture:
    parts = parts_of(work)
    return composite(
        work.person_bgr,
        background,
        work.coefficients,
        parts,
        work.colours,
        luma_from=memory.guide(work, parts.edge),
        spill=work.spill,
        glow=work.glow,
        buffers=memory.buffers,
    )


def _matte(memory: Memory, work: Work) -> Picture:
    return matte_view(memory.alpha(work))


def _cutout(memory: Memory, work: Work) -> Picture:
    return _person_before(memory, work, checkerboard(work.frame.size_wh))


def _side_by_side(memory: Memory, work: Work) -> Picture:
    return four_in_one([work.frame.room_bgr, *(view(memory, work) for view in (_matte, _cutout, _composite))])


VIEWS = {"composite": _composite, "matte": _matte, "cutout": _cutout, "side-by-side": _side_by_side}
