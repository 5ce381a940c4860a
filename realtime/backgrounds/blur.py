"""The camera's own room: blurred, or as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.picture.blur import DEFAULT_STRENGTH, blur_background, blur_small


class Blur:
    """The room, blurred without the person in it."""

    needs_matte = same_room = True

    def __init__(self, strength: float = DEFAULT_STRENGTH):
        self.name = f"blur:{strength:g}"
        self.strength = strength

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return blur_background(coarse.seen_bgr, coarse.alpha, frame_wh=frame.size_wh, strength=self.strength)

    def small(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        """See `Background`."""
        return blur_small(coarse.seen_bgr, coarse.alpha, frame_wh=frame.size_wh, strength=self.strength)

    def close(self) -> None:
        """Nothing is open."""


class Room:
    """The room as it is: the user asked for it by `none`."""

    name = "none"
    needs_matte, same_room = False, True

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return frame.room_bgr

    def close(self) -> None:
        """Nothing is open."""
