"""Writes what `realtime.trace` recorded as a file for Perfetto (ui.perfetto.dev) and chrome://tracing.

The format is Chrome's "Trace Event Format": complete events ("X") for spans, flows ("s", "t", "f") that follow a frame
from thread to thread, counters ("C") for the processor time of the whole process and of each thread.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.errors import SinkError, about_setting
from bgcam.realtime.trace import WAIT, Record, Recorder, recording

PROCESS = 1
# How often the processor's time is looked at, and how many looks are kept: the newest half hour.
EVERY_S = 0.25
MOST_LOOKS = 7200
THREADS = Path("/proc/self/task")
# OpenVINO's, OpenCV's and FFmpeg's own threads, which Python knows nothing of.
NATIVE = "threads of libraries"


class ProcessorTime:
    """Looks at the processor time of the process's threads, in a thread of its own, until `end`.

    looks: `time.monotonic_ns` and the seconds of each thread until then, by name; those of the same name together.
    """

    def __init__(self, *, used_s: Callable[[], dict[tuple[int, str], float]] | None = None):
        self.looks: deque[tuple[int, dict[str, float]]] = deque(maxlen=MOST_LOOKS)
        self._used_s = used_s or used_by_threads
        self._known: dict[tuple[int, str], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bgcam-trace", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look a last time, and stop."""
        self._stop.set()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look()
        self._look()

    def _look(self) -> None:
        now_ns, total_s = time.monotonic_ns(), time.process_time()
        self._known |= self._used_s()  # threads that have ended stay in it: their time is in the total too
        by_name: dict[str, float] = {}
        for (_, name), seconds in self._known.items():
            by_name[name] = by_name.get(name, 0.0) + seconds
        self.looks.append((now_ns, {**by_name, NATIVE: total_s - sum(by_name.values())}))


def used_by_threads() -> dict[tuple[int, str], float]:
    """Processor seconds of each of Python's threads, by its number and name; empty where Linux does not say."""
    used = {}
    for thread in threading.enumerate():
        with suppress(OSError, ValueError, IndexError):  # it has just ended; another system
            in_ns = (THREADS / str(thread.native_id) / "schedstat").read_text().split()[0]
            used[thread.native_id or 0, thread.name] = int(in_ns) / 1e9
    return used


@contextmanager
def tracing(name: str | None) -> Iterator[None]:
    """Record what happens inside, and write it to this file however it ends; None records nothing.

    Raises SinkError if the file cannot be written, before anything is recorded if that can be seen then. An error
    of what is inside has priority.
    """
    if name is None:
        yield
        return
    path = Path(name)
    with about_setting("trace"):
        check_folder(path)
    recorder, processor = Recorder(), ProcessorTime()
    try:
        with recording(recorder):
            yield
    except BaseException as error:
        processor.end()
        try:
            write_trace(path, recorder, processor)
        except SinkError as second:
            error.add_note(str(second))
        raise
    processor.end()
    write_trace(path, recorder, processor)


def check_folder(path: Path) -> None:
    """Raise SinkError unless a file can be made there."""
    if path.is_dir():
        raise SinkError(f"--trace {path}: this is a folder; give a file, such as trace.json")
    if not path.absolute().parent.is_dir():
        raise SinkError(f"--trace {path}: there is no such folder; give a file in a folder that exists")
    if not os.access(path.absolute().parent, os.W_OK):
        raise SinkError(f"--trace {path}: you may not write to this folder; give a file in another one")


def write_trace(path: Path, recorder: Recorder, processor: ProcessorTime) -> None:
    """The whole file or none. Raises SinkError."""
    contents = json.dumps(as_json(recorder, processor), separators=(",", ":")).encode()
    try:
        write_whole(path, contents, durable=False)
    except OSError as error:
        raise SinkError(f"{path}: the trace cannot be written ({error.strerror}); give another --trace") from error


def as_json(recorder: Recorder, processor: ProcessorTime) -> dict[str, Any]:
    """What the file contains. Times are in microseconds since the recorder began."""
    records = recorder.records()
    events = [_named("process_name", 0, name="bgcam")]
    for track in recorder.tracks:
        events += [_named("thread_name", track.number, name=track.name)]
        events += [_named("thread_sort_index", track.number, sort_index=track.number)]
    events += [_span(one, recorder.began_ns) for one in records]
    events += _flows(records, recorder.began_ns)
    events += _counters(list(processor.looks.copy()), recorder.began_ns)
    about = {"made by": "bgcam --trace", "spans": len(records), "older spans that were left out": recorder.lost}
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}


def _named(what: str, track: int, **args: object) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": PROCESS, "tid": track, "args": args}


def _us(at_ns: int) -> float:
    return at_ns / 1000


def _span(one: Record, began_ns: int) -> dict[str, Any]:
    args: dict[str, Any] = {} if one.frame < 0 else {"frame": one.frame}
    if not one.ended:
        args["unfinished"] = True
    return {
        "ph": "X",
        "name": one.name,
        "cat": "wait" if one.name.startswith(WAIT) else "work",
        "pid": PROCESS,
        "tid": one.track,
        "ts": _us(one.began_ns - began_ns),
        "dur": _us(one.took_ns),
        "tts": _us(one.cpu_ns),
        "tdur": _us(one.used_ns),
        "args": args,
    }


def _flows(records: list[Record], began_ns: int) -> Iterator[dict[str, Any]]:
    """A frame's way through the threads: from span to span of those that name it."""
    frames: dict[int, list[Record]] = {}
    for one in records:
        if one.frame >= 0:
            frames.setdefault(one.frame, []).append(one)
    for number, own in frames.items():
        own.sort(key=lambda one: one.began_ns)
        for at, one in enumerate(own if len(own) > 1 else []):
            phase = "s" if at == 0 else "f" if at == len(own) - 1 else "t"
            # Viewers attach it to the innermost span there, so it stands where no other span has begun inside.
            at_us = _us(one.began_ns - began_ns)
            flow = {"ph": phase, "name": "frame", "cat": "frame", "id": number, "pid": PROCESS, "tid": one.track}
            yield {**flow, "ts": at_us, **({"bp": "e"} if phase == "f" else {})}


def _counters(looks: Sequence[tuple[int, Mapping[str, float]]], began_ns: int) -> Iterator[dict[str, Any]]:
    """Of each interval, how many cores the process kept busy, and which of its threads did."""
    for (before_ns, before_s), (now_ns, now_s) in pairwise(looks):
        seconds = (now_ns - before_ns) / 1e9
        if seconds <= 0:
            continue
        cores = {name: round(max(0.0, used - before_s.get(name, 0.0)) / seconds, 3) for name, used in now_s.items()}
        at_us = _us(before_ns - began_ns)
        counter = {"ph": "C", "name": "cores in use", "pid": PROCESS, "ts": at_us}
        yield {**counter, "args": cores}
