"""What finds the person in a run: the network, asked as seldom and looked through as closely as the run wants it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.motion_gate import SamePicture, StillMatting
from bgcam.realtime.model.second_look import EmptyFrames, Finder, SecondLook

Find = Callable[[CameraFrame], CoarseMatte]


def everything(frame: CameraFrame) -> CoarseMatte:
    """A matte that keeps the whole frame, for when the user asked to see the room."""
    return CoarseMatte(frame.number, np.ones((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))


class Finding:
    """Makes what gives the frames of one run their mattes.

    live: the source is a camera; then inference is saved while nothing moves.
    independent: the frames are unrelated pictures.
    empty: counts frames without a person.
    """

    def __init__(self, *, live: bool, independent: bool = False, empty: EmptyFrames | None = None):
        self._live, self._independent, self._empty = live, independent, empty
        self._still: list[StillMatting] = []

    def by(self, matting: Matting, *, far: bool) -> Find:
        """Its mattes of this run's frames. far: an empty frame is examined again."""
        at_once = int(self._live and not self._independent)
        looks: Finder = SecondLook(matting, at_once=at_once) if far else matting
        noted = self._empty.within(looks) if self._empty is not None else looks
        # A file is written once, so each frame gets its own matte; during a call, bgcam should leave the machine free.
        if not self._live:
            return noted
        if self._independent:
            return SamePicture(noted)
        still = StillMatting(noted)
        self._still = [*self._still[-1:], still]  # frames in progress still ask the one before
        return still

    def forget(self) -> None:
        """No matte is taken over by the next frame: one was refused."""
        for still in self._still:
            still.forget()
