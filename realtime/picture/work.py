"""What the stages of the picture chain work on: one frame on its way, and what is kept from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import KEYS, Look, Presenter
from bgcam.realtime.picture.buffers import Buffers, Region
from bgcam.realtime.picture.crossfade import Crossfade
from bgcam.realtime.picture.despill import Spill
from bgcam.realtime.picture.enlarge import Behind
from bgcam.realtime.picture.foreground import Colours
from bgcam.realtime.picture.framing import Follow
from bgcam.realtime.picture.guided_filter import Coefficients, apply_coefficients
from bgcam.realtime.picture.key import Screen, key_guide
from bgcam.realtime.picture.learnt_room import LearntRoom
from bgcam.realtime.picture.matte_doubt import MatteDoubt
from bgcam.realtime.picture.room_memory import Room
from bgcam.realtime.picture.temporal_filter import Kept

Picture = NDArray[np.uint8]

# Without a screen in so many frames, the user is told.
MISSED_FRAMES = 15


@dataclass
class Work:
    """One frame on its way. Each stage reads what those before it left, and leaves its own.

    frame, coarse: as they came, or cropped. coarse.alpha is what every stage before the upsampling works on.
    found: the alpha before anything that is known of the room was taken away from it.
    background: (H, W, 3) BGR, in a crossfade the mix of two; or a smaller picture that is yet to be enlarged.
    coefficients: see `guided_filter`; of the frame's luma, or of the key before `screen`.
    person_bgr, person_seen: the frame and what the network saw, in the new light.
    colours, glow: on a grid, see `foreground` and `light_wrap`; spill: see `despill`. None when their stage is off.
    """

    frame: CameraFrame
    coarse: CoarseMatte
    found: NDArray[np.float32] | None = None
    background: Behind = field(init=False)
    coefficients: Coefficients = field(init=False)
    screen: Screen | None = None
    person_bgr: Picture = field(init=False)
    person_seen: Picture = field(init=False)
    colours: Colours | None = None
    spill: Spill | None = None
    glow: NDArray[np.float32] | None = None


class Memory:
    """What the chain keeps from frame to frame, and how it draws.

    look, background: how the next frame is drawn. independent: frames are unrelated, so nothing is kept.
    kept, room, learnt, doubt, follow, gains: what the stages left for the next frame. keyed: whether the last frame
    showed a screen of the key's colour; missed: how many have not.
    """

    def __init__(self, background: Background, look: Look, *, independent: bool):
        self.look, self.background = look, background
        self.kept: Kept | None = None
        self.room: Room | None = None
        self.learnt, self.doubt = LearntRoom(), MatteDoubt()
        self.learnt.allow(look.room)
        self.follow = Follow()
        self.gains: NDArray[np.float32] | None = None
        self.independent = independent
        self.keyed, self.missed = False, 0
        self.crossfade = Crossfade(background)
        self.buffers = Buffers()

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
        self.learnt.allow(look.room)
        if anew or look.frame != self.look.frame:
            self.follow = Follow()
        if anew or look.key != self.look.key:
            self.keyed, self.missed = False, 0
        fades = self.crossfade.fades and look.crossfade_s > 0
        if anew or not look.match or (background is not self.background and not fades):
            self.gains = None
        self.look, self.background = look, background

    @property
    def room_notice(self) -> str:
        """What the user should know of the room and the matte, "" for nothing."""
        return "; ".join(filter(None, (self.learnt.notice, self.doubt.notice)))

    def forget(self) -> None:
        """Nothing of the frames before says anything of the next one."""
        self.kept, self.room, self.gains, self.follow = None, None, None, Follow()
        self.crossfade.switch(self.background, cut=True)
        self.keyed, self.missed = False, 0

    def alpha(self, work: Work, places: Sequence[Region] | None = None) -> NDArray[np.float32]:
        """The matte at the frame's size, (H, W) in [0, 1], in these places only; holds until the next one."""
        guide = self.guide(work, places)
        return apply_coefficients(work.coefficients, guide, regions=places, buffers=self.buffers)

    def guide(self, work: Work, places: Sequence[Region] | None = None) -> Picture:
        """What the coefficients apply to: (H, W, 3) uint8 BGR, in these places only; holds until the next one."""
        if work.screen is None:
            return work.frame.room_bgr
        return key_guide(work.frame.room_bgr, work.screen, regions=places, buffers=self.buffers)
