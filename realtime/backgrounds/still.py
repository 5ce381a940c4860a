"""A picture that stays the same, or a colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources._shape import cover


class Still:
    """One picture, cut to the frame's aspect around its centre; the cut is kept for the next frame."""

    needs_matte, same_room = True, False

    def __init__(self, name: str, bgr: NDArray[np.uint8]):
        self.name = name
        self._bgr = bgr
        self._cut: NDArray[np.uint8] | None = None

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        if self._cut is None or self._cut.shape != frame.room_bgr.shape:
            self._cut = cover(self._bgr, frame.size_wh)
        return self._cut

    def close(self) -> None:
        """Nothing is open."""
