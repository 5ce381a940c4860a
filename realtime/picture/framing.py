"""`--frame follow`: a smooth crop that keeps the person centred, found from the matte alone.

The crop has the frame's aspect. Its target centres the person horizontally, puts the top of the head a little below the
frame's top, and zooms in until the shoulders fill about half of the width. The crop moves only when it differs from the
target by more than a dead zone, and then eases to it, so that the frame stays still when a head nods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte

MAX_ZOOM = 2.0
# The distance of the head from the top, and the person's width, as shares of the crop.
HEADROOM, PERSON_WIDTH = 0.12, 0.55
# Rows and columns belong to the person from this share of the largest row's or column's alpha.
COUNTS = 0.1
# The crop starts to move when it differs from its target by START of its own size, and stops within STOP.
START, STOP = 0.05, 0.005
EASE_S = 0.6
# Below this share of the frame no person counts as found, and the whole frame is shown.
SMALLEST = 0.005


@dataclass(frozen=True)
class Crop:
    """A part of the frame.

    x, y: its centre, as shares of the frame.
    side: its width and height, as a share of the frame's; 1 is the whole frame.
    """

    x: float = 0.5
    y: float = 0.5
    side: float = 1.0

    def inside(self) -> Crop:
        """The nearest crop that does not leave the frame."""
        half = self.side / 2
        return Crop(min(max(self.x, half), 1 - half), min(max(self.y, half), 1 - half), self.side)


WHOLE = Crop()


def target_crop(alpha: NDArray[np.float32]) -> Crop:
    """The target crop for a matte (h, w) in [0, 1]; the whole frame if there is no person."""
    if float(alpha.mean()) < SMALLEST:
        return WHOLE
    height, width = alpha.shape
    rows, columns = alpha.sum(axis=1), alpha.sum(axis=0)
    there = np.flatnonzero(columns >= COUNTS * columns.max())
    top = int(np.flatnonzero(rows >= COUNTS * rows.max())[0]) / height
    left, right = int(there[0]) / width, (int(there[-1]) + 1) / width
    side = min(1.0, max((right - left) / PERSON_WIDTH, 1 / MAX_ZOOM))
    # Centred on the head rather than the box, so that an extended arm does not push the face aside.
    head = alpha[int(top * height) : max(int(top * height) + 1, int((top + 0.25 * side) * height))].sum(axis=0)
    middle = float((head * (np.arange(width) + 0.5)).sum() / max(float(head.sum()), 1e-6)) / width
    return Crop(middle, top + (0.5 - HEADROOM) * side, side).inside()


class Follow:
    """Moves the crop from frame to frame."""

    def __init__(self) -> None:
        self.crop = WHOLE
        self._moving = False
        self._then_s: float | None = None

    def step(self, alpha: NDArray[np.float32], *, seconds: float) -> Crop:
        """The crop for the next frame's matte. seconds: the frame's time.

        At the first frame, and after a gap of a second, the crop jumps to its target.
        """
        target = target_crop(alpha)
        gap_s = None if self._then_s is None else seconds - self._then_s
        self._then_s = seconds
        if gap_s is None or not 0 <= gap_s < 1:
            self.crop, self._moving = target, False
            return self.crop
        now = self.crop
        off = max(abs(target.x - now.x), abs(target.y - now.y), abs(target.side - now.side)) / now.side
        self._moving = off > (STOP if self._moving else START)
        if self._moving:
            share = 1 - float(np.exp(-gap_s / EASE_S))
            pairs = ((now.x, target.x), (now.y, target.y), (now.side, target.side))
            self.crop = Crop(*(old + share * (new - old) for old, new in pairs)).inside()
        return self.crop


def crop_frame(frame: CameraFrame, coarse: CoarseMatte, crop: Crop) -> tuple[CameraFrame, CoarseMatte]:
    """Crops both, resized bilinearly to their original sizes. The shown crop moves by whole pixels."""
    if crop == WHOLE:
        return frame, coarse
    bgr = _cut(frame.room_bgr, crop)
    cut = CoarseMatte(coarse.number, _cut_finely(coarse.alpha, crop), _cut_finely(coarse.seen_bgr, crop))
    return CameraFrame(frame.number, bgr, frame.time_s, frame.captured_s), cut


def _cut(picture: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """Resizes the smallest area of whole pixels around the crop, then cuts it: a tenth of the time of `_cut_finely`."""
    around, inside = [], []
    for middle, side in zip((crop.y, crop.x), picture.shape[:2], strict=True):
        first, last = (middle - crop.side / 2) * side, (middle + crop.side / 2) * side
        begin, end = math.floor(first + 1e-6), min(side, math.ceil(last - 1e-6))
        size = max(side, round((end - begin) / crop.side))
        skipped = min(round((first - begin) / crop.side), size - side)
        around.append((begin, end, size))
        inside.append(slice(skipped, skipped + side))
    (top, bottom, height), (left, right, width) = around
    larger = cv2.resize(picture[top:bottom, left:right], (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(larger[inside[0], inside[1]], np.uint8)


def _cut_finely(picture: NDArray[Any], crop: Crop) -> NDArray[Any]:
    """Exact to a fraction of a pixel, for the network's small pictures."""
    height, width = picture.shape[:2]
    matrix = np.array(
        [
            [crop.side, 0, (crop.x - crop.side / 2) * width + crop.side / 2 - 0.5],
            [0, crop.side, (crop.y - crop.side / 2) * height + crop.side / 2 - 0.5],
        ]
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
