"""The end of a run: each output for itself, in bounded time, and where the recordings lie."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from clips import read_clip
from shown import shown
from test_pipeline import FakeSink, FakeSource, render, slow_matting

from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.errors import SinkError, SourceError, SourceWaits
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, Matte
from bgcam.realtime.run import pipeline as pipelines
from bgcam.realtime.run.ending import abort_all, close_all, say_where
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.sinks.job import Job
from bgcam.realtime.sinks.video import VideoSink


class HangingSink(FakeSink):
    name = "hanging"

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def close(self) -> None:
        self.go.wait(20)


def test_one_that_hangs_or_fails_keeps_no_other() -> None:
    hanging, failing, good = HangingSink(), FakeSink(fails_to_close=True), FakeSink()
    started_s = time.monotonic()
    errors = close_all([hanging, failing, good], limit_s=0.2)
    assert time.monotonic() - started_s < 5
    assert (failing.end, good.end) == ("aborted", "closed")
    assert [str(error) for error in errors] == [
        "hanging: it could not be closed within 0.2 s; its data is in a hidden file "
        "beside it, which `bgcam doctor` finds",
        "the end cannot be written",
    ]
    hanging.go.set()


def test_several_that_hang_take_the_time_of_one() -> None:
    sinks = [HangingSink() for _ in range(12)]
    started_s = time.monotonic()
    assert len(close_all(sinks, limit_s=0.5)) == 12
    assert time.monotonic() - started_s < 4
    for sink in sinks:
        sink.go.set()


def test_one_that_cannot_be_aborted_keeps_no_other() -> None:
    class Stubborn(FakeSink):
        def abort(self) -> None:
            raise OSError("its disk is gone")

    good = FakeSink()
    abort_all([Stubborn(), good])
    assert good.end == "aborted"


def test_an_error_is_told_where_the_recordings_lie() -> None:
    sinks = [FakeSink(), FakeSink(), FakeSink(), FakeSink()]
    for sink, kept in zip(sinks, ("a.mp4", "", "b/"), strict=False):
        sink.kept = kept  # type: ignore[attr-defined]
    error = RuntimeError("b/ failed")
    say_where(error, sinks)
    assert error.__notes__ == ["what was recorded is kept: a.mp4"]


class LeavingSink(FakeSink):
    def close(self) -> None:
        raise SystemExit(3)


def test_one_that_would_end_the_process_has_failed() -> None:
    sink = LeavingSink()
    assert [type(error) for error in close_all([sink])] == [SystemExit]
    assert sink.end == "aborted"


class Unclosable(FakeSource):
    def close(self) -> None:
        super().close()
        raise SourceError("the driver failed")


def test_a_source_that_cannot_be_closed_costs_no_recording() -> None:
    sink = FakeSink()
    pipeline = Pipeline(Unclosable(None, live=True), slow_matting(0.001), render)
    threading.Timer(0.2, pipeline.stop).start()
    with pytest.raises(SourceError, match="the driver failed"):
        pipeline.run([sink])
    assert sink.end == "closed"


def hanging_run(*, live: bool, ended: threading.Event) -> Pipeline[Matte]:
    def matting(frame: CameraFrame) -> Matte:
        if frame.number == 20:
            ended.wait(30)
        return Matte(frame.number, np.zeros((2, 3), np.float32))

    return Pipeline(FakeSource(None, live=live), matting, render, give_up_s=0.5)


@pytest.mark.parametrize("live", [True, False])
def test_a_stage_that_hangs_is_waited_for_no_longer_than_so_after_a_stop(
    monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    monkeypatch.setattr(pipelines, "STOP_LIMIT_S", 0.3)
    for hurry in (False, True):
        ended, sink = threading.Event(), FakeSink()
        pipeline = hanging_run(live=False, ended=ended)
        pipeline._source.live = live
        started_s = time.monotonic()
        threading.Timer(0.3, pipeline.stop).start()
        if hurry:
            threading.Timer(0.4, pipeline.stop).start()
        assert pipeline.run([sink]).frames == len(sink.frames) == 20
        assert time.monotonic() - started_s < (1.5 if hurry else 3)
        assert sink.end == "closed"
        ended.set()


def test_a_signal_ends_a_status_that_waits_for_its_terminal() -> None:
    sink = FakeSink()
    pipeline = Pipeline(FakeSource(None, live=True), slow_matting(0.001), render)
    called: list[bool] = []

    def tick(summary: object) -> None:
        if not called and len(sink.frames) > 5:
            called.append(True)
            called.append(pipeline.interrupt())  # as a signal's handler does, in the middle of it
            raise AssertionError("it went on")

    assert pipeline.run([sink], tick).frames > 5
    assert (called, sink.end) == ([True], "closed")
    assert not pipeline.interrupt()  # it is over: whoever is asked to stop now may be interrupted


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_cameras_recording_that_cannot_be_finished_is_kept_as_far_as_it_plays(tmp_path: Path, suffix: str) -> None:
    for keep in (True, False):
        path = tmp_path / f"{keep}{suffix}"
        sink = VideoSink(str(path), size_wh=(64, 48), fps=25, job=Job(keep=keep))
        for number in range(200):
            bgr = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
            sink.write(shown(number, bgr, number / 25))
        sink._file._file = FullDisk(sink._file._file)  # type: ignore[union-attr, assignment]
        with pytest.raises(SinkError, match=r"No space left.*free some space") as caught:
            sink.close()
        assert path.exists() == keep
        assert (f"{path} plays except for its last seconds" in str(caught.value)) == keep
        assert sink.kept == (str(path) if keep else "")
        sink.abort()
    assert len(read_clip(tmp_path / f"True{suffix}")) > 100
    assert [entry.name for entry in tmp_path.iterdir()] == [f"True{suffix}"]


class WaitingCamera(FakeSource):
    """One that is unplugged after five frames, and says so, for a second."""

    waits_from_s = 0.0

    def read(self) -> CameraFrame | None:
        if self._number == 5:
            self.waits_from_s = self.waits_from_s or time.monotonic()
            if time.monotonic() - self.waits_from_s < 1:
                time.sleep(0.02)
                raise SourceWaits("the camera is gone; plug it back in")
        return super().read()


def test_a_camera_that_is_waited_for_is_no_run_that_stands_still() -> None:
    sink = FakeSink()
    behind = SafeBackground(Still("blue", np.full((1, 1, 3), 200, np.uint8)), FakeSource.size_wh)
    source = WaitingCamera(10, live=True)
    Pipeline(source, slow_matting(0.001), render, watch=OutputGuard(behind), give_up_s=0.4).run([sink])
    assert (len(sink.frames), sink.end) == (10, "closed")


class FullDisk:
    """A raw file on a disk that is full from now on."""

    def __init__(self, file: object):
        self._file = file

    def write(self, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)
