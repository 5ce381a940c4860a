"""The frames before a part of a video: they are drawn, for what remembers earlier frames, and not written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.sinks.video import VideoSink

# After this many frames, what is drawn no longer depends on what was before them; see docs/reference/scale.md.
WARM_FRAMES = 200


class AfterWarmUp:
    """A video file that gets the frames from number `warm` on; see `Sink`.

    replaced: how many frames so far show only the background because their mattes were refused.
    replaced_before: of those that were not written. unsure: whether the last of these was one.
    """

    live, notice = False, ""

    def __init__(self, sink: VideoSink, *, warm: int, replaced: Callable[[], int]):
        self.sink, self.name, self.takes_cutouts = sink, sink.name, sink.takes_cutouts
        self._warm, self._replaced = warm, replaced
        self.replaced_before, self.unsure = 0, False

    @property
    def kept(self) -> str:
        """See `Sink`."""
        return self.sink.kept

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def write(self, frame: Any) -> None:
        if frame.number >= self._warm:
            self.sink.write(frame)
            return
        replaced = self._replaced()
        self.unsure, self.replaced_before = replaced > self.replaced_before, replaced

    def close(self) -> None:
        self.sink.close()

    def abort(self) -> None:
        self.sink.abort()
