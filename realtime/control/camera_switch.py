"""Another camera while frames flow: it is opened beside the running one, and takes its place between two frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.sources.base import Source
from bgcam.realtime.sources.reopening import ReopeningSource
from bgcam.realtime.time_limit import within

OPEN_S = 10.0

Reopen = Callable[[], Source] | None
Opened = tuple[Source, Reopen]


@dataclass(frozen=True)
class CameraSwitch:
    """source: gives the camera's frames. open_other: opens a camera by its name, and gives what opens it again."""

    source: ReopeningSource
    open_other: Callable[[str], Opened]
    open_s: float = OPEN_S

    def open(self, name: object) -> Opened:
        """The camera that is to take over. Raises SourceError, also if it does not answer in time, and UsageError."""
        if not isinstance(name, str) or not name:
            raise UsageError(f"camera must be a text that is not empty, not {name!r}")
        late = SourceError(f"camera {name}: it did not open within {self.open_s:g} s; the one before stays")
        return within(partial(self.open_other, name), limit_s=self.open_s, late=late, drop=_close)

    def take(self, opened: Opened) -> None:
        """From here on, its frames are given."""
        self.source.replace(*opened)

    @staticmethod
    def drop(opened: Opened) -> None:
        """It is not to take over after all."""
        _close(opened)


def _close(opened: Opened) -> None:
    opened[0].close()
