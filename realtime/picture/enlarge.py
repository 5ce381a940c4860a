"""A picture that is enlarged to the frame's size no sooner than it is drawn, and then right where it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native

Picture = NDArray[np.uint8]


def enlarge_reference(small: Picture, size_wh: tuple[int, int]) -> Picture:
    """(h, w, 3) uint8 to (H, W, 3), bilinear with half-pixel centres and repeated borders."""
    return np.asarray(cv2.resize(small, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)


def enlarge(small: Picture, size_wh: tuple[int, int]) -> Picture:
    """As `enlarge_reference`, within one grey level, for a size no smaller in either direction. Returns a new array."""
    if native.LIBRARY is None:
        return enlarge_reference(small, size_wh)
    return native.enlarge(small, size_wh)


@dataclass(slots=True, eq=False)
class Enlarged:
    """A small picture (h, w, 3) uint8 BGR, and the size that it is to be shown at."""

    small: Picture
    size_wh: tuple[int, int]
    _whole: Picture | None = field(default=None, init=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole picture."""
        return (self.size_wh[1], self.size_wh[0], 3)

    @property
    def whole(self) -> Picture:
        """At its size, to be read only."""
        if self._whole is None:
            self._whole = self.fresh()
        return self._whole

    def fresh(self) -> Picture:
        """At its size, in an array that is the caller's."""
        return enlarge(self.small, self.size_wh)


# What is behind the person.
Behind = Picture | Enlarged


def whole_of(behind: Behind) -> Picture:
    """(H, W, 3) uint8 BGR, to be read only."""
    return behind.whole if isinstance(behind, Enlarged) else behind


def copy_of(behind: Behind) -> Picture:
    """(H, W, 3) uint8 BGR in an array that is the caller's."""
    return behind.fresh() if isinstance(behind, Enlarged) else behind.copy()
