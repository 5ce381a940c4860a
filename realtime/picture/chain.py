"""The picture stage: a camera frame and its coarse matte become the composed frame, by a table of stages.

Each stage is a pure function with a file of its own; here stand only their order, and what is kept from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.look import KEYS, Look, Presenter
from bgcam.realtime.picture.buffers import Buffers, Region
from bgcam.realtime.picture.composed import composed
from bgcam.realtime.picture.composite import composite
from bgcam.realtime.picture.crossfade import Crossfade
from bgcam.realtime.picture.despill import Spill, find_spill
from bgcam.realtime.picture.edges import move_edge, sharpen_edge
from bgcam.realtime.picture.foreground import Colours, grid_of, near_colours
from bgcam.realtime.picture.framing import Follow, crop_frame
from bgcam.realtime.picture.guided_filter import (
    Coefficients,
    apply_coefficients,
    bilinear_coefficients,
    guided_coefficients,
    luma_of,
)
from bgcam.realtime.picture.key import (
    FOUND,
    LOST,
    Screen,
    find_screen,
    key_coefficients,
    key_guide,
    keyed_small,
    shows_background,
)
from bgcam.realtime.picture.learnt_room import LearntRoom
from bgcam.realtime.picture.light_match import light_gains, light_table
from bgcam.realtime.picture.light_wrap import REACH_SHARE, light_wrap
from bgcam.realtime.picture.matte_doubt import MatteDoubt
from bgcam.realtime.picture.presenter import black, box_of, paste, seen_behind
from bgcam.realtime.picture.room_memory import Room, remember
from bgcam.realtime.picture.temporal_filter import Kept, temporal_filter
from bgcam.realtime.picture.tiles import Tiles, find_tiles, widened
from bgcam.realtime.picture.views import checkerboard, four_in_one, matte_view
from bgcam.realtime.trace import span

Picture = NDArray[np.uint8]

# About the side of the tiles that are blended or left alone; a whole number of the colour grid's cells.
TILE_PX = 32
# Beyond this many sigmas from the edge, the background's light is zero.
REACH_SIGMAS = 2.5
# Without a screen in so many frames, the user is told.
MISSED_FRAMES = 15
# The share by which the new light's gains follow a change, each frame.
LIGHT_FOLLOWS = np.float32(0.05)


@dataclass
class Work:
    """One frame on its way. Each stage reads what those before it left, and leaves its own.

    frame, coarse: as they came, or cropped. coarse.alpha is what every stage before the upsampling works on.
    found: the alpha before anything that is known of the room was taken away from it.
    background: (H, W, 3) BGR, in a crossfade the mix of two.
    coefficients: see `guided_filter`; of the frame's luma, or of the key before `screen`.
    person_bgr, person_seen: the frame and what the network saw, in the new light.
    colours, glow: on a grid, see `foreground` and `light_wrap`; spill: see `despill`. None when their stage is off.
    """

    frame: CameraFrame
    coarse: CoarseMatte
    found: NDArray[np.float32] | None = None
    background: Picture = field(init=False)
    coefficients: Coefficients = field(init=False)
    screen: Screen | None = None
    person_bgr: Picture = field(init=False)
    person_seen: Picture = field(init=False)
    colours: Colours | None = None
    spill: Spill | None = None
    glow: NDArray[np.float32] | None = None


class Chain:
    """Called with each frame and its coarse matte, in order, on one thread; gives the composed frame.

    also: called with each prepared frame after it was drawn; it must change nothing of it.
    without: names of STAGES to leave out, for measuring what they gain; what `look` does not ask for is out anyway.
    independent: frames are unrelated, so no state is kept: the pictures of a folder are not a video.
    Raises ValueError for a matte that is another frame's, frames out of order, and a background of another size.
    """

    def __init__(
        self,
        background: Background,
        look: Look | None = None,
        *,
        without: Collection[str] = (),
        independent: bool = False,
        also: Callable[[Chain, Work], None] | None = None,
    ):
        self.look, self.background = look or Look(), background
        self.kept: Kept | None = None
        self.room: Room | None = None
        self.learnt, self.doubt = LearntRoom(), MatteDoubt()
        self.follow = Follow()
        self.gains: NDArray[np.float32] | None = None
        self.keyed, self.missed = False, 0
        self._stages = [(name, INSTEAD.get(name) if name in without else run) for name, run in STAGES.items()]
        self._buffers = Buffers()
        self.crossfade = Crossfade(background)
        self._last, self._independent, self._also = -1, independent, also

    def __call__(self, frame: CameraFrame, coarse: CoarseMatte) -> ComposedFrame:
        work = self.prepare(frame, coarse)
        with span(self.look.view):
            picture = composed(frame, self.draw(work))
        if self._also is not None:
            self._also(self, work)
        return picture

    @property
    def presenter(self) -> Presenter | None:
        """How small the person is shown; None for full size. In front of their own room, that is the only one."""
        return None if self.background.same_room else self.look.presenter

    @property
    def notice(self) -> str:
        """What the user must know of the picture, "" for nothing."""
        notices = [str(getattr(self.background, "notice", ""))]
        if self.look.key != KEYS[0] and self.missed >= MISSED_FRAMES:
            why = f"no {self.look.key} screen is seen: the matte is the model's alone"
            notices.append(f"{why}; light the screen, or set key=off")
        return "; ".join(filter(None, notices))

    def switch(self, background: Background, look: Look, *, anew: bool = False, cut: bool = False) -> None:
        """Draw the next frames with these; called between two frames.

        What was learnt of the person and the room goes on to hold, and a crop or light of before is not carried over
        to where it has no meaning. anew: the earlier frames say nothing of the next ones. cut: the last frames were
        drawn elsewhere, so that there is nothing to fade from.
        """
        self.crossfade.switch(background, cut=cut)
        if anew:
            self.kept, self.room = None, None
            self.learnt.forget()
            self.doubt = MatteDoubt()
        if anew or look.frame != self.look.frame:
            self.follow = Follow()
        if anew or look.key != self.look.key:
            self.keyed, self.missed = False, 0
        fades = self.crossfade.fades and look.crossfade_s > 0
        if anew or not look.match or (background is not self.background and not fades):
            self.gains = None
        self.look, self.background = look, background

    @property
    def independent(self) -> bool:
        """Whether frames are unrelated."""
        return self._independent

    @property
    def room_notice(self) -> str:
        """What the user should know of the room and the matte, "" for nothing."""
        return "; ".join(filter(None, (self.learnt.notice, self.doubt.notice)))

    def prepare(self, frame: CameraFrame, coarse: CoarseMatte) -> Work:
        """All stages of a frame, but for drawing what is shown."""
        if frame.number != coarse.number:
            raise ValueError(f"{frame} cannot take {coarse}: it belongs to another frame")
        if frame.number <= self._last:
            raise ValueError(f"{frame} comes after frame {self._last}; frames must arrive in order")
        self._last = frame.number
        if self._independent:
            self.kept, self.room, self.gains, self.follow = None, None, None, Follow()
            self.crossfade.switch(self.background, cut=True)
            self.keyed, self.missed = False, 0
        work = Work(frame, coarse)
        for name, stage in self._stages:
            if stage is not None:
                with span(name):
                    stage(self, work)
        return work

    def draw(self, work: Work) -> Picture:
        """What the look wants to see of a prepared frame: (H, W, 3) uint8 BGR."""
        return self.view(work, self.look.view)

    def view(self, work: Work, name: str) -> Picture:
        """A prepared frame in one of VIEWS: (H, W, 3) uint8 BGR, in memory of its own."""
        return VIEWS[name](self, work)

    def alpha(self, work: Work, places: Sequence[Region] | None = None) -> NDArray[np.float32]:
        """The matte at the frame's size, (H, W) in [0, 1], in these places only; holds until the next one."""
        guide = self.guide(work, places)
        return apply_coefficients(work.coefficients, guide, regions=places, buffers=self._buffers)

    def guide(self, work: Work, places: Sequence[Region] | None = None) -> Picture:
        """What the coefficients apply to: (H, W, 3) uint8 BGR, in these places only; holds until the next one."""
        if work.screen is None:
            return work.frame.room_bgr
        return key_guide(work.frame.room_bgr, work.screen, regions=places, buffers=self._buffers)


def _temporal_filter(chain: Chain, work: Work) -> None:
    chain.kept = temporal_filter(work.coarse.alpha, luma_of(work.coarse.seen_bgr), chain.kept)
    work.coarse = replace(work.coarse, alpha=chain.kept.alpha)


def _room_memory(chain: Chain, work: Work) -> None:
    work.found = work.coarse.alpha
    alpha, chain.room = remember(work.coarse.alpha, luma_of(work.coarse.seen_bgr), chain.room)
    work.coarse = replace(work.coarse, alpha=alpha)


def _room_plate(chain: Chain, work: Work) -> None:
    if chain.independent:
        return
    found, before = work.found, work.coarse.alpha
    time_s = work.frame.time_s
    alpha = chain.learnt.step(before, work.coarse.seen_bgr, time_s=time_s, mode=chain.look.room)
    chain.doubt.step(before if found is None else found, alpha, time_s=time_s)
    work.coarse = replace(work.coarse, alpha=alpha)


def _framing(chain: Chain, work: Work) -> None:
    if chain.look.frame == "follow":
        crop = chain.follow.step(work.coarse.alpha, seconds=work.frame.time_s)
        work.frame, work.coarse = crop_frame(work.frame, work.coarse, crop)


def _edge(chain: Chain, work: Work) -> None:
    if chain.look.edge_steps or chain.look.sharp_steps:
        alpha = move_edge(work.coarse.alpha, steps=chain.look.edge_steps)
        work.coarse = replace(work.coarse, alpha=sharpen_edge(alpha, steps=chain.look.sharp_steps))


def _background(chain: Chain, work: Work) -> None:
    background = chain.background.picture(work.frame, work.coarse)
    if background.shape != work.frame.room_bgr.shape:
        raise ValueError(f"{work.frame} does not fit a background of shape {background.shape}")
    work.background = chain.crossfade(background, time_s=work.frame.time_s, duration_s=chain.look.crossfade_s)


def _guided_filter(chain: Chain, work: Work) -> None:
    work.coefficients = guided_coefficients(work.coarse.alpha, luma_of(work.coarse.seen_bgr))


def _bilinear_filter(chain: Chain, work: Work) -> None:
    work.coefficients = bilinear_coefficients(work.coarse.alpha)


def _key(chain: Chain, work: Work) -> None:
    if chain.look.key == KEYS[0]:
        return
    least = LOST if chain.keyed else FOUND
    seen, alpha = work.coarse.seen_bgr, work.coarse.alpha
    work.screen = find_screen(seen, alpha, chain.look.key, frame_wh=work.frame.size_wh, least=least)
    chain.keyed = work.screen is not None
    if chain.keyed:
        chain.missed = 0
    elif shows_background(alpha):
        chain.missed += 1
    if work.screen is not None:
        work.coefficients = key_coefficients(alpha, work.screen)
        work.coarse = replace(work.coarse, alpha=keyed_small(alpha, seen, work.screen, work.coefficients))


def _light_match(chain: Chain, work: Work) -> None:
    work.person_bgr, work.person_seen = work.frame.room_bgr, work.coarse.seen_bgr
    if not chain.look.match or getattr(chain.background, "flat", False):
        return
    gains = light_gains(work.person_seen, work.coarse.alpha, work.background, strength=chain.look.match)
    chain.gains = gains if chain.gains is None else chain.gains + LIGHT_FOLLOWS * (gains - chain.gains)
    table = light_table(chain.gains)
    work.person_bgr = np.asarray(cv2.LUT(work.person_bgr, table), np.uint8)
    work.person_seen = np.asarray(cv2.LUT(work.person_seen, table), np.uint8)


def _foreground(chain: Chain, work: Work) -> None:
    # Before the same room, the frame's own colours hide where the matte is wrong; the person's would show as a halo.
    if not chain.background.same_room or chain.look.view == "cutout":
        work.colours = near_colours(work.person_seen, work.coarse.alpha, frame_wh=work.frame.size_wh)


def _despill(chain: Chain, work: Work) -> None:
    if work.colours is not None:
        work.spill = find_spill(work.person_seen, work.coarse.alpha, frame_wh=work.frame.size_wh)


def _light_wrap(chain: Chain, work: Work) -> None:
    if chain.look.wrap and not getattr(chain.background, "flat", False):
        behind = work.background
        if chain.presenter is not None:
            behind = seen_behind(behind, box_of(chain.presenter, work.frame.size_wh))
        work.glow = light_wrap(work.coarse.alpha, behind, strength=chain.look.wrap)


# In this order. The table of what each gains and costs: `python -m bgcam.benchmarks picture`.
STAGES = {
    "temporal_filter": _temporal_filter,
    "room_memory": _room_memory,
    "room_plate": _room_plate,
    "framing": _framing,
    "edge": _edge,
    "background": _background,
    "guided_filter": _guided_filter,
    "key": _key,
    "light_match": _light_match,
    "foreground": _foreground,
    "despill": _despill,
    "light_wrap": _light_wrap,
}
INSTEAD = {"background": _background, "guided_filter": _bilinear_filter}


def _composite(chain: Chain, work: Work) -> Picture:
    if work.background is work.frame.room_bgr:  # the user wants to see the room
        return work.frame.room_bgr.copy()  # what is shown is never the camera's own memory
    if chain.presenter is None or chain.presenter.size == 1:
        return _person_before(chain, work, work.background)
    person = _person_before(chain, work, black(work.frame.size_wh))  # in front of black, it is multiplied by alpha
    return paste(person, chain.alpha(work), work.background, box_of(chain.presenter, work.frame.size_wh))


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


def _person_before(chain: Chain, work: Work, background: Picture) -> Picture:
    parts = parts_of(work)
    return composite(
        work.person_bgr,
        background,
        work.coefficients,
        parts,
        work.colours,
        luma_from=chain.guide(work, parts.edge),
        spill=work.spill,
        glow=work.glow,
        buffers=chain._buffers,
    )


def _matte(chain: Chain, work: Work) -> Picture:
    return matte_view(chain.alpha(work))


def _cutout(chain: Chain, work: Work) -> Picture:
    return _person_before(chain, work, checkerboard(work.frame.size_wh))


def _side_by_side(chain: Chain, work: Work) -> Picture:
    return four_in_one([work.frame.room_bgr, *(view(chain, work) for view in (_matte, _cutout, _composite))])


VIEWS = {"composite": _composite, "matte": _matte, "cutout": _cutout, "side-by-side": _side_by_side}
