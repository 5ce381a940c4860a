"""`--trace`: a file that Perfetto opens, with each stage and thread; it costs nothing where it is not asked for."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clips import SIZE_WH, scene, write_clip
from command import Run, one_line

from bgcam.realtime import trace
from bgcam.realtime.command import run
from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.picture.stages import STAGES
from bgcam.realtime.run import trace_file
from bgcam.realtime.run.trace_file import NATIVE, ProcessorTime, as_json, tracing
from bgcam.realtime.trace import Recorder, recording, span, wait

FILE_RUN = ("--input", "clip.mp4", "--background", "#0000c8", "--output", "out.mp4", "--trace", "run.json")
FRAMES = 8


def read(name: str) -> list[dict[str, Any]]:
    """The events of a file, which must be what the viewers expect of the format."""
    found = json.loads(Path(name).read_text(encoding="utf-8"))
    assert {"traceEvents", "displayTimeUnit", "otherData"} == set(found)
    events: list[dict[str, Any]] = found["traceEvents"]
    for one in events:
        assert one["ph"] in ("M", "X", "C", "s", "t", "f")
        assert isinstance(one["name"], str)
        assert one["pid"] == 1
        assert one["ph"] == "M" or one["ts"] >= 0
        assert one["ph"] != "X" or one["dur"] >= 0
    return events


def spans(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in events if one["ph"] == "X"]


def threads(events: list[dict[str, Any]]) -> dict[int, str]:
    return {one["tid"]: one["args"]["name"] for one in events if one["name"] == "thread_name"}


def overlaps(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of spans of one thread of which neither is inside the other, though they share some time."""
    found = []
    for track in threads(events):
        open_ones: list[dict[str, Any]] = []
        for one in [one for one in spans(events) if one["tid"] == track]:  # in the file, ordered by their beginnings
            while open_ones and open_ones[-1]["ts"] + open_ones[-1]["dur"] <= one["ts"]:
                open_ones.pop()
            if open_ones and one["ts"] + one["dur"] > open_ones[-1]["ts"] + open_ones[-1]["dur"] + 1e-6:
                found.append((open_ones[-1]["name"], one["name"]))
            open_ones.append(one)
    return found


def test_a_file_run_shows_each_stage_thread_and_frame(in_tmp: Path, bgcam: Run) -> None:
    code, _, err = bgcam(*FILE_RUN)
    assert (code, err) == (0, "")
    events = read("run.json")
    assert {"MainThread", "bgcam-read", "bgcam-matte-0", "bgcam-picture", "bgcam-sinks"} <= set(
        threads(events).values()
    )
    names = Counter(one["name"] for one in spans(events))
    assert {"open the source", "load the model", "open the outputs", "run"} <= set(names)
    assert {"decode", "to BGR", "network", "resize", "composite", "VideoSink", "to YUV", "encode", *STAGES} <= set(
        names
    )
    assert overlaps(events) == []
    for stage in ("read", "matte", "picture", "sinks"):
        frames = [one["args"].get("frame") for one in spans(events) if one["name"] == stage]
        assert sorted(frame for frame in frames if frame is not None) == [*range(FRAMES)], stage
    # The arrows that follow a frame: they begin where it is read and end where it is written.
    for number in range(FRAMES):
        assert [one["ph"] for one in events if one.get("id") == number] == ["s", "t", "t", "f"]
    times = [one["ts"] for one in spans(events) if one["tid"] == 1]
    assert times == sorted(times)


def test_the_check_for_overlaps_finds_one() -> None:
    thread = {"name": "thread_name", "ph": "M", "tid": 1, "args": {"name": "t"}}
    one, inside, across = ({"ph": "X", "tid": 1, "name": n, "ts": t, "dur": d} for n, t, d in ("a05", "b12", "c44"))
    one, inside, across = one | {"ts": 0, "dur": 5}, inside | {"ts": 1, "dur": 2}, across | {"ts": 4, "dur": 4}
    assert overlaps([thread, one, inside]) == []
    assert overlaps([thread, one, inside, across]) == [("a", "c")]


def test_the_processor_time_of_threads_adds_up(in_tmp: Path, bgcam: Run) -> None:
    assert bgcam(*FILE_RUN)[0] == 0
    counters = [one for one in read("run.json") if one["ph"] == "C"]
    assert all(min(one["args"].values()) >= 0 for one in counters)
    assert len({one["ts"] for one in counters}) == len(counters)


def test_threads_that_have_ended_are_not_counted_twice() -> None:
    looks = iter([{(1, "a"): 1.0, (2, "b"): 1.0}, {(1, "a"): 1.5}, {(1, "a"): 1.5, (3, "b"): 0.5}])
    last: dict[tuple[int, str], float] = {}

    def used_s() -> dict[tuple[int, str], float]:
        nonlocal last
        last = next(looks, last)
        return last

    processor = ProcessorTime(used_s=used_s)
    processor.end()
    for _ in range(2):
        processor._look()
    named = [{name: used for name, used in look.items() if name != NATIVE} for _, look in processor.looks]
    assert named == [{"a": 1.0, "b": 1.0}, {"a": 1.5, "b": 1.0}, {"a": 1.5, "b": 1.5}]


def test_ctrl_c_leaves_a_whole_trace(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    see = Matting.see

    def interrupted(self: Matting, frame: Any) -> Any:
        if frame.number == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return see(self, frame)

    monkeypatch.setattr(Matting, "see", interrupted)
    write_clip(in_tmp / "clip.mp4", frames=400)
    code, out, _ = bgcam(*FILE_RUN)
    assert (code, "stopped after" in out.splitlines()[-1]) == (1, True)
    events = read("run.json")
    assert {"read", "matte", "picture", "sinks"} <= {one["name"] for one in spans(events)}
    assert overlaps(events) == []


def test_an_error_leaves_a_whole_trace_and_stays_the_error(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Matting, frame: Any) -> Any:
        raise RuntimeError("the network broke")

    monkeypatch.setattr(Matting, "see", fails)
    code, _, err = bgcam(*FILE_RUN)
    assert code == 1
    assert "the network broke" in one_line(err)
    assert "matte" in {one["name"] for one in spans(read("run.json"))}
    assert not Path("out.mp4").exists()


def test_what_hangs_stands_in_it_as_unfinished(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        with span("matte", frame=7), span("network"):
            began.set()
            go_on.wait(10)

    hanging = threading.Thread(target=hang)
    path = tmp_path / "hang.json"
    with pytest.raises(KeyboardInterrupt), tracing(str(path)):
        hanging.start()
        began.wait(10)
        raise KeyboardInterrupt
    go_on.set()
    hanging.join()
    events = read(str(path))
    found = {one["name"]: one["args"] for one in spans(events)}
    assert found == {"matte": {"frame": 7, "unfinished": True}, "network": {"unfinished": True}}
    assert overlaps(events) == []


def test_memory_and_file_are_bounded_and_the_newest_is_kept(processor: ProcessorTime) -> None:
    recorder = Recorder(most=10)
    with recording(recorder):
        for number in range(25):
            with span("read", frame=number):
                pass
    found = as_json(recorder, processor)
    assert [one["args"]["frame"] for one in spans(found["traceEvents"])] == [*range(15, 25)]
    assert found["otherData"]["older spans that were left out"] == 15


@pytest.fixture
def processor() -> ProcessorTime:
    made = ProcessorTime()
    made.end()
    return made


def test_waits_that_are_none_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    clock_ns = iter([0, trace.LEAST_WAIT_NS - 1, 0, trace.LEAST_WAIT_NS])
    clock = SimpleNamespace(monotonic_ns=lambda: next(clock_ns), thread_time_ns=lambda: 0)
    with recording(recorder):
        monkeypatch.setattr(trace, "time", clock)
        with wait("nothing"):
            pass
        with wait("a while"):
            pass
    monkeypatch.undo()
    assert [one.name for one in recorder.records()] == ["wait: a while"]


def test_threads_never_share_a_track() -> None:
    recorder = Recorder()

    def work() -> None:
        with span("work"):
            pass

    with recording(recorder):
        for _ in range(3):  # one after the other: the system may give all the same number
            thread = threading.Thread(target=work, name="worker")
            thread.start()
            thread.join()
    assert [(track.number, track.name) for track in recorder.tracks] == [(1, "worker"), (2, "worker"), (3, "worker")]


def test_without_a_recorder_nothing_is_made() -> None:
    assert span("read") is span("matte", frame=3) is wait("anything")
    with span("read") as one:
        one.frame = 5
    assert trace._recorder is None


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("no/such/run.json", 2, "no such folder"),
        ("run.txt", 2, "a name that ends in .json"),
        ("there.json", 1, "exists already"),
        ("folder.json", 1, "exists already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(
    in_tmp: Path, bgcam: Run, name: str, code: int, says: str
) -> None:
    (in_tmp / "there.json").write_text("kept")
    (in_tmp / "folder.json").mkdir()
    found, _, err = bgcam(*FILE_RUN[:-1], name)
    assert found == code
    assert says in one_line(err)
    assert (in_tmp / "there.json").read_text() == "kept"
    assert not (in_tmp / "out.mp4").exists()


def test_a_trace_does_not_replace_what_is_read(in_tmp: Path, bgcam: Run) -> None:
    (in_tmp / "clip.mp4").rename(in_tmp / "clip.json")
    before = (in_tmp / "clip.json").read_bytes()
    code, _, err = bgcam("--input", "clip.json", *FILE_RUN[2:-1], "clip.json", "--overwrite")
    assert code == 2
    assert "would overwrite" in one_line(err)
    assert (in_tmp / "clip.json").read_bytes() == before


def test_a_trace_that_cannot_be_written_costs_no_output(
    in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trace_file, "write_whole", full)
    code, _, err = bgcam(*FILE_RUN)
    assert code == 1
    assert "the trace cannot be written (No space left on device)" in one_line(err)
    assert (in_tmp / "out.mp4").stat().st_size > 0
    assert not (in_tmp / "run.json").exists()


def test_the_error_of_the_run_comes_before_the_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trace_file, "write_whole", full)
    with pytest.raises(SinkError, match="first") as caught, tracing(str(tmp_path / "run.json")):
        raise SinkError("first")
    assert ["No space left" in note for note in caught.value.__notes__] == [True]


def test_spans_of_one_thread_follow_each_other(processor: ProcessorTime) -> None:
    recorder = Recorder()
    with recording(recorder):
        for number in range(3):
            with span("read", frame=number), span("decode"):
                pass
    events = as_json(recorder, processor)["traceEvents"]
    own = spans(events)
    assert overlaps(events) == []
    outer = [one for one in own if one["name"] == "read"]
    assert all(a["ts"] + a["dur"] <= b["ts"] for a, b in pairwise(outer))
    assert all({"tts", "tdur"} <= set(one) for one in own)


class Camera:
    """A camera that is unplugged for good after a few frames."""

    name, size_wh, fps, live, frames, drops, note, notice = "camera", SIZE_WH, 100.0, True, None, 0, "", ""
    number = 0

    def read(self) -> CameraFrame | None:
        number, self.number = self.number, self.number + 1
        return None if number == FRAMES else CameraFrame(number, scene(number), number / self.fps, time.monotonic())

    def close(self) -> None:
        """Nothing to close."""


def test_a_live_run_shows_the_same(in_tmp: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "open_source", lambda **options: Camera())
    code, _, err = bgcam("--background", "#0000c8", "--output", "null", "--trace", "live.json")
    assert (code, err) == (0, "")
    events = read("live.json")
    assert overlaps(events) == []
    for stage in ("read", "matte", "picture", "sinks"):
        numbers = [one["args"]["frame"] for one in spans(events) if one["name"] == stage and one["args"]]
        assert sorted(numbers) == [*range(FRAMES)], stage
