"""Skips inference while nothing moves: the last matte of the network is reused.

At network size, in cells of CELL x CELL pixels (those at the right and lower edge may be smaller):

1. change = mean over the cell of |luma - luma of the frame of the last inference|, in grey levels.
2. noise = the median of all cells' changes, at most NOISIEST: if most of the picture is still, that is the camera's
   noise.
3. Something moved if any cell's change is above STEP + FACTOR * noise.

The comparison is with the frame of the last inference, not with the previous frame, so that slow movement adds up until
it counts. A frame is only shown with an older matte if it has moved less than that, by about half a pixel of the
network's input. At least every `refresh`th frame is inferred in any case.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.picture.guided_filter import luma_of

CELL = 8
# In grey levels. A camera's noise of 4 levels is about 1 at network size, and 1.2 as a mean change; over 64 pixels that
# mean varies by a tenth.
STEP, FACTOR, NOISIEST = 1.0, 1.5, 3.0
REFRESH_FRAMES = 15

Luma = NDArray[np.uint8]


def moved_reference(luma: Luma, before: Luma) -> bool:
    """Whether something moved between two lumas (h, w) uint8 of one size; plain NumPy."""
    change = np.abs(luma.astype(np.int64) - before)
    height, width = change.shape
    cells = [
        change[top : top + CELL, left : left + CELL].mean()
        for top in range(0, height, CELL)
        for left in range(0, width, CELL)
    ]
    return bool(max(cells) > STEP + FACTOR * min(float(np.median(cells)), NOISIEST))


def moved(luma: Luma, before: Luma) -> bool:
    """As `moved_reference`. Raises ValueError for lumas of different sizes, or invalid ones."""
    if luma.shape != before.shape or luma.ndim != 2 or not luma.size or luma.dtype != np.uint8:
        raise ValueError(f"luma {luma.shape} {luma.dtype} cannot be compared with luma {before.shape} {before.dtype}")
    change = cv2.absdiff(luma, before)
    (height, width), down, across = change.shape, -change.shape[0] % CELL, -change.shape[1] % CELL
    if down or across:
        change = cv2.copyMakeBorder(change, 0, down, 0, across, cv2.BORDER_CONSTANT, value=0)
    rows = np.add.reduce(change.reshape(-1, CELL, change.shape[1]), axis=1, dtype=np.uint16)
    sums = np.add.reduce(rows.reshape(len(rows), -1, CELL), axis=2, dtype=np.uint16)
    cells = sums / np.outer(_sides(height), _sides(width))
    return bool(cells.max() > STEP + FACTOR * min(float(np.median(cells)), NOISIEST))


class Matter(Protocol):
    """The two halves of `matting.Matting`: the network's view of a frame, (h, w, 3) uint8 BGR, and its matte."""

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]: ...

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte: ...


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """The last inference: its frame's number, alpha (h, w) float32 in [0, 1], luma (h, w) uint8 of the input."""

    number: int
    alpha: NDArray[np.float32]
    luma: Luma

    def holds_for(self, number: int, luma: Luma, *, refresh: int) -> bool:
        """Whether frame `number` may use this alpha."""
        near = abs(number - self.number) < refresh
        return near and luma.shape == self.luma.shape and not moved(luma, self.luma)


class StillMatting:
    """Called as `Matting` is; may be called from several threads, frames in any order.

    refresh: the largest number of frames from one inference to the next.
    skipped: the number of frames without inference.

    Two workers may both infer where one would be enough. No frame gets a matte that is wrong for it, because its own
    pixels decide, not the order.
    """

    def __init__(self, matting: Matter, *, refresh: int = REFRESH_FRAMES):
        if refresh < 1:
            raise ValueError(f"refresh must be 1 frame or more, found {refresh}")
        self.skipped = 0
        self._matting, self._refresh = matting, refresh
        self._last: Inferred | None = None
        self._lock = threading.Lock()

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame, with the network's view of this frame. Raises BackendError."""
        seen_bgr = self._matting.see(frame)
        luma, last = luma_of(seen_bgr), self._last
        if last is not None and last.holds_for(frame.number, luma, refresh=self._refresh):
            with self._lock:
                self.skipped += 1
            return CoarseMatte(frame.number, last.alpha, seen_bgr)
        coarse = self._matting.infer(frame, seen_bgr)
        with self._lock:
            # A matte that was carried is not reused: it would be older than it seems. Nor is one of a crop: whoever
            # stops outside it would stay unseen while nothing moves, and room memory would take them for the room.
            if not (coarse.carried or coarse.cropped) and (self._last is None or self._last.number < frame.number):
                self._last = Inferred(frame.number, coarse.alpha, luma)
        return coarse

    def forget(self) -> None:
        """Discards the last matte, because it was refused."""
        with self._lock:
            self._last = None


class SamePicture:
    """Matting for a source that repeats its last picture: the same array again reuses the matte, without inference.

    May be called from several threads.
    """

    def __init__(self, matting: Matter):
        self._matting = matting
        self._last: tuple[NDArray[np.uint8], CoarseMatte] | None = None

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame. Raises BackendError."""
        last = self._last
        if last is not None and last[0] is frame.room_bgr:
            return replace(last[1], number=frame.number)
        seen_bgr = self._matting.see(frame)
        coarse = self._matting.infer(frame, seen_bgr)
        self._last = (frame.room_bgr, coarse)
        return coarse


def _sides(length: int) -> NDArray[np.int64]:
    """The sides of the cells along a length in pixels; only the last may be smaller than CELL."""
    return np.diff(np.append(np.arange(0, length, CELL), length))
