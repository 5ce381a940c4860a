"""What is shown instead of a picture: the background alone, or plain grey."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background
from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.frames import CameraFrame, CoarseMatte, OutputFrame
from bgcam.realtime.picture.composed import empty_cutout, placeholder

PLAIN_GREY = 48


class SafeBackground:
    """A background that remembers its newest picture, and makes placeholders of it. See `Background`.

    A background that shows the camera's own room, blurred or not, is never remembered: its placeholder is plain grey.
    The constructor asks for the first picture, with a black frame, and raises what the background raises.

    size_wh: of the frames.
    transparent: the outputs take cutouts, and so the placeholders are empty cutouts.
    """

    def __init__(self, background: Background, size_wh: tuple[int, int], *, transparent: bool = False):
        self._transparent = transparent
        self.name, self.needs_matte, self.same_room = background.name, background.needs_matte, background.same_room
        self._background, self._lock = background, threading.Lock()
        self._placeholder_bgr = np.full((size_wh[1], size_wh[0], 3), PLAIN_GREY, np.uint8)
        if not self.same_room:
            black = CameraFrame(0, np.zeros_like(self._placeholder_bgr), 0.0, 0.0)
            self.picture(black, CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8)))

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        with self._lock:  # two threads compose for a moment when one takes over from the other
            bgr = self._background.picture(frame, coarse)
        fits = bgr.shape == self._placeholder_bgr.shape and bgr.dtype == np.uint8
        if fits and not self.same_room and not is_camera_memory(bgr):
            self._placeholder_bgr = bgr
        return bgr

    def placeholder(self, number: int, *, time_s: float = 0.0, captured_s: float = 0.0) -> OutputFrame:
        """The newest picture alone. May be called from any thread."""
        if self._transparent:
            height, width = self._placeholder_bgr.shape[:2]
            return empty_cutout(number, (width, height), time_s=time_s, captured_s=captured_s)
        return placeholder(number, self._placeholder_bgr, time_s=time_s, captured_s=captured_s)
