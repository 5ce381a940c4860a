"""The end of a run: closes every output, independently and in bounded time, and says where the recordings are."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence

from bgcam.realtime.errors import SinkError
from bgcam.realtime.sinks import Sink

# Finishing a recording takes milliseconds, or seconds on a disk that sleeps or is busy.
CLOSE_S = 20.0


def close_all(sinks: Sequence[Sink], *, limit_s: float = CLOSE_S) -> list[BaseException]:
    """Close all at the same time: one that fails is aborted, one that hangs delays no other. Returns their errors."""
    closings = [_Closing(sink) for sink in sinks]
    end_s = time.monotonic() + limit_s
    for closing in closings:
        closing.thread.join(max(0.0, end_s - time.monotonic()))
    for closing in closings:
        if closing.thread.is_alive():
            closing.error = SinkError(
                f"{closing.sink.name}: it could not be closed within {limit_s:g} s; its data is in a hidden file "
                "beside it, which `bgcam doctor` finds"
            )
    return [closing.error for closing in closings if closing.error is not None]


def abort_all(sinks: Sequence[Sink]) -> None:
    """Abort all, ignoring further errors: the one that led here is reported."""
    for sink in sinks:
        with contextlib.suppress(Exception):
            sink.abort()


def say_where(error: BaseException, sinks: Sequence[Sink]) -> None:
    """Add a note to the error that says where the recordings are, unless the error itself says so."""
    places = [place for place in (getattr(sink, "kept", "") for sink in sinks) if place and place not in str(error)]
    if places:
        error.add_note(f"what was recorded is kept: {', '.join(places)}")


class _Closing:
    """A sink that is being closed in its own thread."""

    def __init__(self, sink: Sink):
        self.sink = sink
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="bgcam-close", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.sink.close()
        except BaseException as error:  # SystemExit too, which would end this thread silently
            self.error = error
            abort_all([self.sink])
