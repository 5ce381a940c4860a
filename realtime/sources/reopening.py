"""A camera that is reopened after it was lost, and closed while its frames are not needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NoReturn

from bgcam.realtime.backoff import Backoff
from bgcam.realtime.errors import SourceError, SourceWaits
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources._shape import cover
from bgcam.realtime.sources.base import Source, Wanted, always

UNWANTED = "waiting for a viewer"
CHANGING = "the camera changes"
_PAUSE_S = 0.1


class ReopeningSource:
    """One camera as one source, however often it is reopened. See `Source`.

    `read` raises SourceWaits while there is no camera, for as long as that lasts; later calls try again. The size stays
    that of the first time: frames of another size are cropped to its aspect ratio and resized.

    again: reopens the same camera, never another; raises SourceError while it cannot. None: a lost camera is an error.
    wanted: called at each `read`; while it returns False, the camera is closed.
    """

    live, notice = True, ""
    frames: int | None = None

    def __init__(
        self,
        camera: Source,
        again: Callable[[], Source] | None,
        *,
        backoff: Backoff | None = None,
        wanted: Wanted = always,
    ):
        self.name, self.size_wh, self.fps = camera.name, camera.size_wh, camera.fps
        self.note = camera.note
        self.drops = 0
        self._wanted = wanted
        self._camera: Source | None = camera
        self._again, self._backoff = again, backoff or Backoff()
        self._why = ""
        self._leaving = False
        self._drops_before = 0
        self._number = 0
        self._start_s: float | None = None
        self._replaced = False
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def read(self) -> CameraFrame | None:
        """The next frame; None after `close`. Raises SourceWaits, soon, while there is no camera."""
        if self._closed.is_set():
            return None
        if self._replaced:
            self._start_with_other()
        if not self._wanted():
            self._backoff.succeeded()  # a new viewer should not wait
            self._leave()
        self._leaving = False
        camera = self._camera or self._open()
        try:
            frame = camera.read()
        except SourceError as error:
            if self._replaced:
                self._start_with_other()
            if self._again is None:
                raise
            self._let_go()
            self._lost(error)
        if self._replaced and not self._closed.is_set():
            self._start_with_other()
        if frame is None or self._closed.is_set():
            return None
        self._backoff.succeeded()
        self.drops = self._drops_before + camera.drops
        return self._numbered(frame)

    def replace(self, camera: Source, again: Callable[[], Source] | None) -> None:
        """Another camera from the next frame on, at the size of the first one; `read` raises SourceWaits before that.

        The one before is closed, in a thread of its own. May be called from any thread, also after `close`.
        """
        with self._lock:
            before, self._camera = self._camera, camera
            self._again, self._why, self._replaced, self.name = again, "", True, camera.name
        self._backoff.succeeded()
        if before is not None:
            self._drops_before += before.drops
            threading.Thread(target=before.close, name="bgcam-close-camera", daemon=True).start()
        if self._closed.is_set():
            self._let_go()

    def close(self) -> None:
        self._closed.set()
        self._let_go()

    def _open(self) -> Source:
        if self._again is None or not self._backoff.due:
            self._pause(self._why)
        try:
            camera = self._again()
        except SourceError as error:
            self._lost(error)
        with self._lock:
            if self._replaced:  # meanwhile
                camera.close()
                self._start_with_other()
            self._camera, self.name = camera, camera.name
        if self._closed.is_set():  # meanwhile
            self._let_go()
        return camera

    def _start_with_other(self) -> NoReturn:
        """The placeholder first: no viewer sees one room turn into another."""
        self._replaced = False
        raise SourceWaits(CHANGING)

    def _leave(self) -> NoReturn:
        """The placeholder first, then the camera: a new viewer must not see the previous last picture."""
        if self._camera is None:
            self._pause(UNWANTED)
        if self._leaving:
            self._let_go()
        self._leaving = True
        raise SourceWaits(UNWANTED)

    def _lost(self, error: SourceError) -> NoReturn:
        self._backoff.failed()
        tries = self._backoff.tries - 1
        self._why = f"{error} (tried {tries} time{'s' if tries > 1 else ''})" if tries else str(error)
        self._pause(self._why)

    def _pause(self, why: str) -> NoReturn:
        self._closed.wait(_PAUSE_S)
        raise SourceWaits(why)

    def _let_go(self) -> None:
        with self._lock:
            camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
            self._drops_before += camera.drops

    def _numbered(self, frame: CameraFrame) -> CameraFrame:
        if self._start_s is None:
            self._start_s = frame.captured_s
        number, self._number = self._number, self._number + 1
        bgr = frame.room_bgr if frame.size_wh == self.size_wh else cover(frame.room_bgr, self.size_wh)
        return CameraFrame(number, bgr, frame.captured_s - self._start_s, frame.captured_s)
