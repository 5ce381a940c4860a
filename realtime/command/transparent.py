"""`--background transparent` for files: there is no background, and the output files have transparency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.backgrounds.key_colour import TRANSPARENT
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import VIEWS, Look


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


def check_look(look: Look) -> None:
    """Raise UsageError for what needs a background to look at."""
    asked = {
        "--light-wrap": look.wrap > 0,
        "--light-match": look.match > 0,
        "--presenter": look.presenter is not None,
        f"--view {look.view}": look.view != VIEWS[0],
    }
    for option, wanted in asked.items():
        if wanted:
            raise UsageError(f"{option} needs a background to show; leave it out with --background {TRANSPARENT}")
