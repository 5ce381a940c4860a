"""The web page's HTTP server: a thread per request, with limits on their number, duration and size."""

from __future__ import annotations

import io
import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bgcam.realtime.sinks._web_door import Door, peek
from bgcam.realtime.sinks.web.guard import Guard
from bgcam.realtime.sinks.web.page import PAGE

MAX_WATCHERS = 8
# Connections that have sent the key: streams, and other requests of pages. More are refused with a message.
MAX_KNOWN = 32
# All others. Beyond these the oldest is closed for a new one, which may be the one that has the key.
MAX_STRANGERS = 32
MAX_CONNECTIONS = MAX_KNOWN + MAX_STRANGERS
MAX_REQUEST_BYTES = 16 * 1024
REQUEST_S = 5.0  # for a whole request to arrive
# Data queued for a slow viewer is old when it arrives, even after the panic button.
_SEND_BYTES = 128 * 1024
_SEND_S = 10.0  # for a viewer to receive one frame
_LOOK_S = 0.005  # how often this is checked
_BOUNDARY = "bgcam-frame"
_POLICY = (
    "default-src 'none'; img-src data:; connect-src 'self'; frame-ancestors 'none'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address contains the key
    "Cross-Origin-Resource-Policy": "same-origin",  # no other site may show the picture
    "Content-Security-Policy": _POLICY,
}

# Waits for a frame newer than the given index and returns its index and JPEG; None at the end.
NextJpeg = Callable[[int], "tuple[int, bytes] | None"]


class WebServer(ThreadingHTTPServer):
    """Serves the page at `guard.url` until `end`. Raises OSError if the address is not available."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two programs share a port
    request_queue_size = 512

    def __init__(self, address: str, port: int, next_jpeg: NextJpeg) -> None:
        self.next_jpeg = next_jpeg
        self.ending = threading.Event()
        self.viewer_slots = threading.BoundedSemaphore(MAX_WATCHERS)
        self.door = Door(MAX_KNOWN, MAX_STRANGERS)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), _Handler)
        self.guard = Guard(address, int(self.server_address[1]))
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="bgcam-web", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Close the port and every connection."""
        self.ending.set()
        self.shutdown()
        self.server_close()
        self.door.close()
        self._thread.join(timeout=2)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)  # accepted sockets inherit it
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own looks up our name by DNS, which can take seconds

    def service_actions(self) -> None:
        """Called ten times per second."""
        self.door.hang_up_slow(REQUEST_S)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self.door.enter(request, self._shows_key)

    def shutdown_request(self, request: Any) -> None:
        self.door.leave(request)
        super().shutdown_request(request)

    def _shows_key(self, client: socket.socket) -> bool:
        """Whether an unread request contains the key."""
        return self.guard.shows_key(peek(client))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore browsers that disconnect."""


class _TooLarge(Exception):
    """The request is longer than MAX_REQUEST_BYTES."""


class _Request(io.BufferedIOBase):
    """The lines of a request, up to MAX_REQUEST_BYTES together."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, MAX_REQUEST_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        line: bytes = self._file.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise _TooLarge
        return line

    def close(self) -> None:
        self._file.close()
        super().close()


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    timeout = _SEND_S
    default_request_version = "HTTP/1.0"  # below it, answers have no headers
    server_version = "bgcam"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = _Request(self.rfile)

    def handle(self) -> None:
        # Before anything of it is read: a connection that has sent the key must not be closed.
        has_key = self.server.guard.shows_key(peek(self.connection, wait_s=REQUEST_S))
        self.server.door.begin(self.connection, has_key=has_key)
        try:
            self.handle_one_request()
        except _TooLarge:
            self.command, self.requestline, self.request_version = "", "", self.default_request_version
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def do_GET(self) -> None:
        if self.server.guard.is_ambiguous(self.headers):
            self._say(HTTPStatus.BAD_REQUEST, "a header that may appear only once was repeated")
            return
        refusal = self.server.guard.refusal(self.headers)
        route = self.server.guard.route(self.path)
        if not refusal and route is None:
            refusal = "open the address that bgcam printed when it was started: it holds this run's key"
        if refusal:
            self._say(HTTPStatus.FORBIDDEN, refusal)
        elif not self.server.door.arrived(self.connection):
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_KNOWN} connections are open already; close some pages")
        elif self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "bgcam accepts no data")
        elif route == "":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", PAGE.encode())
        elif route == "stream":
            self._stream()
        elif route == "alive":
            self._say(HTTPStatus.OK, "yes")
        else:
            self._say(HTTPStatus.NOT_FOUND, "not found")

    do_HEAD = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer in one line, without repeating the request."""
        self._say(code, HTTPStatus(code).phrase.lower())

    def log_message(self, format: str, *arguments: Any) -> None:
        """No log: the status line owns the terminal."""

    def _stream(self) -> None:
        if self.command == "HEAD":
            self._head(HTTPStatus.OK, f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            return
        if not self.server.viewer_slots.acquire(blocking=False):
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_WATCHERS} pages watch already; close one")
            return
        try:
            self._head(HTTPStatus.OK, f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self.wfile.write(f"--{_BOUNDARY}\r\n".encode())
            seen = sent = 0
            while self._took_all_but(sent) and (found := self.server.next_jpeg(seen)) is not None:
                seen, jpeg = found
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                # browsers show a part when the next boundary arrives: send it now, not with the next frame
                sent = self.wfile.write(head.encode() + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode())
        finally:
            self.server.viewer_slots.release()

    def _took_all_but(self, length: int) -> bool:
        """Wait until at most this many bytes are in transit to the viewer; False at the end, or after _SEND_S.

        With the length of the last picture, at most that one is in transit when the next is chosen: the newest.
        """
        end_s = time.monotonic() + _SEND_S
        while _on_way(self.connection) > length:
            if time.monotonic() > end_s or self.server.ending.wait(_LOOK_S):
                return False
        return True

    def _say(self, status: int, line: str) -> None:
        self._answer(status, "text/plain; charset=utf-8", f"{line}\n".encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self._head(status, kind, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


def _on_way(client: socket.socket) -> int:
    """How many bytes the other side has not acknowledged, on Linux; elsewhere 0."""
    if not sys.platform.startswith("linux"):
        return 0
    import fcntl
    import termios

    count = fcntl.ioctl(client, termios.TIOCOUTQ, b"\0" * 4)  # for a socket: what SIOCOUTQ gives, tcp(7)
    return int.from_bytes(count, sys.byteorder)
