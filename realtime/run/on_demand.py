"""`--on-demand`: the camera and the network run only while someone watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import UsageError, about_setting
from bgcam.realtime.sinks import Sink
from bgcam.realtime.sources.base import is_live_address

# For a program that opens the device but reads no frames: browsers do so to read each camera's name.
SETTLE_S = 1.0
# A call that changes its resolution stops and restarts; and the camera's light must be off within 3 s.
LINGER_S = 2.0
# Which users this process's user namespace has; all of them in the first one.
_UID_MAP = Path("/proc/self/uid_map")
_ALL_USERS = ["0", "0", "4294967295"]


class Demand:
    """Decides whether the camera should run, from the viewers and times that it is given.

    A program that streams starts the camera at once, one that only has the device open after `settle_s`; the camera
    keeps running for `linger_s` after the last viewer.
    """

    def __init__(self, *, settle_s: float = SETTLE_S, linger_s: float = LINGER_S):
        self.on = False
        self._settle_s, self._linger_s = settle_s, linger_s
        self._open_since_s: float | None = None
        self._seen_s = 0.0

    def begin(self, now_s: float) -> None:
        """From a camera that has run so far: it goes on as after the last viewer."""
        self.on, self._seen_s, self._open_since_s = True, now_s, None

    def __call__(self, viewers: Viewers, now_s: float) -> bool:
        if viewers is Viewers.NONE:
            self._open_since_s = None
        elif self._open_since_s is None:
            self._open_since_s = now_s
        settled = self._open_since_s is not None and now_s - self._open_since_s >= self._settle_s
        if viewers is Viewers.STREAMING or (viewers is Viewers.OPEN and (settled or self.on)):
            self.on, self._seen_s = True, now_s
        elif now_s - self._seen_s >= self._linger_s:
            self.on = False
        return self.on


class OnDemand:
    """Called often; returns whether the camera should run, by the viewers of all sinks while it is `on`.

    sinks: returns those that are open; called each time, since they are opened after the camera. While there are none,
        the camera runs: its first picture tells their size.
    on: may be changed while frames flow, from any thread; while it is False, the camera always runs.
    check: called before it is turned on in a run; raises UsageError where that makes no sense.
    """

    def __init__(
        self,
        sinks: Callable[[], Sequence[Sink]],
        *,
        on: bool = True,
        check: Callable[[], None] = lambda: None,
        demand: Demand | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._sinks, self._clock, self._demand = sinks, clock, demand or Demand()
        self._on, self.check = on, check

    @property
    def on(self) -> bool:
        return self._on

    @on.setter
    def on(self, value: bool) -> None:
        if value and not self._on:
            self._demand.begin(self._clock())
        self._on = value

    def __call__(self) -> bool:
        sinks = self._sinks() if self._on else ()
        if not sinks:
            return True
        asked = [sink.viewers() for sink in sinks]
        return self._demand(max(asked), self._clock())


@about_setting("on_demand")
def check_on_demand(inputs: Sequence[str] | None, outputs: Sequence[str]) -> None:
    """Raise UsageError where `--on-demand` makes no sense or is not supported."""
    if sys.platform != "linux":
        raise UsageError("--on-demand: it works only on Linux; leave it out")
    file = next((one for one in inputs or () if not is_live_address(one)), None)
    if file is not None:
        raise UsageError(f"--on-demand needs a camera, but --input {file} is given; give only one of them")
    if not any(output.partition(":")[0] == "virtual" for output in outputs):
        raise UsageError("--on-demand depends on who watches the virtual camera; add --output virtual")


def check_turning_on(inputs: Sequence[str] | None, outputs: Sequence[str], *, uid_map: Path = _UID_MAP) -> None:
    """As `check_on_demand`, and raise UsageError in a service that was installed to run without it."""
    check_on_demand(inputs, outputs)
    try:
        same_users = uid_map.read_text().split() == _ALL_USERS
    except OSError:
        same_users = True
    if not same_users:
        raise UsageError(
            "on_demand: from its own user namespace this bgcam cannot see who watches; for the service, run bgcam "
            "install-service -- --on-demand with its other options"
        )
