"""The control page's connections: how many there may be, and for how long. All in the thread of the server's loop.

Connections that have sent the key are never closed for those that have not, which can therefore exclude nobody.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_KNOWN = 32
MAX_STRANGERS = 32
REQUEST_S = 5.0  # for a whole request to arrive, and for the next one after an answer
ANSWER_S = 30.0  # from there to the answer's end, unless it is an upload or a stream

Address = tuple[str, int]


@dataclass
class _Visit:
    transport: asyncio.Transport
    until_s: float
    known: bool = False


class Door:
    """Open connections by the client's address and port; the oldest first."""

    def __init__(self) -> None:
        self._visits: dict[Address, _Visit] = {}

    def __len__(self) -> int:
        return len(self._visits)

    def enter(self, client: Address, transport: asyncio.Transport) -> None:
        """A new connection, a stranger; the oldest one is closed where there are too many."""
        strangers = [other for other, visit in self._visits.items() if not visit.known]
        if len(strangers) >= MAX_STRANGERS:
            self._visits.pop(strangers[0]).transport.abort()
        self._visits[client] = _Visit(transport, time.monotonic() + REQUEST_S)

    def know(self, client: Address) -> bool:
        """It has sent the key. False if there is no place for it, or it was closed."""
        visit = self._visits.get(client)
        if visit is None or (not visit.known and sum(one.known for one in self._visits.values()) >= MAX_KNOWN):
            return False
        visit.known = True
        return True

    def allow(self, client: Address, seconds: float) -> None:
        """From now on it may stay for so long; inf for a stream."""
        if visit := self._visits.get(client):
            visit.until_s = time.monotonic() + seconds

    def answered(self, client: Address) -> None:
        """From now on its next request is waited for."""
        self.allow(client, REQUEST_S)

    def leave(self, client: Address, transport: asyncio.Transport) -> None:
        if client in self._visits and self._visits[client].transport is transport:
            del self._visits[client]

    def sweep(self) -> None:
        """Close those that are late."""
        now_s = time.monotonic()
        for client, visit in [*self._visits.items()]:
            if now_s > visit.until_s:
                del self._visits[client]
                visit.transport.abort()

    def close(self) -> None:
        """Close all connections."""
        for visit in self._visits.values():
            visit.transport.abort()
        self._visits.clear()


def protocol_of(door: Door) -> type[H11Protocol]:
    """uvicorn's HTTP/1.1 with this door before it."""

    class WatchedProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is None:  # it has gone already
                transport.abort()
            else:
                door.enter(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                door.leave(self.client, self.transport)
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            if self.client is not None:
                door.answered(self.client)
            super().on_response_complete()

        def _should_upgrade(self) -> bool:
            return False  # as without a WebSocket library, but without its log

    return WatchedProtocol


def client_of(scope: Any) -> Address:
    """The client's address and port in an ASGI scope."""
    host, port = scope["client"]
    return str(host), int(port)
