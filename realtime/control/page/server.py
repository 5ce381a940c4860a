"""The control page's HTTP server: uvicorn in a thread of its own, with a guard and a door before the page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from http import HTTPStatus
from typing import Any

import uvicorn

from bgcam.realtime.control.calls import Calls
from bgcam.realtime.control.page import peer
from bgcam.realtime.control.page.app import make_app
from bgcam.realtime.control.page.door import ANSWER_S, MAX_KNOWN, Door, client_of, protocol_of
from bgcam.realtime.control.page.guard import HEADERS, PageGuard, Rate, message_of
from bgcam.realtime.control.requests import Served
from bgcam.realtime.errors import SinkError
from bgcam.realtime.sinks.web.guard import LOOPBACK

MAX_HEADER_BYTES = 16 * 1024
CHANGES_PER_S = 20.0
_SEND_BYTES = 128 * 1024  # queued pictures are old when they arrive
_START_S = 10.0


class PageServer:
    """Serves the control page at `url` until `close`. Raises SinkError if the port is not available.

    port: of the loopback address; 0 for any free one.
    """

    def __init__(self, served: Served, calls: Calls, *, port: int = 0) -> None:
        listener = _listen(port)
        self.guard = PageGuard(listener.getsockname()[1])
        self.door = Door()
        app = make_app(served, calls, allow=lambda http, seconds: self.door.allow(client_of(http.scope), seconds))
        _silence()
        config = uvicorn.Config(
            _Guarded(app, self.guard, self.door),
            loop="asyncio",
            http=protocol_of(self.door),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config, self.door)
        self._listener = listener
        self._thread = threading.Thread(target=self._run, name="bgcam-page", daemon=True)
        self._thread.start()
        if not self._server.is_up.wait(_START_S):
            self.close()
            raise SinkError("the control page's server did not start; try again")

    @property
    def url(self) -> str:
        """The page's address with its key."""
        return self.guard.url

    @property
    def address(self) -> str:
        """The page's address without its key."""
        return self.guard.address

    def close(self) -> None:
        """Close the port and all connections. May be called twice."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(3)

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listener]))
        finally:
            self._listener.close()


class _Server(uvicorn.Server):
    """uvicorn's, which also closes connections that are late."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self.is_up = threading.Event()
        self._door = door

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        self.is_up.set()
        self._door.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.close()
        await super().shutdown(sockets)


class _Guarded:
    """The page with its guard and door: what they refuse does not reach it. An ASGI application."""

    def __init__(self, app: Any, guard: PageGuard, door: Door) -> None:
        self._app, self._guard, self._door = app, guard, door
        self._changes = Rate(CHANGES_PER_S)
        self._panics = Rate(CHANGES_PER_S)  # its own: a flood of changes must not keep the panic button out

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        target = scope["raw_path"].decode("latin-1")
        refusal = self._guard.why_not(scope["method"], target, message_of(scope["headers"])) or self._late(
            scope, target
        )
        if refusal:
            await _refuse(send, *refusal)
            return
        route = self._guard.route(target)
        self._door.allow(client_of(scope), ANSWER_S)
        # What is not decoded needs no second look for what it might decode to.
        try:
            await self._app({**scope, "path": f"/{route}", "root_path": ""}, receive, _with_headers(send))
        finally:  # also after a stream that was broken off, whose connection may be full
            self._door.answered(client_of(scope))

    def _late(self, scope: Any, target: str) -> tuple[HTTPStatus, str] | None:
        """What is only looked at for requests with the key."""
        client, server = client_of(scope), (str(scope["server"][0]), int(scope["server"][1]))
        if not peer.is_ours(client, server):
            return HTTPStatus.FORBIDDEN, "the control page answers to its own user only"
        if not self._door.know(client):
            text = f"{MAX_KNOWN} connections are open already; close some pages"
            return HTTPStatus.SERVICE_UNAVAILABLE, text
        if scope["method"] == "POST":
            rate = self._panics if self._guard.route(target) == "api/panic" else self._changes
            if not rate.takes_one():
                return HTTPStatus.TOO_MANY_REQUESTS, f"more than {CHANGES_PER_S:g} changes a second; wait a moment"
        return None


def _with_headers(send: Any) -> Any:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_headers()]
        await send(message)

    return sending


def _headers() -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in HEADERS.items()]


async def _refuse(send: Any, status: HTTPStatus, line: str) -> None:
    """One line of text, and the end of the connection: what else it sends is not read."""
    body = f"{line}\n".encode()
    own = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode("ascii"))]
    headers = [*own, (b"connection", b"close"), *_headers()]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)  # accepted sockets inherit it
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise SinkError(f"the control page's port {port} cannot be opened ({error.strerror}); give another") from error
    return listener


def _silence() -> None:
    """The status line owns the terminal."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        with contextlib.suppress(ValueError):
            logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
