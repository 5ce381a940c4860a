"""An output that discards frames and counts them, for measurements and experiments."""

from __future__ import annotations

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import UsageError
from bgcam.realtime.failsafe.gate import check_shown
from bgcam.realtime.frames import OutputFrame


class NullSink:
    """Counts the frames: `frames`."""

    live, notice, takes_cutouts = False, "", True

    def __init__(self, argument: str = "", *, size_wh: tuple[int, int] | None = None, fps: float = 30.0) -> None:
        if argument:
            raise UsageError(f"null takes nothing after it, found {argument!r}; write --output null")
        self.name = "null"
        self.frames = 0

    def write(self, frame: OutputFrame) -> None:
        check_shown(frame)
        self.frames += 1

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        """Nothing to finish."""

    def abort(self) -> None:
        """Nothing to undo."""
