"""On a busy machine frames are dropped evenly, the others come soon, and the user is told."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from bgcam.benchmarks import load
from bgcam.benchmarks.__main__ import main
from bgcam.benchmarks.load import NewestFrame
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.picture.composed import composed
from bgcam.realtime.run.busy import SPAN_S, Busy
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.stats import Summary

PICTURES = [np.zeros((24, 32, 3), np.uint8)]


class Hands:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_it_is_said_while_many_are_dropped_and_no_longer() -> None:
    clock = Hands()
    busy = Busy(clock=clock)
    drops, said = 0, []
    for frames, dropping in enumerate([False] * 60 + [True] * 60 + [False] * 80):
        clock.now_s += 0.1
        drops += dropping
        busy.see(frames, drops)
        said.append(bool(busy.notice))
        assert not busy.notice or "of the camera's frames dropped; close other programs" in busy.notice
    assert not any(said[:60])
    assert all(said[60 + int(10 * SPAN_S) : 120])
    assert not any(said[-30:])
    assert sum(a != b for a, b in itertools.pairwise(said)) == 2, "it flickers"


def test_the_drops_while_the_model_starts_are_not_said() -> None:
    clock = Hands()
    busy = Busy(clock=clock)
    for second in (0.0, 0.5, 1.0):
        clock.now_s = 100 + second
        busy.see(1, int(100 * second))
        assert busy.notice == ""


def run_slow(work_s: float, *, fps: float, seconds: float) -> tuple[NewestFrame, Pipeline[CoarseMatte], set[str]]:
    """A camera before a stage that takes so long."""
    source = NewestFrame(PICTURES, fps=fps, seconds=seconds)

    def matting(frame: CameraFrame) -> CoarseMatte:
        time.sleep(work_s)
        return CoarseMatte(frame.number, np.ones((24, 32), np.float32), frame.room_bgr)

    def render(frame: CameraFrame, matte: CoarseMatte) -> ComposedFrame:
        return composed(frame, frame.room_bgr.copy())

    pipeline = Pipeline(source, matting, render)
    said: set[str] = set()

    def listen(_: Summary) -> None:
        said.add(pipeline.notice())

    pipeline.run([load.Clock()], listen)
    return source, pipeline, said


def test_frames_are_dropped_evenly_and_latency_stays_bounded() -> None:
    source, pipeline, said = run_slow(0.05, fps=60, seconds=3)
    gaps = np.diff(source.seen)
    assert np.median(gaps) >= 3
    assert np.percentile(gaps, 95) <= 3 * np.median(gaps)
    assert source.drops == pipeline.stats.drops == source.seen[-1] + 1 - len(source.seen)
    # A frame waits for the one before it and is worked on: no queue grows.
    latencies_ms = pipeline.stats.latencies_ms()
    assert np.median(latencies_ms[-20:]) < 1.5 * np.median(latencies_ms[:20]) + 50
    assert any(notice.startswith("too busy: ") for notice in said)


def test_a_machine_that_keeps_up_is_not_called_busy() -> None:
    source, _, said = run_slow(0.0, fps=20, seconds=2.5)
    assert said == {""} or source.drops > 6, "others may have this machine"


def test_the_benchmark_prints_both_runs(
    tiny_model: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "WARM_UP_S", 0.2)
    arguments = ["--size", "64x48", "--seconds", "1", "--spinning", "1", "--model", str(tiny_model)]
    assert main(["load", *arguments, "--background", "green"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["nothing", lines[1].split()[1]], ["1", "spinning"]]
    assert main(["load", "--spinning", "0"]) == 2
