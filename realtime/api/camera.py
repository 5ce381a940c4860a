"""A virtual camera for programs that make their own pictures, with bgcam's watchdog over it."""

from __future__ import annotations

import itertools
import time
from types import TracebackType

from bgcam.realtime.api.images import Image, to_bgr
from bgcam.realtime.errors import SinkError


class VirtualCamera:
    """A virtual camera that video calls can pick; a context manager.

        with bgcam.VirtualCamera(1280, 720) as camera:
            for frame in bgcam.frames(0):
                camera.send(matter.replace(frame, "beach"))

    If nothing is sent for `watchdog_ms`, and when it is closed, viewers see plain grey, not the last picture.

    device: a /dev path, index or part of the device's name; "" takes the one labelled bgcam, otherwise the first free.
    Raises SinkError, a BgcamError, if there is none; its line says how to get one.
    """

    def __init__(
        self, width: int, height: int, fps: float = 30.0, *, device: str = "", watchdog_ms: float = 500.0
    ) -> None:
        import numpy as np

        from bgcam.realtime.backgrounds.still import Still
        from bgcam.realtime.failsafe.output_guard import OutputGuard
        from bgcam.realtime.failsafe.placeholder import PLAIN_GREY, SafeBackground
        from bgcam.realtime.sinks import open_sink

        grey = Still("grey", np.full((1, 1, 3), PLAIN_GREY, np.uint8))
        self._size_wh = (width, height)
        self._sink = open_sink(f"virtual:{device}" if device else "virtual", size_wh=self._size_wh, fps=fps)
        self._watch = OutputGuard(SafeBackground(grey, self._size_wh), watchdog_ms=watchdog_ms, give_up_s=float("inf"))
        self._failed: BaseException | None = None
        self._numbers = itertools.count(1)
        self._closed = False
        self._watch.begin([self._sink], on_failure=self._fail)

    @property
    def name(self) -> str:
        """The device, as calls show it."""
        return self._sink.name

    def __enter__(self) -> VirtualCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, image: Image) -> None:
        """Show an image, (H, W, 3) uint8 RGB of the camera's size or another image as for `bgcam.matte`.

        Raises ValueError for another size, SinkError once the camera is closed or has failed.
        """
        from bgcam.realtime.picture.composed import placeholder

        if self._closed or self._failed is not None:
            raise SinkError(f"{self.name}: {self._failed or 'closed already'}; open it again")
        bgr = to_bgr(image)
        if bgr.shape[1::-1] != self._size_wh:
            raise ValueError(f"the camera shows {self._size_wh}, found an image of {bgr.shape[1::-1]} (width, height)")
        now_s = time.monotonic()
        self._watch.write(placeholder(next(self._numbers), bgr, time_s=now_s, captured_s=now_s), None)

    def close(self) -> None:
        """Show grey, and release the device. May be called twice."""
        if not self._closed:
            self._closed = True
            self._watch.end()
            self._sink.close()

    def _fail(self, error: BaseException) -> None:
        self._failed = error
