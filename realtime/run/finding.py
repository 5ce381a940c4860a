"""What finds the person in a run: the network, asked as seldom and looked through as closely as the run wants it."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

import numpy as np

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.half_rate import HalfRate
from bgcam.realtime.model.matte_crop import CropMatting
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.motion_gate import SamePicture, StillMatting
from bgcam.realtime.model.second_look import EmptyFrames, Finder, SecondLook

Find = Callable[[CameraFrame], CoarseMatte]

# In a file, the matte of a frame's predecessor is waited for, at most this long until it is begun.
WAIT_S = 0.5


def everything(frame: CameraFrame) -> CoarseMatte:
    """A matte that keeps the whole frame, for when the user asked to see the room."""
    return CoarseMatte(frame.number, np.ones((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))


class Finding:
    """Makes what gives the frames of one run their mattes.

    live: the source is a camera; then inference is saved while nothing moves.
    independent: the frames are unrelated pictures.
    empty: counts frames without a person.
    crop: a camera's frames are seen through a crop, see `CropMatting`, but with `far`, which has windows of its own.
    """

    def __init__(self, *, live: bool, independent: bool = False, empty: EmptyFrames | None = None, crop: bool = False):
        self._live, self._independent, self._empty = live, independent, empty
        self._crop = crop and live and not independent
        # All that are in use: by the run, by frames in progress, or by a change that may yet fail.
        self._keeping: list[ref[StillMatting | HalfRate | CropMatting]] = []

    def by(self, matting: Matting, *, far: bool, half_rate: bool = False) -> Find:
        """Its mattes of this run's frames.

        far: an empty frame is examined again. half_rate: the network runs on every other frame, see `HalfRate`;
            unrelated pictures are not affected.
        """
        at_once = int(self._live and not self._independent)
        looks: Finder = SecondLook(matting, at_once=at_once) if far else matting
        keeping: list[StillMatting | HalfRate | CropMatting] = []
        if self._crop and not far:
            looks = cropped = CropMatting(looks)
            keeping.append(cropped)
        if half_rate and not self._independent:
            # All frames of a file come here; a camera's in which nothing moved do not.
            looks = half = HalfRate(looks, wait_s=0.0 if self._live else WAIT_S)
            keeping.append(half)
        noted = self._empty.within(looks) if self._empty is not None else looks
        # A file is written once, so each frame gets its own matte; during a call, bgcam should leave the machine free.
        find: Find = noted
        if self._live and self._independent:
            find = SamePicture(noted)
        elif self._live:
            find = still = StillMatting(noted)
            keeping.append(still)
        self._keeping = [*(one for one in self._keeping if one() is not None), *map(ref, keeping)]
        return find

    def forget(self) -> None:
        """No matte is taken over by the next frame: one was refused."""
        for one in self._keeping:
            if (keeping := one()) is not None:
                keeping.forget()
