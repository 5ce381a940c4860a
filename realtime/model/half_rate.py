"""`--matte-rate half`: the network runs on every other frame, and the frames between get its matte, carried to them.

Even frames are the network's. The matte of the frame before an odd one is moved as the picture moved, so that it
belongs to the odd frame (`picture/carry.py`); if that is uncertain, the network runs on that frame too. A matte is
carried once and no further, and never to a frame that comes later than MAX_GAP_S: the camera was away, or paused.

Which frames are carried depends on their numbers and pixels alone, so a file gives the same result each time.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.second_look import Finder
from bgcam.realtime.picture.carry import carry
from bgcam.realtime.picture.guided_filter import luma_of

# At ten frames a second, people move too far from one to the next.
MAX_GAP_S = 0.1
# A network that takes longer than this hangs; then the odd frame does not wait for it.
HANGS_S = 5.0
# How many of the network's frames may be in progress; older ones are of no use.
KEPT = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A frame that the network runs on, or has run on. luma: (h, w) uint8, of what it saw."""

    time_s: float
    luma: NDArray[np.uint8]
    matte: Future[CoarseMatte]


class HalfRate:
    """Called as `Matting` is; may be called from several threads, frames in any order. See `motion_gate.Matter`.

    wait_s: how long an odd frame waits for its predecessor to be begun by another thread. 0 where it may never come.
    carried, doubted: the number of odd frames without inference, and of those on which the network ran after all,
        because their motion was too fast or uncertain.
    """

    def __init__(self, finder: Finder, *, wait_s: float = 0.0):
        self.carried = self.doubted = 0
        self._finder, self._wait_s = finder, wait_s
        self._asked: dict[int, _Asked] = {}
        self._changed = threading.Condition()

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame. Raises BackendError."""
        return self.infer(frame, self.see(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        """See `Matter`."""
        return self._finder.see(frame)

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        """See `Matter`."""
        if frame.number % 2 == 0:
            return self._ask(frame, seen_bgr)
        return self._carried(frame, seen_bgr) or self._finder.infer(frame, seen_bgr)

    def forget(self) -> None:
        """No matte so far is carried on: one was refused, or another camera is used."""
        with self._changed:
            self._asked.clear()

    def _ask(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        asked = _Asked(frame.time_s, luma_of(seen_bgr), Future())
        with self._changed:
            self._asked[frame.number] = asked
            for number in sorted(self._asked)[:-KEPT]:
                del self._asked[number]
            self._changed.notify_all()
        try:
            coarse = self._finder.infer(frame, seen_bgr)
        except BaseException:
            asked.matte.cancel()  # the next frame asks for itself
            raise
        asked.matte.set_result(coarse)
        return coarse

    def _carried(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte | None:
        """The matte of the frame before, carried to this one; None if that is not possible."""
        before = frame.number - 1
        with self._changed:
            if self._wait_s:
                self._changed.wait_for(lambda: before in self._asked, self._wait_s)
            asked = self._asked.get(before)
        if asked is None or not 0 <= frame.time_s - asked.time_s < MAX_GAP_S:
            return None
        try:
            matte = asked.matte.result(HANGS_S)
        except (CancelledError, TimeoutError):
            return None
        luma = luma_of(seen_bgr)
        # One of another frame or size is refused where it is drawn, and must not be passed on before.
        if matte.number != before or not luma.shape == asked.luma.shape == matte.alpha.shape:
            return None
        moved = carry(matte.alpha, asked.luma, luma)
        with self._changed:
            if self._asked.get(before) is not asked:  # refused meanwhile
                return None
            self.carried += not moved.fails
            self.doubted += moved.fails
        return None if moved.fails else CoarseMatte(frame.number, moved.alpha, seen_bgr, carried=True)
