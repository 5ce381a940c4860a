"""Frames and ends of a run for tests, made as bgcam makes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.picture.composed import placeholder


def shown(number: int, bgr: NDArray[np.uint8], time_s: float = 0.0, captured_s: float = 0.0) -> ComposedFrame:
    """A frame that an output may show, of a copy of these pixels."""
    return placeholder(number, bgr, time_s=time_s, captured_s=captured_s)


class File:
    """What a `Sink` says of itself that nobody watches. Base of sinks."""

    name = "file"
    live, notice = False, ""

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        """Nothing to finish."""

    def abort(self) -> None:
        """Nothing to undo."""
