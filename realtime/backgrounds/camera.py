"""What another camera sees, as background: a desk, a whiteboard, a window. While it is lost, plain grey."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.backgrounds.camera_name import PREFIX
from bgcam.realtime.backgrounds.whole import whole
from bgcam.realtime.errors import BackgroundError, SourceError, UsageError
from bgcam.realtime.failsafe.placeholder import PLAIN_GREY
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources._shape import cover
from bgcam.realtime.sources.base import Source
from bgcam.realtime.time_limit import within

OPEN_S = 10.0
# Without a new picture for this long, the last one is no longer shown.
SILENCE_S = 1.0
# The camera is released when no picture was asked for this long: nobody watches, or there is nobody in front of it.
UNASKED_S = 2.0
RETRY_S = 0.1


def open_camera_background(spec: str, wanted: str) -> CameraBackground:
    """The camera of this name as a background. Raises UsageError for an empty name, BackgroundError."""
    from bgcam.realtime.sources.camera import open_camera

    if not wanted:
        raise UsageError(f"background {spec!r} names no camera; give one of `bgcam devices`, such as {PREFIX}1")
    return CameraBackground(spec, partial(open_camera, wanted))


class CameraBackground:
    """Its newest picture, which is never waited for. See `Background`.

    whole: see `Still`.

    open_one: opens the camera; `in_demand` is called at each read, and the camera is released while it returns False.
    Raises BackgroundError if it cannot be opened, gives no picture, or does not answer within `open_s`.
    """

    needs_matte, same_room, shows_camera = True, False, True

    def __init__(
        self,
        spec: str,
        open_one: Callable[..., Source],
        *,
        open_s: float = OPEN_S,
        silence_s: float = SILENCE_S,
        unasked_s: float = UNASKED_S,
    ):
        self.name, self.whole = spec, False
        self._silence_s, self._unasked_s = silence_s, unasked_s
        self._closed = threading.Event()
        self._asked_s = time.monotonic() + open_s
        late = BackgroundError(
            f"background {spec}: it did not answer within {open_s:g} s; unplug it and plug it back in"
        )
        opening = partial(_open_and_read, partial(open_one, in_demand=self._is_asked))
        try:
            self._source, first = within(opening, limit_s=open_s, late=late, drop=_close)
        except SourceError as error:
            raise BackgroundError(f"background {spec}: {error}") from error
        self._asked_s = time.monotonic()
        # Each picture, and when it came.
        self._newest: tuple[NDArray[np.uint8], float] | None = (first.room_bgr, self._asked_s)
        self._drawn: tuple[Any, bool, NDArray[np.uint8]] | None = None
        threading.Thread(target=self._run, name="bgcam-background-camera", daemon=True).start()

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        now_s = time.monotonic()
        self._asked_s = now_s
        newest = self._newest
        if newest is not None and now_s - newest[1] > self._silence_s:
            newest = None
        shape = frame.room_bgr.shape
        drawn = self._drawn
        if drawn is None or drawn[0] is not newest or drawn[1] is not self.whole or drawn[2].shape != shape:
            bgr = np.full(shape, PLAIN_GREY, np.uint8)
            if newest is not None:
                bgr = (whole if self.whole else cover)(newest[0], frame.size_wh)
            self._drawn = drawn = newest, self.whole, bgr
        return drawn[2]

    def close(self) -> None:
        self._closed.set()
        self._source.close()

    def _is_asked(self) -> bool:
        return time.monotonic() - self._asked_s < self._unasked_s

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                frame = self._source.read()
            except SourceError:  # it is lost, and looked for again, or released
                self._newest = None
                self._closed.wait(RETRY_S)
                continue
            if frame is None:
                break
            self._newest = frame.room_bgr, time.monotonic()
        self._newest = None


def _open_and_read(open_one: Callable[[], Source]) -> tuple[Source, CameraFrame]:
    source = open_one()
    try:
        frame = source.read()
        if frame is None:
            raise SourceError(f"{source.name}: it gives no picture; choose another camera")
    except BaseException:
        source.close()
        raise
    return source, frame


def _close(opened: tuple[Source, CameraFrame]) -> None:
    opened[0].close()
