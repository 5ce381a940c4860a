"""What a background is: for those that draw it, show it alone, or open it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte


class Background(Protocol):
    """One background.

    name: for display.
    needs_matte: False where the person need not be found at all.
    same_room: it shows the camera's own room.
    notice: optional; what the user must know of it, "" for nothing.
    small: optional, for the camera's own room only; as `picture`, before it is enlarged to the frame's size bilinearly.
    flat: optional; True if it is a colour to be keyed out, so that none of its light may fall on the person.

    A background may also have what `slide_of` and `shows_camera` look for.
    """

    name: str
    needs_matte: bool
    same_room: bool

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR of the frame's size, to be read only. Called in the order of the frames."""

    def close(self) -> None:
        """Let go of its files. May be called from any thread, and twice; a later `picture` gives the last one."""


def small_picture(background: Background, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8] | None:
    """The background's `small` picture, (h, w, 3) uint8 BGR, no larger than the frame; None if it has none."""
    draw: Callable[[CameraFrame, CoarseMatte], NDArray[np.uint8] | None] | None = getattr(background, "small", None)
    return None if draw is None or not background.same_room else draw(frame, coarse)


def slide_of(background: Background) -> int:
    """How many times one picture of it has taken the place of another, which a crossfade softens; `slide`."""
    slide: int = getattr(background, "slide", 0)
    return slide


def shows_camera(background: Background) -> bool:
    """Whether it shows what another camera sees, so that no picture of it is kept; `shows_camera`."""
    return bool(getattr(background, "shows_camera", False))
