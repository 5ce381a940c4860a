"""`--matte-crop`: the network sees the part of the frame where the person is, so that a small person gets more of it.

The crop covers where people were in the mattes of the last one to two stretches of STRETCH_FRAMES, with a margin, in
the matte's aspect: the network's input keeps its size, so that nothing is compiled anew. It is kept while they fit and
fill enough of it, because each change of the crop shows in the matte. Outside the crop alpha is 0, so that a crop may
hide a person for a moment, but never shows the room. The whole frame is seen instead

- besides the crop, in every REFRESH_FRAMES-th frame, and from the SOON_FRAMES-th on if something moved outside the
  crop: whoever else has come gets their matte, and the crop grows. What is too small for that is not shown;
- where a person reaches an edge of the crop that is not the frame's, as in fast motion; if that happens in two frames
  in a row, for REST_FRAMES;
- where nobody is seen in the crop, so much of the frame is the person's that a crop would gain little, or the camera
  was away for GAP_S.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.matting import resize_area
from bgcam.realtime.model.motion_gate import CELL, FACTOR, NOISIEST, STEP, Luma, Matter
from bgcam.realtime.picture.guided_filter import luma_of

Alpha = NDArray[np.float32]

# A cell with more alpha belongs to a person; where fewer cells than this share do, nobody is there. A part of fewer
# cells than the third is no one of whom the crop takes notice.
SEEN, EMPTY_SHARE, PART_SHARE = 0.2, 0.002, 0.0005
# The crop's sides are so much larger than the person's. While the smaller margin is left, a crop is kept.
MARGIN, LEAST_MARGIN = 1.5, 1.15
# The crop's sides, in shares of the frame's: a first one is made up to the second, a later one up to the third.
LEAST_SHARE, START_SHARE, MOST_SHARE = 0.25, 0.85, 0.95
# A crop is kept until a new one would have sides smaller than this share of its own.
SHRINK_SHARE = 0.75
STRETCH_FRAMES = 45
# Somebody within this share of the crop's sides from its edge reaches it.
TOUCH_SHARE = 0.03
REFRESH_FRAMES, SOON_FRAMES, REST_FRAMES = 8, 3, 30
# After a longer time without a frame, people may be anywhere.
GAP_S = 0.5


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


@dataclass(frozen=True, slots=True)
class Box:
    """Where people are, in cells of the matte; right and bottom are the first that are not theirs."""

    left: int
    top: int
    right: int
    bottom: int

    def around(self, other: Box | None) -> Box:
        """The smallest box that has both in it."""
        if other is None:
            return self
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(left, top, max(self.right, other.right), max(self.bottom, other.bottom))


def box_of(alpha: Alpha) -> Box | None:
    """Around everybody in a matte (h, w); None if nobody is seen."""
    seen = (alpha > SEEN).view(np.uint8)
    if seen.mean() < EMPTY_SHARE:
        return None
    _, _, stats, _ = cv2.connectedComponentsWithStats(seen)
    left, top, width, height, cells = stats[1:].T
    parts = cells >= PART_SHARE * alpha.size
    if not parts.any():
        return None
    right, bottom = (left + width)[parts].max(), (top + height)[parts].max()
    return Box(int(left[parts].min()), int(top[parts].min()), int(right), int(bottom))


def crop_for(box: Box, shape: tuple[int, int], now: Crop | None = None) -> Crop | None:
    """The crop around people in a matte of `shape`, (h, w), or `now` if it still fits; None for the whole frame."""
    height, width = shape
    wanted = max(MARGIN * (box.bottom - box.top) / height, MARGIN * (box.right - box.left) / width, LEAST_SHARE)
    if now is not None and _inside(box, now, shape) and wanted > SHRINK_SHARE * now.width / width:
        return now
    if wanted > (START_SHARE if now is None else MOST_SHARE):
        return None
    wide, high = max(1, round(wanted * width)), max(1, round(wanted * height))
    return Crop(_begin(box.left, box.right, wide, width), _begin(box.top, box.bottom, high, height), wide, high)


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


def moved_outside(luma: Luma, before: Luma, crop: Crop) -> bool:
    """Whether something moved outside the crop between two lumas (h, w) uint8, by the rule of `motion_gate`."""
    height, width = luma.shape[0] // CELL, luma.shape[1] // CELL
    change = cv2.absdiff(luma, before)[: height * CELL, : width * CELL].astype(np.float32)
    cells = np.asarray(cv2.resize(change, (width, height), interpolation=cv2.INTER_AREA)).reshape(height, width)
    outside = np.ones((height, width), np.bool_)
    rows, columns = (slice(part.start // CELL, -(-part.stop // CELL)) for part in crop.cells)
    outside[rows, columns] = False
    there = cells[outside]
    return bool(there.size and there.max() > STEP + FACTOR * min(float(np.median(there)), NOISIEST))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the frames so far say of the next one.

    whole_at, whole_luma: of the last frame that was seen whole. rests_until: the first that may be cropped again.
    lately: where people were in this stretch of frames, which began at `since`; before: in the one before.
    forgotten: how often all was forgotten before.
    """

    crop: Crop | None = None
    whole_at: int = -REFRESH_FRAMES
    whole_luma: Luma | None = None
    rests_until: int = 0
    touched: bool = False
    lately: Box | None = None
    before: Box | None = None
    since: int = 0
    forgotten: int = 0


class CropMatting:
    """Called as `Matting` is, with a camera's frames; from several threads, frames about in order. See `Matter`."""

    def __init__(self, matting: Matter):
        self._matting = matting
        self._known = _Known()
        self._seen_s = 0.0
        self._lock = threading.Lock()

    @property
    def crop(self) -> Crop | None:
        """What the next frame is seen through; None for the whole frame."""
        return self._known.crop

    def forget(self) -> None:
        """The next frame is seen whole: a matte was refused, another camera is used, or it was away."""
        with self._lock:
            self._known = _Known(forgotten=self._known.forgotten + 1)

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame. Raises BackendError."""
        return self.infer(frame, self.see(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        """See `Matter`. Also called with frames that need no inference, so that it knows when the camera was away."""
        if frame.time_s - self._seen_s > GAP_S:
            self.forget()
        self._seen_s = frame.time_s
        return self._matting.see(frame)

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        """See `Matter`."""
        known, luma = self._known, luma_of(seen_bgr)
        shape = (seen_bgr.shape[0], seen_bgr.shape[1])
        seen_whole = replace(known, whole_at=frame.number, whole_luma=luma, touched=False)
        if known.crop is None:
            coarse = self._matting.infer(frame, seen_bgr)
            self._learn(frame, coarse.alpha, seen_whole)
            return coarse
        closer = self._through(known.crop, frame, seen_bgr)
        placed = _placed(closer, known.crop, np.zeros(shape, np.float32))
        nobody, touched = bool((closer > SEEN).mean() < EMPTY_SHARE), touches(closer, known.crop, shape)
        if nobody or touched:
            coarse = self._matting.infer(frame, seen_bgr)
            rests = nobody or known.touched
            until = frame.number + REST_FRAMES if rests else known.rests_until
            self._learn(
                frame, np.maximum(coarse.alpha, placed), replace(seen_whole, rests_until=until, touched=touched)
            )
            return coarse
        if not self._due(frame.number, luma, known):
            self._learn(frame, placed, replace(known, touched=False))
            return CoarseMatte(frame.number, placed, seen_bgr, cropped=True)
        coarse = self._matting.infer(frame, seen_bgr)
        both = _placed(closer, known.crop, coarse.alpha.copy())
        if box_of(both) == box_of(placed):  # nobody else: traces in this frame alone would flash
            both = placed
        self._learn(frame, both, seen_whole)
        return replace(coarse, alpha=both)

    @staticmethod
    def _due(number: int, luma: Luma, known: _Known) -> bool:
        """Whether this frame is to be seen whole as well."""
        since = number - known.whole_at
        if since < SOON_FRAMES or known.crop is None:
            return False
        before = known.whole_luma
        if since >= REFRESH_FRAMES or before is None or before.shape != luma.shape:
            return True
        return moved_outside(luma, before, known.crop)

    def _learn(self, frame: CameraFrame, alpha: Alpha, known: _Known) -> None:
        # Of two threads, the one that ends last is believed: an older crop fits too, and `whole_at` is never too late.
        box = box_of(alpha)
        if box is None:
            known = replace(known, crop=None, lately=None, before=None)
        else:
            if known.lately is None or frame.number - known.since >= STRETCH_FRAMES:
                known = replace(known, lately=box, before=known.lately, since=frame.number)
            lately = box.around(known.lately)
            shape, rests = (alpha.shape[0], alpha.shape[1]), frame.number < known.rests_until
            crop = None if rests else crop_for(lately.around(known.before), shape, known.crop)
            known = replace(known, lately=lately, crop=crop)
        with self._lock:
            if known.forgotten == self._known.forgotten:  # otherwise the frame was begun before
                self._known = known

    def _through(self, crop: Crop, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> Alpha:
        """The matte of the crop alone, (h, w) of the network's size."""
        height, width = seen_bgr.shape[:2]
        across, down = frame.size_wh[0] / width, frame.size_wh[1] / height
        left, right = round(crop.left * across), round((crop.left + crop.width) * across)
        top, bottom = round(crop.top * down), round((crop.top + crop.height) * down)
        cut = np.ascontiguousarray(frame.room_bgr[top : max(bottom, top + 1), left : max(right, left + 1)])
        return self._matting.infer(frame, resize_area(cut, (width, height))).alpha


def _begin(first: int, end: int, side: int, whole: int) -> int:
    """Where a crop of `side` cells begins that has these in its middle, inside the frame."""
    return min(max(0, (first + end - side) // 2), whole - side)


def _inside(box: Box, crop: Crop, shape: tuple[int, int]) -> bool:
    """Whether a box is in the crop with LEAST_MARGIN, but at the frame's own edges."""
    across = (LEAST_MARGIN - 1) / 2 * (box.right - box.left)
    down = (LEAST_MARGIN - 1) / 2 * (box.bottom - box.top)
    right, bottom = crop.left + crop.width, crop.top + crop.height
    return (
        (crop.left == 0 or box.left - across >= crop.left)
        and (crop.top == 0 or box.top - down >= crop.top)
        and (right == shape[1] or box.right + across <= right)
        and (bottom == shape[0] or box.bottom + down <= bottom)
    )


def _placed(closer: Alpha, crop: Crop, whole: Alpha) -> Alpha:
    """`whole`, in which the matte of a crop has replaced that part."""
    small = cv2.resize(closer, (crop.width, crop.height), interpolation=cv2.INTER_AREA)
    # A mean of ones may be above 1 by rounding, for which the matte would be refused.
    whole[crop.cells] = np.clip(small, 0, 1).reshape(crop.height, crop.width)
    return whole
