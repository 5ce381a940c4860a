"""What can be asked of a running bgcam, by socket or page: one table for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec

from bgcam.realtime.control.calls import Pool
from bgcam.realtime.control.protocol import Control
from bgcam.realtime.errors import UsageError


class Pages(Protocol):
    """The control page."""

    @property
    def address(self) -> str:
        """Without its key; "" while it is not open."""

    def open(self) -> str:
        """Open it if it is not; its address with the key. Raises SinkError."""


@dataclass(frozen=True)
class Served:
    """What the requests are about."""

    control: Control
    pages: Pages


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A request without details. do: the request's name; the page has it in the address instead."""

    do: str = ""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    values: dict[str, bool | int | float | str | list[str] | None]
    confirm_room: bool = False
    do: str = ""


class LearnRoom(msgspec.Struct, forbid_unknown_fields=True):
    forget: bool = False
    do: str = ""


class Panic(msgspec.Struct, forbid_unknown_fields=True):
    on: bool
    do: str = ""


@dataclass(frozen=True)
class Request:
    """answer: from what is served and the request's details to a JSON object. pool: see `Calls`. changes: whether it
    changes anything; the page demands POST then. on_page: whether the page has it too."""

    answer: Callable[[Served, Any], dict[str, Any]]
    details: type[msgspec.Struct] = Nothing
    pool: Pool = "quick"
    changes: bool = False
    on_page: bool = True


def _status(served: Served, _: Nothing) -> dict[str, Any]:
    """The values go with it, so that whoever shows them sees what others have changed."""
    status = replace(served.control.status(), page=served.pages.address)
    return {"status": status, "values": dict(served.control.values())}


def _change(served: Served, change: Change) -> dict[str, Any]:
    return {"values": dict(served.control.change(change.values, confirm_room=change.confirm_room))}


def _learn_room(served: Served, learn: LearnRoom) -> dict[str, Any]:
    return {"room": served.control.learn_room(forget=learn.forget)}


def _panic(served: Served, panic: Panic) -> dict[str, Any]:
    served.control.panic(panic.on)
    return {"on": panic.on}


def _quit(served: Served, _: Nothing) -> dict[str, Any]:
    served.control.quit()
    return {}


REQUESTS: dict[str, Request] = {
    "settings": Request(lambda served, _: {"settings": served.control.settings()}),
    "values": Request(lambda served, _: {"values": dict(served.control.values())}),
    "status": Request(_status),
    "backgrounds": Request(lambda served, _: {"backgrounds": served.control.backgrounds()}),
    "set": Request(_change, Change, "slow", changes=True),
    "next": Request(lambda served, _: {"values": dict(served.control.next_background())}, pool="slow", changes=True),
    "previous": Request(
        lambda served, _: {"values": dict(served.control.previous_background())}, pool="slow", changes=True
    ),
    "learn_room": Request(_learn_room, LearnRoom, changes=True),
    "panic": Request(_panic, Panic, "urgent", changes=True),
    "quit": Request(_quit, pool="urgent", changes=True),
    "page": Request(lambda served, _: {"page": served.pages.open()}, on_page=False),
}


def details_of(request: Request, text: bytes) -> Any:
    """The details in a JSON text; none if it is empty. Raises UsageError."""
    try:
        return msgspec.json.decode(text.strip() or b"{}", type=request.details)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"not a request that bgcam understands ({error})") from None
