"""How a video's stored pictures must be shown: pixels that are not square, and the container's display matrix."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from bgcam.realtime import MAX_PIXELS

# Real videos have pixels of 8:9 to 2:1; a value far outside means a damaged header.
_MAX_ASPECT = 8
_ONE = 1 << 16  # the matrix is in 16.16 fixed point


Matrix = tuple[float, float, float, float]
UPRIGHT: Matrix = (1.0, 0.0, 0.0, 1.0)


def display_matrix(frame: VideoFrame) -> Matrix:
    """The (a, b, c, d) of the frame's display matrix, see `Geometry`; UPRIGHT without one.

    A frame whose side data was read refers to itself in PyAV 18, and stays in memory until garbage collection.
    """
    try:
        found = bytes(cast(SideDataContainer, frame.side_data)[Type.DISPLAYMATRIX])
    except KeyError:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", found)
    return (a / _ONE, b / _ONE, c / _ONE, d / _ONE) if any((a, b, c, d)) else UPRIGHT


@dataclass(frozen=True)
class Geometry:
    """How a stored picture is shown.

    pixel_aspect: a pixel's width divided by its height.
    matrix: (a, b, c, d); a stored pixel (x, y) is shown at (a x + c y, b x + d y), up to an offset.
    """

    pixel_aspect: Fraction = Fraction(1)
    matrix: Matrix = UPRIGHT

    @classmethod
    def of(cls, matrix: Matrix, pixel_aspect: Fraction | None) -> Geometry:
        """pixel_aspect: as the container or codec says; None, 0 and impossible values count as square."""
        aspect = pixel_aspect or Fraction(1)
        if not Fraction(1, _MAX_ASPECT) <= aspect <= _MAX_ASPECT:
            aspect = Fraction(1)
        return cls(aspect, matrix)

    @property
    def _turned(self) -> bool:
        """Whether width and height are swapped."""
        a, b, c, d = self.matrix
        return abs(b) + abs(c) > abs(a) + abs(d) and self._is_quarter

    @property
    def _is_quarter(self) -> bool:
        """Whether the matrix rotates by a multiple of 90 degrees, to within one degree, like FFmpeg."""
        degrees = self._degrees % 90
        return min(degrees, 90 - degrees) < 1

    @property
    def _degrees(self) -> float:
        a, b, c, d = self.matrix
        return math.degrees(math.atan2(b / (math.hypot(b, d) or 1), a / (math.hypot(a, c) or 1)))

    def square_wh(self, stored_wh: tuple[int, int]) -> tuple[int, int]:
        """The stored size with square pixels: one side grows, so that no detail is lost."""
        width, height = stored_wh
        aspect = float(self.pixel_aspect)
        wide = (round(width * max(aspect, 1)), round(height / min(aspect, 1)))
        return wide if wide[0] * wide[1] <= MAX_PIXELS else stored_wh

    def shown_wh(self, stored_wh: tuple[int, int]) -> tuple[int, int]:
        """The shown size of a stored (width, height)."""
        width, height = self.square_wh(stored_wh)
        return (height, width) if self._turned else (width, height)

    def apply(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Converts (H, W, 3) uint8 from stored to shown. Other angles leave black corners, like FFmpeg."""
        stored_wh = (bgr.shape[1], bgr.shape[0])
        size_wh = self.square_wh(stored_wh)
        if size_wh != stored_wh:
            bgr = np.asarray(cv2.resize(bgr, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
        a, b, c, d = self.matrix
        if self._turned:
            flips = (c < 0, b < 0)
            bgr = np.asarray(cv2.transpose(bgr), np.uint8)
        elif self._is_quarter:
            flips = (a < 0, d < 0)
        else:
            centre = ((size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2)
            turn = cv2.getRotationMatrix2D(centre, -self._degrees, 1.0)
            return np.asarray(cv2.warpAffine(bgr, turn, size_wh, flags=cv2.INTER_LINEAR), np.uint8)
        code = {(True, False): 1, (False, True): 0, (True, True): -1}.get(flips)
        return bgr if code is None else np.asarray(cv2.flip(bgr, code), np.uint8)
