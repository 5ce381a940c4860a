"""Spans of time that a run's threads spend on something, collected only while somebody asks for a trace.

    with span("encode"):
        ...

Without a `Recorder` a span is one comparison. `run/trace_file.py` writes what was recorded.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# The newest spans that are kept: about two minutes of a call, 25 MB of memory and 15 MB of file.
MOST_SPANS = 100_000
# A shorter wait is none: a thread that finds what it asked for need not be looked at.
LEAST_WAIT_NS = 20_000
# Names of spans in which a thread only waits begin with this word.
WAIT = "wait: "


class Record(NamedTuple):
    """One span. track: of the thread, see `Track`; began_ns: by `time.monotonic_ns`; cpu_ns: the thread's own clock at
    its beginning; used_ns: processor time of this thread in it; frame: the frame's number, -1 for none; ended: False
    for one that was still going on when the trace was written."""

    name: str
    track: int
    began_ns: int
    took_ns: int
    cpu_ns: int
    used_ns: int
    frame: int
    ended: bool = True


class Track:
    """One thread's. number: from 1, never used twice, as the system's numbers of threads are; stack: open spans."""

    __slots__ = ("name", "number", "stack")

    def __init__(self, number: int, name: str):
        self.number, self.name = number, name
        self.stack: list[Span] = []


class Recorder:
    """Keeps the newest spans of all threads. tracks: in the order in which the threads came."""

    def __init__(self, *, most: int = MOST_SPANS) -> None:
        self.began_ns = time.monotonic_ns()
        self.tracks: list[Track] = []
        self.lost = 0
        self._records: deque[Record] = deque(maxlen=most)
        self._local = threading.local()
        self._lock = threading.Lock()

    def track(self) -> Track:
        """The calling thread's."""
        found: Track | None = getattr(self._local, "track", None)
        if found is None:
            with self._lock:
                found = Track(len(self.tracks) + 1, threading.current_thread().name)
                self.tracks.append(found)
            self._local.track = found
        return found

    def add(self, record: Record) -> None:
        """Keep it, in place of the oldest if there are too many."""
        self.lost += len(self._records) == self._records.maxlen
        self._records.append(record)

    def records(self) -> list[Record]:
        """All that is kept, and what still goes on, as far as it has come; in the order of their beginnings."""
        found = list(self._records.copy())
        going_on = [(track.number, one) for track in list(self.tracks) for one in list(track.stack)]
        now_ns = time.monotonic_ns()  # after the copies, so that nothing in them ends later
        for track, one in going_on:
            took_ns = now_ns - one.began_ns
            found.append(Record(one.name, track, one.began_ns, took_ns, one.cpu_ns, 0, one.frame, ended=False))
        # Of two that begin at once, the longer one is around the other.
        return sorted(found, key=lambda one: (one.track, one.began_ns, -one.took_ns))


class Span:
    """A span of the calling thread, from entering to leaving. frame: its frame's number, which may be set inside."""

    __slots__ = ("_recorder", "_track", "began_ns", "cpu_ns", "frame", "name")

    def __init__(self, recorder: Recorder, name: str, frame: int):
        self.name, self.frame, self._recorder = name, frame, recorder

    def __enter__(self) -> Span:
        self._track = self._recorder.track()
        self.began_ns, self.cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        self._track.stack.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        used_ns, took_ns = time.thread_time_ns() - self.cpu_ns, time.monotonic_ns() - self.began_ns
        self._track.stack.pop()
        if took_ns >= LEAST_WAIT_NS or not self.name.startswith(WAIT):
            self._recorder.add(
                Record(self.name, self._track.number, self.began_ns, took_ns, self.cpu_ns, used_ns, self.frame)
            )


class _Nothing:
    """What a span is while nothing is recorded."""

    __slots__ = ()

    @property
    def frame(self) -> int:
        return -1

    @frame.setter
    def frame(self, number: int) -> None:
        pass

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


_NOTHING = _Nothing()
_recorder: Recorder | None = None


def span(name: str, *, frame: int = -1) -> Span | _Nothing:
    """What the calling thread does inside; `name` stands in the trace. frame: the number of its frame."""
    recorder = _recorder
    return _NOTHING if recorder is None else Span(recorder, name, frame)


def wait(what: str) -> Span | _Nothing:
    """A span in which the thread only waits for something; it is left out if that was there already."""
    recorder = _recorder
    return _NOTHING if recorder is None else Span(recorder, WAIT + what, -1)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Every span that begins inside, in any thread, goes to this recorder."""
    global _recorder
    before, _recorder = _recorder, recorder
    try:
        yield
    finally:
        _recorder = before
