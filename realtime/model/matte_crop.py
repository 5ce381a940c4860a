"""`--matte-crop`: the network sees the part of the frame where the person is, so that a small person gets more of it.

The crop is chosen from the last matte, with a margin, in the matte's aspect: the network's input keeps its size, so
that nothing is compiled anew. Outside the crop alpha is 0, so that a crop may hide a person for a moment, but never
shows the room. The whole frame is seen instead

- in every REFRESH_FRAMES-th frame, besides the crop: whoever else has come gets their matte, and the crop grows;
- where a person reaches an edge of the crop that is not the frame's, as in fast motion; if that happens in two frames
  in a row, for REST_FRAMES;
- where nobody is seen in the crop, or so much of the frame is the person's that a crop would gain little.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.matting import resize_area
from bgcam.realtime.model.motion_gate import Matter

Alpha = NDArray[np.float32]

# A cell with more alpha belongs to a person; where fewer cells than this share do, nobody is there.
SEEN, EMPTY_SHARE = 0.2, 0.002
# The crop's sides are so much larger than the person's, and between these shares of the frame's.
MARGIN, LEAST_SHARE, MOST_SHARE = 1.5, 0.25, 0.8
# A crop is kept while the one that would be chosen anew has almost its size and place, in shares of its sides: each
# change is seen in the matte.
KEEPS_SHARE = 0.12
# Somebody within this share of the crop's sides from its edge reaches it.
TOUCH_SHARE = 0.03
REFRESH_FRAMES, REST_FRAMES = 8, 30


@dataclass(frozen=True)
class Crop:
    """A part of the frame, in cells of the matte."""

    left: int
    top: int
    width: int
    height: int

    @property
    def cells(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def crop_for(alpha: Alpha, now: Crop | None = None) -> Crop | None:
    """The crop around everybody in a matte (h, w), or `now` if it still fits; None for the whole frame."""
    height, width = alpha.shape
    seen = alpha > SEEN
    if seen.mean() < EMPTY_SHARE:
        return None
    (top, bottom), (left, right) = (_ends(np.asarray(seen.any(axis=axis))) for axis in (1, 0))
    share = max(MARGIN * (bottom - top) / height, MARGIN * (right - left) / width, LEAST_SHARE)
    if share > MOST_SHARE:
        return None
    wide, high = max(1, round(share * width)), max(1, round(share * height))
    new = Crop(_begin(left, right, wide, width), _begin(top, bottom, high, height), wide, high)
    return now if now is not None and _alike(new, now) else new


def touches(closer: Alpha, crop: Crop, shape: tuple[int, int]) -> bool:
    """Whether somebody reaches an edge of the crop that is not the frame's.

    closer: (h, w), the matte of the crop alone; shape: of the whole frame's matte.
    """
    height, width = closer.shape
    high, wide = max(1, round(TOUCH_SHARE * height)), max(1, round(TOUCH_SHARE * width))
    edges = (
        (crop.top > 0, closer[:high]),
        (crop.top + crop.height < shape[0], closer[-high:]),
        (crop.left > 0, closer[:, :wide]),
        (crop.left + crop.width < shape[1], closer[:, -wide:]),
    )
    return any(inside and bool((edge > SEEN).any()) for inside, edge in edges)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the frames so far say of the next one. whole_at: the last that was seen whole; rests_until: the first that
    may be cropped again. forgotten: how often all was forgotten before."""

    crop: Crop | None = None
    whole_at: int = -REFRESH_FRAMES
    rests_until: int = 0
    touched: bool = False
    forgotten: int = 0


class CropMatting:
    """Called as `Matting` is, with a camera's frames; from several threads, frames about in order. See `Matter`."""

    def __init__(self, matting: Matter):
        self._matting = matting
        self._known = _Known()
        self._lock = threading.Lock()

    @property
    def crop(self) -> Crop | None:
        """What the next frame is seen through; None for the whole frame."""
        return self._known.crop

    def forget(self) -> None:
        """The next frame is seen whole: a matte was refused, or another camera is used."""
        with self._lock:
            self._known = _Known(forgotten=self._known.forgotten + 1)

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame. Raises BackendError."""
        return self.infer(frame, self.see(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        """See `Matter`."""
        return self._matting.see(frame)

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        """See `Matter`."""
        known = self._known
        shape = (seen_bgr.shape[0], seen_bgr.shape[1])
        if known.crop is None:
            coarse = self._matting.infer(frame, seen_bgr)
            self._learn(frame, coarse.alpha, replace(known, whole_at=frame.number))
            return coarse
        closer = self._through(known.crop, frame, seen_bgr)
        placed = _placed(closer, known.crop, np.zeros(shape, np.float32))
        nobody, touched = bool((closer > SEEN).mean() < EMPTY_SHARE), touches(closer, known.crop, shape)
        if nobody or touched:
            coarse = self._matting.infer(frame, seen_bgr)
            rests = nobody or known.touched
            until = frame.number + REST_FRAMES if rests else known.rests_until
            now = replace(known, whole_at=frame.number, rests_until=until, touched=touched)
            self._learn(frame, np.maximum(coarse.alpha, placed), now)
            return coarse
        if frame.number - known.whole_at < REFRESH_FRAMES:
            coarse, now = CoarseMatte(frame.number, placed, seen_bgr, cropped=True), replace(known, touched=False)
        else:
            coarse = self._matting.infer(frame, seen_bgr)
            coarse = replace(coarse, alpha=_placed(closer, known.crop, coarse.alpha.copy()))
            now = replace(known, whole_at=frame.number, touched=False)
        self._learn(frame, coarse.alpha, now)
        return coarse

    def _learn(self, frame: CameraFrame, alpha: Alpha, known: _Known) -> None:
        # Of two threads, the one that ends last is believed: an older crop fits too, and `whole_at` is never too late.
        crop = None if frame.number < known.rests_until else crop_for(alpha, known.crop)
        with self._lock:
            if known.forgotten == self._known.forgotten:  # otherwise the frame was begun before
                self._known = replace(known, crop=crop)

    def _through(self, crop: Crop, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> Alpha:
        """The matte of the crop alone, (h, w) of the network's size."""
        height, width = seen_bgr.shape[:2]
        across, down = frame.size_wh[0] / width, frame.size_wh[1] / height
        left, right = round(crop.left * across), round((crop.left + crop.width) * across)
        top, bottom = round(crop.top * down), round((crop.top + crop.height) * down)
        cut = np.ascontiguousarray(frame.room_bgr[top : max(bottom, top + 1), left : max(right, left + 1)])
        return self._matting.infer(frame, resize_area(cut, (width, height))).alpha


def _ends(any_seen: NDArray[np.bool_]) -> tuple[int, int]:
    """The first and last + 1 of those that are True."""
    at = np.flatnonzero(any_seen)
    return int(at[0]), int(at[-1]) + 1


def _begin(first: int, end: int, side: int, whole: int) -> int:
    """Where a crop of `side` cells begins that has these in its middle, inside the frame."""
    return min(max(0, (first + end - side) // 2), whole - side)


def _alike(new: Crop, now: Crop) -> bool:
    across, down = KEEPS_SHARE * now.width, KEEPS_SHARE * now.height
    apart_x = new.left + new.width / 2 - now.left - now.width / 2
    apart_y = new.top + new.height / 2 - now.top - now.height / 2
    return abs(new.width - now.width) < across and abs(apart_x) < across and abs(apart_y) < down


def _placed(closer: Alpha, crop: Crop, whole: Alpha) -> Alpha:
    """`whole`, in which the matte of a crop has replaced that part."""
    small = cv2.resize(closer, (crop.width, crop.height), interpolation=cv2.INTER_AREA)
    # A mean of ones may be above 1 by rounding, for which the matte would be refused.
    whole[crop.cells] = np.clip(small, 0, 1).reshape(crop.height, crop.width)
    return whole
