"""The pictures of a folder, one after the other: at an interval, or when asked to go on."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources.images import read_picture
from bgcam.realtime.sources.picture_files import picture_paths

SLIDE_S = 10.0
# The next picture is read this long before it is due.
LEAD_S = 3.0


class Slideshow:
    """The pictures of a folder by name, in a loop. One that cannot be read is passed over. See `Background`.

    slide: how many times one picture has taken the place of another.
    waits: whether a frame waits for a picture that is still being read. In a call none does: the picture before stays
        until then, also where a network drive hangs.
    whole: see `Still`.

    Raises SourceError when none of the pictures can be read.
    """

    needs_matte, same_room = True, False

    def __init__(self, folder: Path, *, interval_s: float = SLIDE_S, waits: bool = True):
        self.name, self.slide, self.waits, self.whole = str(folder), 0, waits, True
        self._interval_s = interval_s
        self._paths = picture_paths(folder)
        self._at, self._still = self._first_readable()
        self._since_s: float | None = None  # the time of the first frame that showed this picture
        self._asked = 0
        self._reading: _Reading | None = None
        self._turned = threading.Condition()
        self._closed = False

    @property
    def count(self) -> int:
        """How many pictures there are, readable or not."""
        return len(self._paths)

    @property
    def interval_s(self) -> float:
        """For how many of the camera's seconds each picture is shown; 0: until `go`. A new value counts from now."""
        return self._interval_s

    @interval_s.setter
    def interval_s(self, value: float) -> None:
        if value != self._interval_s:
            self._interval_s, self._since_s = value, None

    def go(self, steps: int) -> None:
        """Go on by a number of pictures, back if it is negative, with the next frame. May be called from any thread."""
        with self._turned:
            self._asked += steps

    def wait_turned(self, timeout_s: float) -> None:
        """Wait until the picture that was asked for is shown, or the time is over."""
        with self._turned:
            self._turned.wait_for(lambda: not self._asked or self._closed, timeout_s)

    @property
    def shown(self) -> str:
        """ "slide 3 of 12: x.png", and whether another one was asked for and is not shown yet."""
        coming = "; another one is still being read, or waits for the camera" if self._asked else ""
        name = self._paths[self._at].name
        # A name may have bytes that are no text, which no JSON can hold, or a line's end.
        return f"slide {self._at + 1} of {self.count}: {name if name.isprintable() else ascii(name)}{coming}"

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        if self.count > 1 and not self._closed:
            self._turn(frame.time_s)
        self._still.whole = self.whole
        return self._still.picture(frame, coarse)

    def close(self) -> None:
        """No file is open between two pictures."""
        with self._turned:
            self._closed = True
            self._turned.notify_all()

    def _turn(self, now_s: float) -> None:
        """Show another picture if it is time for that."""
        if self._since_s is None or now_s < self._since_s:
            self._since_s = now_s
        asked = self._asked
        shown_s = now_s - self._since_s
        steps = asked or int(0 < self._interval_s <= shown_s)
        coming = steps or int(0 < self._interval_s <= shown_s + LEAD_S)
        if coming and (self._reading is None or self._reading.steps != coming):
            self._reading = _Reading(self._paths, self._at, coming)
        if not steps or self._reading is None or not self._reading.done(wait=self.waits):
            return
        found, self._reading = self._reading.found, None
        # After a long gap in the camera's time, the show goes on with the next picture.
        self._since_s = now_s if asked else now_s - shown_s % self._interval_s
        if found is not None:
            self._at, self._still = found[0], Still(self.name, found[1])
            self.slide += 1
        with self._turned:
            self._asked -= asked
            self._turned.notify_all()

    def _first_readable(self) -> tuple[int, Still]:
        errors = []
        for at, path in enumerate(self._paths):
            try:
                return at, Still(self.name, read_picture(path))
            except SourceError as error:
                errors.append(error)
        raise SourceError(f"{self.name}: none of its {len(errors)} pictures can be read; the first error: {errors[0]}")


def time_slides(background: Background, *, interval_s: float, waits: bool) -> None:
    """Set how long a slideshow shows each picture, and whether a frame waits for one; other backgrounds stay."""
    if isinstance(background, Slideshow):
        background.interval_s, background.waits = interval_s, waits


def turn_slide(background: Background, steps: int, *, wait_s: float) -> bool:
    """Have a slideshow go on, or back, and wait for that; False for another background, or one picture alone."""
    if not isinstance(background, Slideshow) or background.count < 2:
        return False
    background.go(steps)
    background.wait_turned(wait_s)
    return True


def slide_shown(background: Background) -> str:
    """See `Slideshow.shown`; "" for another background."""
    return background.shown if isinstance(background, Slideshow) else ""


class _Reading:
    """The picture `steps` after the one at index `at`, or the nearest beyond it that can be read, read by a thread.

    found: its index and the picture, (H, W, 3) uint8 BGR; None if no other one can be read.
    """

    def __init__(self, paths: list[Path], at: int, steps: int):
        self.steps = steps
        self.found: tuple[int, NDArray[np.uint8]] | None = None
        self._paths, self._at = paths, at
        self._thread = threading.Thread(target=self._run, name="bgcam-slide", daemon=True)
        self._thread.start()

    def done(self, *, wait: bool) -> bool:
        if wait:
            self._thread.join()
        return not self._thread.is_alive()

    def _run(self) -> None:
        count, way = len(self._paths), 1 if self.steps > 0 else -1
        for further in range(count):
            at = (self._at + self.steps + way * further) % count
            if at == self._at:
                continue
            try:
                self.found = at, read_picture(self._paths[at])
            except (SourceError, MemoryError):
                continue
            return
