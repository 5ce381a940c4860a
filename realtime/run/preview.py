"""Pictures of a run for the control page: small, few, only while someone asks, and of a type that no sink accepts."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.failsafe.last_shown import LastShown
from bgcam.realtime.frames import CutoutFrame, OutputFrame
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.work import Work

WIDTH_PX = 640
EVERY_S = 1 / 15
# Another view than the outputs' is drawn until this long after it was asked for last.
ASKED_S = 1.0
JPEG_QUALITY = 80
# Asking for less than this would keep a waiter busy.
LEAST_WAIT_S = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Another view of a frame, at most WIDTH_PX wide. at_s: `time.monotonic()`."""

    view: str
    bgr: NDArray[np.uint8]
    at_s: float


class Previews:
    """Gives what the outputs show, or another view of the frame that they show. Frames are numbered by their time.

    `offer` is called by what draws the frames, `next` from any other thread.
    """

    def __init__(self) -> None:
        self._asked: tuple[str, float] | None = None
        self._drawn: Drawn | None = None
        self._news = threading.Condition()
        self.began_s = time.monotonic()

    def offer(self, chain: Chain, work: Work) -> None:
        """Draw a prepared frame once more, if someone asks for another view than the outputs'."""
        asked, now_s = self._asked, time.monotonic()
        if asked is None:
            return
        if now_s - asked[1] > ASKED_S:
            self._asked, self._drawn = None, None
            return
        if self._drawn is not None and self._drawn.view == asked[0] and now_s - self._drawn.at_s < EVERY_S:
            return
        try:
            drawn = Drawn(asked[0], _small(chain.view(work, asked[0])), now_s)
        except Exception:  # what only the page would have seen must not cost a frame
            return
        with self._news:
            self._drawn = drawn
            self._news.notify_all()

    def next(
        self, shows: LastShown, after: int, *, view: str | None, timeout_s: float
    ) -> tuple[int, NDArray[np.uint8]] | None:
        """The first picture after number `after`: its number and (H, W, 3) BGR, at most WIDTH_PX wide; or None.

        shows: what an output shows. view: another view to draw; None for the same. While the output shows a placeholder
        so does every view.
        """
        end_s = time.monotonic() + timeout_s
        after_s = self.began_s + after / 1000 + (EVERY_S if after else 0.0)
        early_s = min(after_s, end_s) - time.monotonic()
        if early_s > 0:
            time.sleep(early_s)
        if view is not None:
            return self._next_drawn(shows, after_s, view, end_s)
        shown = shows.after(after_s, timeout_s=max(LEAST_WAIT_S, end_s - time.monotonic()))
        return None if shown is None else (self._number(shown.at_s), _small(_bgr(shown.frame)))

    def _next_drawn(
        self, shows: LastShown, after_s: float, view: str, end_s: float
    ) -> tuple[int, NDArray[np.uint8]] | None:
        while True:
            now_s = time.monotonic()
            self._asked = view, now_s
            shown, drawn = shows.after(), self._drawn
            if shown is not None and shown.is_placeholder:
                if shown.at_s > after_s:
                    return self._number(shown.at_s), _small(_bgr(shown.frame))
            elif drawn is not None and drawn.view == view and drawn.at_s > after_s:
                return self._number(drawn.at_s), drawn.bgr
            if now_s >= end_s:
                return None
            with self._news:
                self._news.wait(min(EVERY_S, max(LEAST_WAIT_S, end_s - now_s)))

    def _number(self, at_s: float) -> int:
        """Milliseconds since the beginning, rounded up: asking for what came after it does not give it again."""
        return int((at_s - self.began_s) * 1000) + 1


def as_jpeg(bgr: NDArray[np.uint8], *, quality: int = JPEG_QUALITY) -> bytes:
    """A picture (H, W, 3) uint8 BGR as a JPEG file."""
    written, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise ValueError(f"a picture of {bgr.shape} cannot be written as JPEG")
    return data.tobytes()


def _bgr(frame: OutputFrame) -> NDArray[np.uint8]:
    return np.ascontiguousarray(frame.bgra[..., :3]) if isinstance(frame, CutoutFrame) else frame.bgr


def _small(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = bgr.shape[:2]
    if width <= WIDTH_PX:
        return bgr
    size_wh = WIDTH_PX, max(1, round(height * WIDTH_PX / width))
    return np.asarray(cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
