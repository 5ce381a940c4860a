"""`--background transparent` for files: there is no background, and the output files have transparency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte

TRANSPARENT = "transparent"


class Nothing:
    """A background that no output shows; see `Background`. Black, where a picture is asked for."""

    name = TRANSPARENT
    needs_matte, same_room = True, False

    def __init__(self) -> None:
        self._black = np.zeros((1, 1, 3), np.uint8)

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return np.broadcast_to(self._black, frame.room_bgr.shape)

    def close(self) -> None:
        """Nothing is open."""
