"""The one place that every frame passes before an output: no camera frame, nor a camera's memory, goes further."""

from __future__ import annotations

from typing import Protocol

from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.frames import ComposedFrame


class Writes(Protocol):
    """What a sink does with a frame; see `sinks.Sink`."""

    def write(self, frame: ComposedFrame) -> None: ...


def check_shown(frame: object) -> None:
    """Raise TypeError unless an output may show this: a composed frame, in memory that is no camera frame's.

    The sinks that come with bgcam ask it themselves as well, for who writes to one directly.
    """
    if type(frame) is not ComposedFrame:
        raise TypeError(f"a {type(frame).__name__} is not shown: an output takes composed frames alone")
    if is_camera_memory(frame.pixels):
        raise TypeError(f"{frame} is not shown: it lies in a camera frame's memory")


def send(sink: Writes, frame: ComposedFrame) -> None:
    """Write a frame to a sink. Raises TypeError as `check_shown`, and what the sink raises."""
    check_shown(frame)
    sink.write(frame)
