"""`--far`: a second, closer look if the network finds no person. It misses people smaller than half the frame's height.

The network sees the frame through windows of half its sides. A person in one of them counts if a second window, cut
around the person, shows the same. With a camera, that window is then used in every frame besides the whole frame, until
it is empty or the person has come near.

If the whole frame shows a person and no window is in use, the result is the same as with a single look. This is an
option because objects are mistaken for people more often: in 13 of 264 pictures of empty rooms, compared with 2 for a
single look.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.matting import resize_area
from bgcam.realtime.model.motion_gate import Matter

Alpha = NDArray[np.float32]

SHOWN = 0.5
# A smaller share of cells does not count as a person.
EMPTY_SHARE = 0.002
# A person fills at least this share of a window; and how much the persons in two windows must overlap to be the same.
PERSON_SHARE, SAME_SHARE = 0.02, 0.6
# The height of the window around a person, as a multiple of theirs; and the share of it at which it is abandoned.
MARGIN, NEAR_SHARE = 1.6, 0.55
GRID = 3


@dataclass(frozen=True)
class Window:
    """A part of the frame, in cells of the matte."""

    left: int
    top: int
    width: int
    height: int


def is_empty(alpha: Alpha) -> bool:
    """Whether a matte (h, w) shows no person."""
    return bool((alpha > SHOWN).mean() < EMPTY_SHARE)


def windows(shape: tuple[int, int]) -> list[Window]:
    """Windows of half the matte's sides (h, w) that overlap by half, the lower ones first: people sit or stand."""
    height, width = shape
    high, wide = max(1, height // 2), max(1, width // 2)
    tops = [round(at * (height - high) / (GRID - 1)) for at in reversed(range(GRID))]
    lefts = [round(at * (width - wide) / (GRID - 1)) for at in (1, 0, 2)]
    return [Window(left, top, wide, high) for top in tops for left in lefts]


def window_around(alpha: Alpha) -> Window | None:
    """The window around the largest person in a matte (h, w), of its aspect; None if there is none or they are too
    near.
    """
    height, width = alpha.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats((alpha > SHOWN).astype(np.uint8))
    if count < 2:
        return None
    left, top, wide, high, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    scale = max(MARGIN * high / height, MARGIN * wide / width, 0.2)
    if high > NEAR_SHARE * height or scale >= 1:
        return None
    own_w, own_h = max(1, round(scale * width)), max(1, round(scale * height))
    at_left = min(max(0, round(left + wide / 2 - own_w / 2)), width - own_w)
    at_top = min(max(0, round(top + high / 2 - own_h / 2)), height - own_h)
    return Window(int(at_left), int(at_top), own_w, own_h)


class SecondLook:
    """Called as `Matting` is, and like it from several threads, frames in any order. See `still.Matter`.

    at_once: for a camera, the number of windows for an empty frame; the next frames use the others. 0, for pictures and
        videos: all windows, and frames do not affect each other.
    """

    def __init__(self, matting: Matter, *, at_once: int = 0):
        self._matting, self._at_once = matting, at_once
        self._window: Window | None = None
        self._turn = 0
        self._lock = threading.Lock()

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame. Raises BackendError."""
        return self.infer(frame, self.see(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        """See `Matter`."""
        return self._matting.see(frame)

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        """See `Matter`."""
        coarse = self._matting.infer(frame, seen_bgr)
        window = self._window
        if window is not None:
            closer = self._through(window, frame, coarse)
            around = None if is_empty(closer) else window_around(np.maximum(closer, coarse.alpha))
            self._window = around
            if not is_empty(closer):
                return replace(coarse, alpha=np.maximum(closer, coarse.alpha))
        if not is_empty(coarse.alpha):
            return coarse
        alpha = coarse.alpha
        for one in self._next_windows(alpha.shape):
            found = self._confirmed(one, frame, coarse)
            if found is not None:
                alpha = np.maximum(alpha, found[1])
                if self._at_once:
                    self._window = found[0]
        return replace(coarse, alpha=alpha)

    def _next_windows(self, shape: tuple[int, ...]) -> list[Window]:
        there = windows((shape[0], shape[1]))
        if not self._at_once:
            return there
        with self._lock:
            turn, self._turn = self._turn, (self._turn + self._at_once) % len(there)
        return [there[(turn + step) % len(there)] for step in range(self._at_once)]

    def _confirmed(self, window: Window, frame: CameraFrame, coarse: CoarseMatte) -> tuple[Window, Alpha] | None:
        """A window around the person that one shows, and the matte through it; None unless both show the same."""
        first = self._through(window, frame, coarse)
        if (first > SHOWN).sum() < PERSON_SHARE * window.width * window.height:
            return None
        around = window_around(first)
        if around is None:
            return None
        second = self._through(around, frame, coarse)
        one, other = first > SHOWN, second > SHOWN
        if (one & other).sum() < SAME_SHARE * (one | other).sum():
            return None
        return around, second

    def _through(self, window: Window, frame: CameraFrame, coarse: CoarseMatte) -> Alpha:
        """The matte of the whole frame as seen through a window, 0 outside it."""
        height, width = coarse.alpha.shape
        across, down = frame.size_wh[0] / width, frame.size_wh[1] / height
        left, right = round(window.left * across), round((window.left + window.width) * across)
        top, bottom = round(window.top * down), round((window.top + window.height) * down)
        cut = np.ascontiguousarray(frame.room_bgr[top : max(bottom, top + 1), left : max(right, left + 1)])
        closer = self._matting.infer(frame, resize_area(cut, (width, height))).alpha
        alpha = np.zeros_like(coarse.alpha)
        inside = cv2.resize(closer, (window.width, window.height), interpolation=cv2.INTER_AREA)
        alpha[window.top : window.top + window.height, window.left : window.left + window.width] = inside
        return alpha


class Finder(Matter, Protocol):
    """The common interface of `Matting` and `SecondLook`."""

    def __call__(self, frame: CameraFrame) -> CoarseMatte: ...


class EmptyFrames:
    """Records the frames of a run without a person. `within` wraps a matting that records them here."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()

    def __str__(self) -> str:
        count = len(self.numbers)
        return f"nobody found in {count} frame{'s' * (count > 1)}" if count else ""

    def within(self, find: Finder) -> Noting:
        return Noting(find, self)

    def note(self, coarse: CoarseMatte) -> CoarseMatte:
        if is_empty(coarse.alpha):
            self.numbers.add(coarse.number)
        return coarse


class Noting:
    """Called as `Matting` is; see `EmptyFrames` and `still.Matter`."""

    def __init__(self, find: Finder, empty: EmptyFrames):
        self._find, self._empty = find, empty

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        """The matte of this frame. Raises BackendError."""
        return self._empty.note(self._find(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        """See `Matter`."""
        return self._find.see(frame)

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        """See `Matter`."""
        return self._empty.note(self._find.infer(frame, seen_bgr))
