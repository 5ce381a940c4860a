"""Connections to the web page: those that have sent the key, and strangers, which cannot exclude the former."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

# A browser's request line with the key in it is shorter.
_PEEK_BYTES = 512


class Door:
    """Counts connections, and closes those of strangers: the oldest for a new one, and all slow ones. Thread-safe.

    max_known, max_strangers: how many of either kind may be open.
    """

    def __init__(self, max_known: int, max_strangers: int) -> None:
        self._max_known, self._max_strangers = max_known, max_strangers
        # Those whose request is not complete yet, and when each connected; the oldest first.
        self._since_s: dict[socket.socket, float] = {}
        self._strangers: dict[socket.socket, None] = {}
        # Strangers of whose request nothing was read yet.
        self._unread: set[socket.socket] = set()
        self._known: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._strangers) + len(self._known)

    def enter(self, client: socket.socket, shows_key: Callable[[socket.socket], bool]) -> bool:
        """Add a new connection, a stranger. False if there is no place, which only connections with the key can cause.

        shows_key: whether a stranger's unread request has the key: then its connection stays. Called for requests that
        nobody reads: bytes that disappeared between "there are some" and the look at them would block all others.
        """
        with self._lock:
            if len(self._strangers) >= self._max_strangers:
                oldest = next((other for other in self._strangers if not self._stays(other, shows_key)), None)
                if oldest is None:
                    return False
                self._forget(oldest)
                _hang_up(oldest)
            self._strangers[client] = None
            self._unread.add(client)
            self._since_s[client] = time.monotonic()
            return True

    def begin(self, client: socket.socket, *, has_key: bool) -> bool:
        """From now on its request is read. has_key: what is there already has the key; then like `know`."""
        with self._lock:
            self._unread.discard(client)
        return has_key and self.know(client)

    def know(self, client: socket.socket) -> bool:
        """It has sent the key, and takes one of the places for those. False if none is free, or it was closed."""
        with self._lock:
            if client in self._known:
                return True
            if client not in self._strangers or len(self._known) >= self._max_known:
                return False
            del self._strangers[client]
            self._known.add(client)
            return True

    def arrived(self, client: socket.socket) -> bool:
        """Its request is complete, with the key; otherwise like `know`."""
        with self._lock:
            self._since_s.pop(client, None)
        return self.know(client)

    def leave(self, client: socket.socket) -> None:
        """The connection ends."""
        with self._lock:
            self._forget(client)

    def hang_up_slow(self, limit_s: float) -> None:
        """Close those whose request was not complete within this time."""
        now_s = time.monotonic()
        with self._lock:
            for client, since_s in self._since_s.items():
                if now_s - since_s > limit_s:
                    _hang_up(client)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in (*self._strangers, *self._known):
                _hang_up(client)

    def _stays(self, client: socket.socket, shows_key: Callable[[socket.socket], bool]) -> bool:
        return client in self._unread and shows_key(client)

    def _forget(self, client: socket.socket) -> None:
        self._unread.discard(client)
        self._strangers.pop(client, None)
        self._known.discard(client)
        self._since_s.pop(client, None)


def peek(client: socket.socket, *, wait_s: float = 0.0) -> bytes:
    """The first unread bytes, which stay unread; those that arrive within `wait_s`, or none."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed meanwhile
        if _is_readable(client, wait_s):  # checked first: `recv` itself waits for as long as the socket's timeout
            return client.recv(_PEEK_BYTES, socket.MSG_PEEK)
    return b""


def _is_readable(client: socket.socket, wait_s: float) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([client], [], [], wait_s)[0])
    poll = select.poll()  # unlike select, for descriptors above 1023 too
    poll.register(client, select.POLLIN)
    return bool(poll.poll(wait_s * 1000))


def _hang_up(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
