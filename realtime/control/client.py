"""A running bgcam from another process: finds its socket, asks, and raises its errors here."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from bgcam.realtime.control.instance import DEFAULT_NAME, NOT_ON_WINDOWS, check_folder, socket_path
from bgcam.realtime.control.protocol import BackgroundInfo, LiveStatus, RoomStatus, SettingInfo
from bgcam.realtime.control.socket import peer_uid
from bgcam.realtime.control.wire import unpacked
from bgcam.realtime.errors import BgcamError, UsageError

T = TypeVar("T")
ANSWER_S = 5.0
CHANGE_S = 15.0  # a background on a network drive is waited for
_MAX_ANSWER_BYTES = 8 << 20


class NotRunning(BgcamError):
    """No bgcam of this name runs."""


class Client:
    """The instance of this name. Each call is a connection of its own.

    All raise NotRunning, the error that the running bgcam answers with, or BgcamError if it does not answer.
    """

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        self._name = name

    def settings(self) -> list[SettingInfo]:
        return _read(self.ask("settings"), "settings", list[SettingInfo])

    def values(self) -> dict[str, Any]:
        return _read(self.ask("values"), "values", dict[str, Any])

    def status(self) -> LiveStatus:
        return _read(self.ask("status"), "status", LiveStatus)

    def backgrounds(self) -> list[BackgroundInfo]:
        return _read(self.ask("backgrounds"), "backgrounds", list[BackgroundInfo])

    def change(self, values: Mapping[str, Any], *, confirm_room: bool = False) -> dict[str, Any]:
        """See `Control.change`; also raises ConfirmationNeeded."""
        answer = self.ask("set", CHANGE_S, values=dict(values), confirm_room=confirm_room)
        return _read(answer, "values", dict[str, Any])

    def next_background(self) -> dict[str, Any]:
        return _read(self.ask("next", CHANGE_S), "values", dict[str, Any])

    def previous_background(self) -> dict[str, Any]:
        return _read(self.ask("previous", CHANGE_S), "values", dict[str, Any])

    def learn_room(self, *, forget: bool = False) -> RoomStatus:
        """See `Control.learn_room`."""
        return _read(self.ask("learn_room", forget=forget), "room", RoomStatus)

    def panic(self, on: bool) -> None:
        self.ask("panic", on=on)

    def quit(self) -> None:
        self.ask("quit")

    def page(self) -> str:
        """The control page's address with its key; the page is opened if it is not."""
        return _read(self.ask("page", CHANGE_S), "page", str)

    def ask(self, do: str, timeout_s: float = ANSWER_S, **details: Any) -> dict[str, Any]:
        """The answer to one request of `requests.py`."""
        try:
            line = msgspec.json.encode({"do": do, **details}) + b"\n"
        except UnicodeEncodeError:
            raise UsageError(
                f"{details!a} has bytes that are no text; rename the file, and give its new name"
            ) from None
        try:
            with self._connected(timeout_s) as connection:
                with contextlib.suppress(BrokenPipeError):  # refused before it asked: the answer says why
                    connection.sendall(line)
                text = _one_line(connection)
        except BgcamError:  # some are OSErrors too
            raise
        except TimeoutError:
            raise BgcamError(
                f"the running bgcam did not answer within {timeout_s:g} s; try again, or restart it"
            ) from None
        except OSError as error:
            raise self._closed(f" ({error.strerror or error})") from None
        if not text:
            raise self._closed()
        try:
            answer = msgspec.json.decode(text)
        except msgspec.MsgspecError:
            answer = None
        if isinstance(answer, dict) and answer.get("ok") is True:
            return answer
        raise unpacked(answer.get("error") if isinstance(answer, dict) else None)

    def _closed(self, why: str = "") -> BgcamError:
        """The error about a connection that was closed before the answer, because bgcam ended or not."""
        try:
            self._connected(ANSWER_S).close()
        except (BgcamError, OSError):
            return BgcamError(f"bgcam ended before it answered; start it again with: {self._command}")
        return BgcamError(f"the running bgcam closed the connection{why}; try again")

    @property
    def _command(self) -> str:
        return "bgcam" if self._name == DEFAULT_NAME else f"bgcam --instance {self._name}"

    def _connected(self, timeout_s: float) -> socket.socket:
        if sys.platform == "win32":
            raise BgcamError(NOT_ON_WINDOWS)
        path = socket_path(self._name)
        if not path.parent.exists():
            raise self._not_running()
        check_folder(path.parent)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(os.fspath(path))
            if peer_uid(connection) not in (None, os.geteuid()):
                raise BgcamError(f"{path} is answered by another user's program; remove it")
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            raise self._not_running() from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _not_running(self) -> NotRunning:
        named = "" if self._name == DEFAULT_NAME else f" named {self._name}"
        return NotRunning(f"no bgcam{named} is running; start it with: {self._command}")


def _one_line(connection: socket.socket) -> bytes:
    """Up to the first line's end, or the end. The time limit is for each part of it."""
    parts = bytearray()
    while not parts.endswith(b"\n") and len(parts) <= _MAX_ANSWER_BYTES:
        more = connection.recv(1 << 16)
        if not more:
            break
        parts += more
    return bytes(parts)


def _read(answer: Mapping[str, Any], key: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(answer.get(key), kind)
    except msgspec.ValidationError:
        raise unpacked(None) from None
