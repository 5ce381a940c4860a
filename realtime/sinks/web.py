"""A local web page with the live picture: MJPEG over HTTP, on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2

from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks._page import PAGE

DEFAULT_PORT = 8765
MAX_CLIENTS = 8
_HOST = "127.0.0.1"
_BOUNDARY = "bgcam-frame"
_JPEG_QUALITY = 85
_POLICY = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
_CLIENT_TIMEOUT_S = 10.0  # for its request, and for taking one frame


class WebSink:
    """The newest frame on a page; `name` is its URL. argument: the port, "" for 8765, "0" for any free one.

    `write` only puts the frame into a slot: watchers' threads encode it, once a frame, and not at all when nobody
    watches. A watcher that is slow skips frames. `close` ends all watchers.
    """

    live = True

    def __init__(self, argument: str = "", *, size_wh: tuple[int, int] | None = None, fps: float = 30.0) -> None:
        port = DEFAULT_PORT if not argument else int(argument) if argument.isascii() and argument.isdigit() else -1
        if not 0 <= port <= 65535:
            raise UsageError(
                f"web:{argument}: a port is a number from 0 to 65535, such as {DEFAULT_PORT}; 0 is any free one"
            )
        self._slot = _Slot()
        try:
            self._server = _Server(port, self._slot)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason, hint = "is taken by another program", "web:0 picks a free one"
            else:
                reason, hint = f"cannot be opened ({error.strerror})", "give another, or web:0 for a free one"
            raise SinkError(f"the web page's port {port} {reason}; {hint}") from error
        self.name = f"http://{_HOST}:{self._server.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="bgcam-web", daemon=True
        )
        self._thread.start()

    @property
    def encoded(self) -> int:
        """How many frames were encoded so far."""
        return self._slot.encoded

    def write(self, frame: ComposedFrame) -> None:
        if self._slot.closed:
            raise SinkError(f"{self.name}: the page is closed already; open it again")
        self._slot.put(frame)

    def close(self) -> None:
        if not self._slot.closed:
            self._slot.close()
            self._server.shutdown()
            self._server.server_close()
            self._server.end_clients()
            self._thread.join(timeout=2)

    def abort(self) -> None:
        self.close()


class _Slot:
    """The newest frame, and its JPEG once somebody asked for it."""

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
        """Wait for a frame newer than the `seen`-th: its place and JPEG; None when closed."""
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two programs share a port

    def __init__(self, port: int, slot: _Slot) -> None:
        self.slot = slot
        self.places = threading.BoundedSemaphore(MAX_CLIENTS)
        self._clients: set[socket.socket] = set()
        self._clients_lock = threading.Lock()
        super().__init__((_HOST, port), _Handler)
        self.port = int(self.server_address[1])

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for our name, which can take seconds

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._clients_lock:
            self._clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._clients_lock:
            self._clients.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no event."""

    def end_clients(self) -> None:
        with self._clients_lock:
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _CLIENT_TIMEOUT_S
    server_version = "bgcam"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._host_is_ours():
            self._answer(403, "text/plain", b"bgcam answers to 127.0.0.1 and localhost only\n")
        elif (route := self.path.partition("?")[0]) == "/":
            self._answer(200, "text/html; charset=utf-8", PAGE.encode())
        elif route == "/stream":
            self._stream()
        elif route == "/alive":
            self._answer(200, "text/plain", b"yes\n")
        else:
            self._answer(404, "text/plain", b"not found\n")

    def log_message(self, format: str, *arguments: Any) -> None:
        """No log: the status line owns the terminal."""

    def _host_is_ours(self) -> bool:
        """A foreign name that resolves to 127.0.0.1 (DNS rebinding) would let any web page read the picture."""
        port = self.server.port
        names = ("127.0.0.1", "localhost")
        ours = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
        return self.headers.get("Host", "").lower() in ours

    def _stream(self) -> None:
        if not self.server.places.acquire(blocking=False):
            self._answer(503, "text/plain", f"{MAX_CLIENTS} pages watch already; close one\n".encode())
            return
        try:
            self._head(200, f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self.wfile.write(f"--{_BOUNDARY}\r\n".encode())
            seen = 0
            while (found := self.server.slot.next_jpeg(seen)) is not None:
                seen, jpeg = found
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                # browsers show a part when the next boundary comes: send it along, not with the next frame
                self.wfile.write(head.encode() + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode())
        finally:
            self.server.places.release()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self._head(status, kind, len(body))
        self.wfile.write(body)

    def _head(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")  # no other site may show the picture
        self.send_header("Content-Security-Policy", _POLICY)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
