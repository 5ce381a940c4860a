"""`--on-demand`: the camera and the network run only while somebody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import UsageError
from bgcam.realtime.sinks import Sink
from bgcam.realtime.sources.base import is_live_address

# A program that has the device open but takes no pictures: browsers look at each camera's name so.
SETTLE_S = 1.0
# A call that changes its picture's size stops and starts again; and the light is to be off within 3 s.
LINGER_S = 2.0


class Demand:
    """Whether the camera is to run, by what was seen and when. Nobody is asked here, and no clock.

    Who streams is served at once, who has the device open after `settle_s`; the camera runs on for `linger_s` after the
    last one.
    """

    def __init__(self, *, settle_s: float = SETTLE_S, linger_s: float = LINGER_S):
        self.on = False
        self._settle_s, self._linger_s = settle_s, linger_s
        self._open_since_s: float | None = None
        self._seen_s = 0.0

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
    """Called often, it says whether one of the sinks has a viewer: each is asked.

    sinks: gives them; asked at each call, since they are opened after the camera.
    """

    def __init__(
        self,
        sinks: Callable[[], Sequence[Sink]],
        *,
        demand: Demand | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._sinks, self._clock, self._demand = sinks, clock, demand or Demand()

    def __call__(self) -> bool:
        asked = [sink.viewers() for sink in self._sinks()]
        return self._demand(max(asked, default=Viewers.NONE), self._clock())


def check_on_demand(inputs: Sequence[str] | None, outputs: Sequence[str]) -> None:
    """Raise UsageError where `--on-demand` makes no sense, or cannot be told."""
    if sys.platform != "linux":
        raise UsageError("--on-demand: who watches can be told on Linux alone; leave it out")
    file = next((one for one in inputs or () if not is_live_address(one)), None)
    if file is not None:
        raise UsageError(f"--on-demand is for a camera, and --input {file} is none; give one of them")
    if not any(output.partition(":")[0] == "virtual" for output in outputs):
        raise UsageError("--on-demand goes by who watches the virtual camera; add --output virtual")
