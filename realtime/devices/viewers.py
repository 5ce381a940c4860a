"""Whether a program reads a virtual camera: by the driver's event, or by checking who has it open."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path

from bgcam.realtime.devices.users import Holders, count_open, find_holders
from bgcam.realtime.devices.v4l2 import ClientUsage

_MODULE = Path("/sys/module/v4l2loopback")
# The devices that belong to no hardware.
_NODES = Path("/sys/devices/virtual/video4linux")
_ASK_AGAIN_S = 5.0
_LOOK_S = 0.2
# While a program has it open that does not stream yet; all of /proc is then searched this often.
_SEARCH_S, _SEARCH_CALM_S = 0.5, 5.0


class Viewers(IntEnum):
    """OPEN: a program has it open, perhaps only to ask its name. STREAMING: a program takes pictures."""

    NONE = 0
    OPEN = 1
    STREAMING = 2


def watch_viewers(descriptor: int, path: str) -> Callable[[], Viewers]:
    """Returns, at each call and without waiting, who reads the virtual camera that this process has open.

    Called from one thread at a time. It raises OSError when the device is gone.
    """
    try:
        return EventViewers(ClientUsage(descriptor))
    except OSError:
        return OpenViewers(path)


class EventViewers:
    """By v4l2loopback's client-usage event: opening the device without streaming is not noticed."""

    def __init__(self, usage: ClientUsage, *, clock: Callable[[], float] = time.monotonic):
        self._usage, self._clock = usage, clock
        self._asked_s = clock()

    def __call__(self) -> Viewers:
        if self._clock() - self._asked_s >= _ASK_AGAIN_S:
            self._asked_s = self._clock()
            self._usage.ask_again()
        return Viewers.STREAMING if self._usage.streams() else Viewers.NONE


class OpenViewers:
    """For drivers without the event: v4l2loopback 0.12, as Debian 12 has it.

    The module's use count says, for every user and at no cost, how often its devices are open: once is ourselves. If it
    is more, /proc says who, and who has mapped the device's buffers streams. A program that may not be looked at, such
    as another user's, counts as one that has it open.
    """

    def __init__(
        self,
        path: str,
        *,
        module: Path = _MODULE,
        nodes: Path = _NODES,
        look: Callable[[str], Holders] = find_holders,
        count_seen: Callable[[Sequence[str]], int] = count_open,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._path, self._module, self._find, self._clock = path, module, look, clock
        self._nodes, self._count_seen = nodes, count_seen
        self._seen, self._count = Viewers.NONE, -1
        self._looked_s = self._searched_s = -_SEARCH_CALM_S

    def __call__(self) -> Viewers:
        now_s = self._clock()
        if now_s - self._looked_s < _LOOK_S:
            return self._seen
        self._looked_s = now_s
        count = module_uses(self._module)
        if count == 1:
            self._seen, self._count = Viewers.NONE, count
            return self._seen
        wait_s = _SEARCH_S if self._seen is Viewers.OPEN or count == 0 else _SEARCH_CALM_S
        if count != self._count or now_s - self._searched_s >= wait_s:
            self._count, self._searched_s = count, now_s
            self._seen = self._search(count)
        return self._seen

    def _search(self, count: int) -> Viewers:
        holders = self._find(self._path)
        if any(holder.maps for holder in holders.found):
            return Viewers.STREAMING
        # What remains without the visible uses may be ours, or another loopback's.
        unknown = not holders.found and holders.unseen and count > self._count_seen(self._loopbacks())
        return Viewers.OPEN if holders.found or unknown else Viewers.NONE

    def _loopbacks(self) -> list[str]:
        return [self._path, *(f"/dev/{node.name}" for node in self._nodes.glob("video*"))]


def module_uses(module: Path = _MODULE) -> int:
    """How often v4l2loopback's devices are open, by all users; 0 when that cannot be known."""
    try:
        return int((module / "refcnt").read_text())
    except (OSError, ValueError):
        return 0
