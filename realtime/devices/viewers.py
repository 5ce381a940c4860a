"""Detects whether a program reads a virtual camera: by the driver's event, or by the processes that have it open."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path

from bgcam.realtime.devices.users import Holders, count_open, find_holders
from bgcam.realtime.devices.v4l2 import ClientUsage

_MODULE = Path("/sys/module/v4l2loopback")
# Devices without hardware.
_NODES = Path("/sys/devices/virtual/video4linux")
_ASK_AGAIN_S = 5.0
_LOOK_S = 0.2
# How often all of /proc is searched: while a program has the device open and does not stream yet, and otherwise.
_SEARCH_S, _SEARCH_CALM_S = 0.5, 5.0


class Viewers(IntEnum):
    """The use of a virtual camera.

    OPEN: a program has it open, perhaps only to read its name.
    STREAMING: a program reads pictures.
    """

    NONE = 0
    OPEN = 1
    STREAMING = 2


def watch_viewers(descriptor: int, path: str) -> Callable[[], Viewers]:
    """Returns a function that reports, without blocking, who reads the virtual camera that this process has open.

    The function is called from one thread at a time, and raises OSError if the device is gone.
    """
    try:
        return EventViewers(ClientUsage(descriptor))
    except OSError:
        return OpenViewers(path)


class EventViewers:
    """Uses v4l2loopback's client-usage event, which does not report programs that only open the device."""

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

    The module's use count says how often its devices are open, for all users and at no cost; one of them is this
    process. If there are more, /proc says which programs they are, and a program that has mapped the device's buffers
    streams. A program that cannot be inspected, such as another user's, counts as one that has the device open.
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
        # Uses that are not visible in /proc may be of this device or of another loopback device.
        unknown = not holders.found and holders.unseen and count > self._count_seen(self._loopbacks())
        return Viewers.OPEN if holders.found or unknown else Viewers.NONE

    def _loopbacks(self) -> list[str]:
        return [self._path, *(f"/dev/{node.name}" for node in self._nodes.glob("video*"))]


def module_uses(module: Path = _MODULE) -> int:
    """How often v4l2loopback's devices are open, by all users; 0 if unknown."""
    try:
        return int((module / "refcnt").read_text())
    except (OSError, ValueError):
        return 0
