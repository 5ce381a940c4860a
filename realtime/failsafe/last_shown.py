"""What an output shows now, for others to look at: the control page shows the same, placeholders included."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from bgcam.realtime.frames import OutputFrame


@dataclass(frozen=True, slots=True)
class Shown:
    """What was written to an output. at_s: `time.monotonic()`."""

    frame: OutputFrame
    is_placeholder: bool
    at_s: float


class LastShown:
    """The last frame that was written to one output."""

    def __init__(self) -> None:
        self._shown: Shown | None = None
        self._news = threading.Condition()

    def note(self, shown: Shown) -> None:
        """This was written."""
        with self._news:
            self._shown = shown
            self._news.notify_all()

    def after(self, at_s: float = 0.0, *, timeout_s: float = 0.0) -> Shown | None:
        """What was written last if that was later than `at_s`; waits up to `timeout_s` for that, then gives None."""
        with self._news:
            self._news.wait_for(lambda: self._newer(at_s), timeout_s)
            return self._shown if self._newer(at_s) else None

    def _newer(self, at_s: float) -> bool:
        return self._shown is not None and self._shown.at_s > at_s
