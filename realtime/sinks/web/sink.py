"""A web page with the live picture: MJPEG over HTTP, only for this machine unless the user allows others."""

from __future__ import annotations

import errno
import threading

import cv2

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import SinkError
from bgcam.realtime.failsafe.gate import check_shown
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks.web.guard import DEFAULT_PORT, check_address
from bgcam.realtime.sinks.web.server import WebServer

__all__ = ["DEFAULT_PORT", "RemoteWebSink", "WebSink"]

_JPEG_QUALITY = 85


class WebSink:
    """The newest frame on a page; `name` is its URL, with a new key for each run.

    argument: [ADDRESS:]PORT, "" for 127.0.0.1:8765; port 0 is any free one. `write` only stores the frame: viewers'
    threads encode it, once per frame, and not at all if nobody watches. A slow viewer skips frames. `close` ends all
    connections. Raises UsageError for an address that others can reach, SinkError for one that is in use.
    """

    live, notice = True, ""
    allows_remote = False

    def __init__(self, argument: str = "", *, size_wh: tuple[int, int] | None = None, fps: float = 30.0) -> None:
        address, port = check_address(argument, allow_remote=self.allows_remote)
        self._slot = _Slot()
        try:
            self._server = WebServer(address, port, self._slot.next_jpeg)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason, hint = "is in use by another program", "web:0 picks a free one"
            else:
                reason, hint = f"cannot be opened ({error.strerror})", "give another, or web:0 for a free one"
            raise SinkError(f"the web page's port {port} {reason}; {hint}") from error
        self.name = self._server.guard.url

    @property
    def encoded(self) -> int:
        """How many frames were encoded so far."""
        return self._slot.encoded

    def write(self, frame: ComposedFrame) -> None:
        check_shown(frame)
        if self._slot.closed:
            raise SinkError(f"{self.name}: the page is closed already; open it again")
        self._slot.put(frame)

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        if not self._slot.closed:
            self._slot.close()
            self._server.end()

    def abort(self) -> None:
        self.close()


class RemoteWebSink(WebSink):
    """The same, for `--allow-remote`: accepts any address of this machine. The picture is sent unencrypted."""

    allows_remote = True


class _Slot:
    """The newest frame, and its JPEG once it was requested."""

    def __init__(self) -> None:
        self.closed = False
        self.encoded = 0
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._frame: ComposedFrame | None = None
        self._puts = 0
        self._jpeg: tuple[int, bytes] = (0, b"")

    def put(self, frame: ComposedFrame) -> None:
        with self._changed:
            self._frame = frame
            self._puts += 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def next_jpeg(self, seen: int) -> tuple[int, bytes] | None:
        """Wait for a frame newer than the `seen`-th: its index and JPEG; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._puts > seen)
        with self._encoding:  # one thread encodes, the others wait and take its result
            with self._changed:
                if self.closed or self._frame is None:
                    return None
                puts, frame = self._puts, self._frame
            if self._jpeg[0] != puts:
                ok, data = cv2.imencode(".jpg", frame.bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
                if not ok:
                    return None
                self._jpeg = (puts, data.tobytes())
                self.encoded += 1
            return self._jpeg
