"""A picture that stays the same, or a colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.backgrounds.whole import whole
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources._shape import cover


class Still:
    """One picture at the frame's size, which is kept for the next frame.

    whole: whether all of it is shown, between bars, or it is cut around its centre to the frame's aspect ratio. It may
    be changed between two frames.
    """

    needs_matte, same_room = True, False

    def __init__(self, name: str, bgr: NDArray[np.uint8], *, whole: bool = False):
        self.name, self.whole = name, whole
        self._bgr = bgr
        self._drawn: NDArray[np.uint8] | None = None
        self._drawn_whole = whole

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        kept = self._drawn is not None and self._drawn_whole is self.whole
        if self._drawn is None or not kept or self._drawn.shape != frame.room_bgr.shape:
            self._drawn = (whole if self.whole else cover)(self._bgr, frame.size_wh)
            self._drawn_whole = self.whole
        return self._drawn

    def close(self) -> None:
        """Nothing is open."""
