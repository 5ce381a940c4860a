"""Crossfade: one picture of the background turns into another one, `out = (1 - share) * old + share * new`.

Share grows from 0 to 1 with the time of the frames. Only what is drawn fades: placeholders are made of the background
itself. Where a camera's picture is on either side, the room's or another camera's, there is no fade.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background, shows_camera, slide_of

Picture = NDArray[np.uint8]


class Crossfade:
    """Called with the background of each frame, in order. While nothing fades, it returns that array and computes
    nothing. background: the first one."""

    def __init__(self, background: Background) -> None:
        self._background, self._slide = background, slide_of(background)
        self._newest: Picture | None = None
        self._old: Picture | None = None
        self._time_s = self._begin_s = 0.0

    @property
    def fades(self) -> bool:
        """Whether a fade has begun and is not over."""
        return self._old is not None

    def switch(self, background: Background, *, cut: bool) -> None:
        """The next frames have this background. cut: what was shown last must not be shown again."""
        if cut or not (_may_fade(background) and _may_fade(self._background)):
            self._old = self._newest = None
        elif background is not self._background:
            self._begin()
        self._background, self._slide = background, slide_of(background)

    def __call__(self, bgr: Picture, *, time_s: float, duration_s: float) -> Picture:
        """What is shown at `time_s` for a picture (H, W, 3) uint8 BGR of the background: that array itself, or a new
        one."""
        if not _may_fade(self._background):
            return bgr
        slide = slide_of(self._background)
        if slide != self._slide:
            self._slide = slide
            self._begin()
        if self._old is not None:
            bgr = self._mixed(bgr, time_s - self._begin_s, duration_s)
        self._newest, self._time_s = bgr, time_s
        return bgr

    def _begin(self) -> None:
        """Fade from what was shown last; in the middle of a fade, that is its mix."""
        # From the last frame's time: if frames were missing since, a placeholder has already shown the new background.
        self._old, self._begin_s = self._newest, self._time_s

    def _mixed(self, bgr: Picture, since_s: float, duration_s: float) -> Picture:
        if self._old is None or self._old.shape != bgr.shape or not 0 <= since_s < duration_s:
            self._old = None
            return bgr
        share = since_s / duration_s
        return np.asarray(cv2.addWeighted(bgr, share, self._old, 1 - share, 0), np.uint8)


def _may_fade(background: Background) -> bool:
    return not (background.same_room or shows_camera(background))
