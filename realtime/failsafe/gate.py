"""The one place that every frame passes before an output: no camera frame, and no camera's memory, passes it."""

from __future__ import annotations

from typing import Any, Protocol, cast

from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import ComposedFrame, CutoutFrame, OutputFrame
from bgcam.realtime.trace import span


class Writes(Protocol):
    """What a sink does with a frame; see `sinks.Sink`."""

    name: str

    def write(self, frame: ComposedFrame) -> None: ...


class Guarded(Writes, Protocol):
    """What `output_guard` needs of a sink; see `sinks.Sink`."""

    @property
    def live(self) -> bool: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


def check_shown(frame: object) -> None:
    """Raise TypeError unless an output may show this: a composed frame, in memory that is not a camera frame's.

    The sinks of bgcam also call it themselves, for code that writes to one directly.
    """
    # By its type, since an object may say of itself that it is an instance of any class.
    if type(frame) is not ComposedFrame and type(frame) is not CutoutFrame:
        raise TypeError(f"a {type(frame).__name__} is not shown: an output accepts only composed frames")
    if any(is_camera_memory(pixels) for pixels in frame.planes):
        raise TypeError(f"{frame} is not shown: it shares a camera frame's memory")


def send(sink: Writes, frame: OutputFrame) -> None:
    """Write a frame to a sink.

    Raises TypeError as `check_shown`, SinkError for a cutout where transparency cannot be held, and what the sink does.
    """
    check_shown(frame)
    if isinstance(frame, CutoutFrame) and not getattr(sink, "takes_cutouts", False):
        raise SinkError(f"{sink.name}: cannot hold transparency; give a .png, .webm or .mov file, or FOLDER/")
    with span(type(sink).__name__):
        sink.write(cast(Any, frame))
