"""What is shown instead of a picture: the background alone, or plain grey."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background, shows_camera, slide_of, small_picture
from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.errors import BackgroundError
from bgcam.realtime.frames import CameraFrame, CoarseMatte, OutputFrame
from bgcam.realtime.picture.composed import empty_cutout, placeholder

PLAIN_GREY = 48


class SafeBackground:
    """A background that remembers its newest picture, and makes placeholders of it. See `Background`.

    A background that shows the camera's own room, blurred or not, or what another camera sees is never remembered: its
    placeholder is plain grey.
    The constructor asks for the first picture, with a black frame, and raises what the background raises.

    background: the one that is given.
    size_wh: of the frames.
    begins_s: the camera's time at which the background's own time is 0; one that is opened in the middle of a run would
        otherwise have to catch up with hours.
    transparent: the outputs take cutouts, and so the placeholders are empty cutouts.
    """

    def __init__(
        self, background: Background, size_wh: tuple[int, int], *, transparent: bool = False, begins_s: float = 0.0
    ):
        self._transparent, self._begins_s = transparent, begins_s
        self.name, self.needs_matte, self.same_room = background.name, background.needs_matte, background.same_room
        self.shows_camera = shows_camera(background)
        self.background, self._lock = background, threading.Lock()
        self._placeholder_bgr = np.full((size_wh[1], size_wh[0], 3), PLAIN_GREY, np.uint8)
        if not self.same_room:
            self._alone(begins_s)

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        if self._begins_s:
            frame = replace(frame, time_s=max(0.0, frame.time_s - self._begins_s))
        with self._lock:  # two threads compose for a moment when one takes over from the other
            bgr = self.background.picture(frame, coarse)
        if not self.same_room and is_camera_memory(bgr):
            raise BackgroundError(f"background {self.name}: its picture lies in a camera frame's memory")
        if not self.same_room and not self.shows_camera and not self._why_unfit(bgr):
            self._placeholder_bgr = bgr
        return bgr

    def small(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8] | None:
        """See `background.small_picture`. What shows the camera's own room is not remembered."""
        with self._lock:
            return small_picture(self.background, frame, coarse)

    @property
    def slide(self) -> int:
        """See `background.slide_of`."""
        return slide_of(self.background)

    @property
    def notice(self) -> str:
        """See `Background`."""
        return str(getattr(self.background, "notice", ""))

    @property
    def flat(self) -> bool:
        """See `Background`."""
        return bool(getattr(self.background, "flat", False))

    @property
    def newest_bgr(self) -> NDArray[np.uint8]:
        """What a placeholder shows: (H, W, 3) BGR, to be read only."""
        return self._placeholder_bgr

    def check_first(self) -> None:
        """Raise BackgroundError unless the background's first picture can be shown, before it is used in a run."""
        if self.same_room:
            return
        why = self._why_unfit(self._alone(self._begins_s))
        if why:
            raise BackgroundError(f"background {self.name}: {why}; give another background")

    def draw_placeholder(self, newest: CameraFrame | None) -> None:
        """Draw the placeholder as the background is now, at the time of the newest frame; None: there was none yet."""
        if not self.same_room and not self.shows_camera:
            self._alone(self._begins_s if newest is None else newest.time_s)

    def close(self) -> None:
        """See `Background`."""
        self.background.close()

    def _alone(self, time_s: float) -> NDArray[np.uint8]:
        """The background's picture at the camera's time, without a frame of the camera's."""
        return self.picture(CameraFrame(0, np.zeros_like(self._placeholder_bgr), time_s, 0.0), _empty_matte())

    def _why_unfit(self, bgr: NDArray[np.uint8]) -> str:
        if bgr.shape != self._placeholder_bgr.shape or bgr.dtype != np.uint8:
            return f"its picture is {bgr.shape} {bgr.dtype}, not {self._placeholder_bgr.shape} uint8"
        return "its picture lies in a camera frame's memory" if is_camera_memory(bgr) else ""

    def placeholder(self, number: int, *, time_s: float = 0.0, captured_s: float = 0.0) -> OutputFrame:
        """The newest picture alone. May be called from any thread."""
        if self._transparent:
            height, width = self._placeholder_bgr.shape[:2]
            return empty_cutout(number, (width, height), time_s=time_s, captured_s=captured_s)
        return placeholder(number, self._placeholder_bgr, time_s=time_s, captured_s=captured_s)


class Placeholders:
    """The placeholders of the background that is shown now. behind: that background; it may be replaced at any time."""

    def __init__(self, behind: SafeBackground):
        self.behind = behind

    def placeholder(self, number: int, *, time_s: float = 0.0, captured_s: float = 0.0) -> OutputFrame:
        """See `SafeBackground`."""
        return self.behind.placeholder(number, time_s=time_s, captured_s=captured_s)


def _empty_matte() -> CoarseMatte:
    return CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
