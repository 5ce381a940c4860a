"""The socket of a running bgcam: a JSON object a line asks, another answers.

    {"do": "set", "values": {"mirror": true}}   ->   {"ok": true, "values": {...}}
    {"do": "panic"}                             ->   {"error": {"kind": "UsageError", "message": "..."}}

`requests.py` has the table of all requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
from functools import partial
from typing import Any

import msgspec

from bgcam.realtime.control.calls import Calls
from bgcam.realtime.control.instance import DEFAULT_NAME, Instance
from bgcam.realtime.control.requests import REQUESTS, Served, details_of
from bgcam.realtime.control.wire import packed, to_json
from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.spelling import closest

MAX_REQUEST_BYTES = 64 * 1024
MAX_CLIENTS = 16
REQUEST_S = 10.0  # for a request to arrive, after the connection or the answer before
_SEND_S = 5.0  # for a client to take an answer


class ControlSocket:
    """Answers at the socket of this instance name until `close`. Raises AlreadyRuns, SinkError and UsageError.

    All is done in one thread, but for the calls to the `Control`: they run in those of `calls`.
    """

    def __init__(self, served: Served, calls: Calls, *, name: str = DEFAULT_NAME) -> None:
        self._served, self._calls = served, calls
        self._instance = Instance(name)
        try:
            self._listener = _listen(self._instance)
        except BaseException:
            self._instance.close()
            raise
        self._clients: dict[asyncio.StreamWriter, bool] = {}  # the oldest first; whether a request is being answered
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bgcam-socket", daemon=True)
        self._thread.start()
        self._started.wait(5)

    def close(self) -> None:
        """Close the socket and all connections. May be called twice."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(2)
        self._instance.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda loop, context: None)  # its log would go through the status line
        server = await asyncio.start_unix_server(self._enter, sock=self._listener, limit=MAX_REQUEST_BYTES)
        self._started.set()
        await self._ended.wait()
        server.close()
        for writer in [*self._clients]:
            writer.transport.abort()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from its connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            refusal = self._refusal(writer)
            if refusal:
                await _say(writer, {"error": packed(UsageError(refusal))})
                return
            self._clients[writer] = False
            await self._talk(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # it has gone, stays silent, or does not take its answer
        finally:
            self._clients.pop(writer, None)
            self._tasks.discard(task)
            writer.close()

    def _refusal(self, writer: asyncio.StreamWriter) -> str:
        """Why a client is refused, "" if it is not. Where there is no place, the client idle for longest goes."""
        if peer_uid(writer.get_extra_info("socket")) not in (None, os.geteuid()):
            return "this socket answers to its own user only"
        if len(self._clients) >= MAX_CLIENTS:
            idle = next((other for other, busy in self._clients.items() if not busy), None)
            if idle is None:
                return f"{MAX_CLIENTS} requests are in progress already; try again"
            del self._clients[idle]
            idle.transport.abort()
        return ""

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(REQUEST_S):
                    line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                await _say(writer, {"error": packed(UsageError(f"a request has at most {MAX_REQUEST_BYTES} bytes"))})
                return
            self._clients[writer] = True
            answer = await self._answer(line)
            if writer in self._clients:
                self._clients[writer] = False
            await _say(writer, answer)

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            name = _name_of(line)
            request = REQUESTS[name]
            details = details_of(request, line)
            found = await self._calls.run(request.pool, partial(request.answer, self._served, details))
            return {"ok": True, **found}
        except Exception as error:
            return {"error": packed(error)}


class _Named(msgspec.Struct):
    do: str


def _name_of(line: bytes) -> str:
    """Which request it is. Raises UsageError."""
    try:
        name = msgspec.json.decode(line, type=_Named).do
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f'not a request that bgcam understands ({error}); an example: {{"do": "status"}}') from None
    if name not in REQUESTS:
        meant = closest(name[:50], REQUESTS)
        raise UsageError(
            f"unknown request {name[:50]!r}; "
            + (f"did you mean {meant}?" if meant else f"give one of {', '.join(REQUESTS)}")
        )
    return name


async def _say(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(to_json(answer) + b"\n")
    async with asyncio.timeout(_SEND_S):
        await writer.drain()


def _listen(instance: Instance) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(instance.path))
        os.chmod(instance.path, 0o600)
        listener.listen(64)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise SinkError(f"{instance.path}: bgcam's socket cannot be opened ({error.strerror or error})") from error
    return listener


def peer_uid(connection: Any) -> int | None:
    """The user at the other end; None where the system does not say, and the folder's permissions have to do."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = struct.Struct("3i")  # pid, uid, gid
    uid: int = credentials.unpack(connection.getsockopt(socket.SOL_SOCKET, option, credentials.size))[1]
    return uid
