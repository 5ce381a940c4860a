"""The pipeline: order and pairing at any depth, errors that stop everything, ends that keep what was written."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from shown import File

from bgcam.realtime.errors import BackendError, SinkError, SourceError
from bgcam.realtime.frames import CameraFrame, ComposedFrame, Matte
from bgcam.realtime.picture.composed import compose
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.stats import Summary

SHAPE = (2, 3)


class FakeSource:
    """Frames whose pixels are their number. `live` ones keep the newest of a camera at `camera_fps` only."""

    name, fps, size_wh = "fake", 30.0, (3, 2)
    note, notice = "", ""

    def __init__(
        self, frames: int | None, *, live: bool = False, breaks_at: int | None = None, camera_fps: float = 500
    ):
        self.frames, self.live, self.drops = frames, live, 0
        self.closed = False
        self._breaks_at, self._camera_fps = breaks_at, camera_fps
        self._number, self._shot = 0, -1
        self._start_s = time.monotonic()

    def read(self) -> CameraFrame | None:
        if self._number == self._breaks_at:
            raise SourceError("the camera broke")
        if self.closed or self._number == self.frames:
            return None
        if self.live:
            while self._newest() == self._shot:
                time.sleep(0.0005)
            self.drops += self._newest() - self._shot - 1
            self._shot = self._newest()
        number, self._number = self._number, self._number + 1
        bgr = np.full((*SHAPE, 3), number % 251, np.uint8)
        return CameraFrame(number, bgr, number / 30, time.monotonic())

    def close(self) -> None:
        self.closed = True

    def _newest(self) -> int:
        return int((time.monotonic() - self._start_s) * self._camera_fps)


class FakeSink(File):
    name = "fake"

    def __init__(self, *, fails_at: int | None = None, fails_to_close: bool = False, takes_s: float = 0.0):
        self.frames: list[ComposedFrame] = []
        self.end = ""
        self._fails_at, self._fails_to_close, self._takes_s = fails_at, fails_to_close, takes_s

    def write(self, frame: ComposedFrame) -> None:
        if frame.number == self._fails_at:
            raise SinkError("the disk is full")
        time.sleep(self._takes_s)
        self.frames.append(frame)

    def close(self) -> None:
        if self._fails_to_close:
            raise SinkError("the end cannot be written")
        self.end += "closed"

    def abort(self) -> None:
        self.end += "aborted"


def slow_matting(max_s: float = 0.004) -> Callable[[CameraFrame], Matte]:
    delays = random.Random(1)

    def matting(frame: CameraFrame) -> Matte:
        time.sleep(delays.uniform(0, max_s))
        # alpha says the frame's number too, so that a wrong pair would show in the pixels
        return Matte(frame.number, np.full(SHAPE, (frame.number % 2), np.float32))

    return matting


def render(frame: CameraFrame, matte: Matte) -> ComposedFrame:
    return compose(frame, matte, np.full_like(frame.room_bgr, 255))


def threads_left() -> list[str]:
    # The GPU path's threads for copying are the process's, kept for the next frame, and not a pipeline's.
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("bgcam") and not name.startswith("bgcam-copy")]


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("depth", range(1, 9))
def test_frames_keep_their_order_and_their_own_matte(depth: int, workers: int, live: bool) -> None:
    source, sinks = FakeSource(40, live=live), [FakeSink(), FakeSink()]
    summary = Pipeline(source, slow_matting(), render, depth=depth, workers=workers).run(sinks)
    for sink in sinks:
        assert [frame.number for frame in sink.frames] == list(range(40))
        assert [int(frame.bgr[0, 0, 0]) for frame in sink.frames] == [n if n % 2 else 255 for n in range(40)]
        assert sink.end == "closed"
    assert summary.frames == 40
    assert source.closed
    assert not threads_left()


def test_a_file_is_read_ahead_by_a_bounded_number_of_frames() -> None:
    source, sink = FakeSource(60), FakeSink(takes_s=0.002)
    ahead: list[int] = []

    def watching(frame: CameraFrame) -> Matte:
        ahead.append(frame.number - len(sink.frames))
        return slow_matting(0)(frame)

    Pipeline(source, watching, render, depth=2).run([sink])
    assert len(sink.frames) == 60
    assert max(ahead) <= 9  # 1 worker + 3 queues or hands of 2 + those being drawn and written


def test_a_live_source_drops_at_the_source_so_that_latency_stays_low() -> None:
    source, sink = FakeSource(25, live=True, camera_fps=400), FakeSink()

    def matting(frame: CameraFrame) -> Matte:
        time.sleep(0.01)
        return Matte(frame.number, np.zeros(SHAPE, np.float32))

    summary = Pipeline(source, matting, render, depth=8).run([sink])
    assert source.drops >= 25
    assert summary.drops == source.drops
    assert summary.latency_p50_ms < 80  # a few frames' time of 10 ms, where a full queue would take more


def failing_matting(frame: CameraFrame) -> Matte:
    if frame.number == 5:
        raise BackendError("the model broke")
    return slow_matting(0.001)(frame)


def foreign_matting(frame: CameraFrame) -> Matte:
    return Matte(frame.number - (frame.number == 5), np.zeros(SHAPE, np.float32))


def failing_render(frame: CameraFrame, matte: Matte) -> ComposedFrame:
    if frame.number == 5:
        raise RuntimeError("the picture broke")
    return render(frame, matte)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("matting", "draw", "source_breaks", "sink_fails", "error", "message"),
    [
        (failing_matting, render, None, None, BackendError, "the model broke"),
        (foreign_matting, render, None, None, ValueError, "another frame"),
        (slow_matting(), failing_render, None, None, RuntimeError, "the picture broke"),
        (slow_matting(), render, 5, None, SourceError, "the camera broke"),
        (slow_matting(), render, None, 5, SinkError, "the disk is full"),
    ],
)
def test_an_error_stops_all_and_ends_the_sinks(
    matting: Callable[[CameraFrame], Matte],
    draw: Callable[[CameraFrame, Matte], ComposedFrame],
    source_breaks: int | None,
    sink_fails: int | None,
    error: type[Exception],
    message: str,
    live: bool,
) -> None:
    source = FakeSource(None, live=live, breaks_at=source_breaks)
    sinks = [FakeSink(), FakeSink(fails_at=sink_fails)]
    started_s = time.monotonic()
    with pytest.raises(error, match=message):
        Pipeline(source, matting, draw, depth=3, workers=2).run(sinks)
    assert time.monotonic() - started_s < 2
    # A file is made again; a camera's frames are not.
    assert [sink.end for sink in sinks] == ["closed" if live and sinks[0].frames else "aborted"] * 2
    for sink in sinks:  # and nothing but composed frames was ever sent: even numbers show no camera pixel
        assert all(number % 2 or (frame.bgr == 255).all() for number, frame in enumerate(sink.frames))
        assert len(sink.frames) <= 6
    assert source.closed
    deadline_s = time.monotonic() + 2
    while threads_left() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not threads_left()


@pytest.mark.parametrize("live", [False, True])
def test_stop_keeps_what_was_recorded(live: bool) -> None:
    source, sink = FakeSource(None, live=live), FakeSink()
    pipeline = Pipeline(source, slow_matting(0.001), render)
    threading.Timer(0.15, pipeline.stop).start()
    summary = pipeline.run([sink])
    assert sink.end == "closed"
    assert summary.frames == len(sink.frames) > 3
    assert [frame.number for frame in sink.frames] == list(range(len(sink.frames)))


def test_stop_ends_even_when_the_camera_hangs() -> None:
    class Hanging(FakeSource):
        def read(self) -> CameraFrame | None:
            while not self.closed:
                time.sleep(0.005)
            raise SourceError("closed while reading")

    sink = FakeSink()
    pipeline = Pipeline(Hanging(None, live=True), slow_matting(), render)
    pipeline.stop()
    assert pipeline.run([sink]).frames == 0
    assert sink.end == "aborted"


def test_a_sink_that_cannot_be_closed_is_aborted_and_the_others_are_whole() -> None:
    sinks = [FakeSink(), FakeSink(fails_to_close=True), FakeSink()]
    with pytest.raises(SinkError, match="the end cannot be written"):
        Pipeline(FakeSource(3), slow_matting(), render).run(sinks)
    assert [sink.end for sink in sinks] == ["closed", "aborted", "closed"]


@pytest.mark.parametrize("live", [False, True])
def test_an_interrupt_in_the_callers_thread_aborts_all_but_a_cameras_recording(live: bool) -> None:
    sink = FakeSink()

    def tick(summary: object) -> None:
        if sink.frames:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Pipeline(FakeSource(None, live=live), slow_matting(), render).run([sink], tick)
    assert sink.end == ("closed" if live else "aborted")


def test_the_summary_counts() -> None:
    pipeline = Pipeline(FakeSource(30), slow_matting(), render)
    summary = pipeline.run([FakeSink()])
    assert summary.fps > 0
    assert 0 < summary.latency_p50_ms <= summary.latency_p95_ms < 1000
    assert {name: len(times) for name, times in pipeline.stats.stage_times_ms().items()} == dict.fromkeys(
        ("read", "matte", "picture", "sinks"), 30
    )
    assert str(summary).startswith("30 frames, ")
    assert str(summary).endswith(" ms, 0 dropped")


def test_a_single_frame_has_no_rate() -> None:
    summary = Summary(frames=1, fps=0.0, recent_fps=0.0, drops=0, latencies_ms=[21.0])
    assert str(summary) == "1 frame, latency 21 ms, 0 dropped"


def test_an_empty_source_gives_an_empty_summary_and_no_output() -> None:
    sink = FakeSink()
    assert str(Pipeline(FakeSource(0), slow_matting(), render).run([sink])) == (
        "0 frames, 0.0 fps, latency p95 0 ms, 0 dropped"
    )
    assert sink.end == "aborted"


@pytest.mark.parametrize(("depth", "workers"), [(0, 1), (1, 0)])
def test_depth_and_workers_begin_at_one(depth: int, workers: int) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        Pipeline(FakeSource(1), slow_matting(), render, depth=depth, workers=workers)


def test_a_matte_that_is_under_way_when_a_run_fails_has_ended_with_it() -> None:
    begun = threading.Event()

    class Breaks:
        name, size_wh, fps, live, drops, frames = "breaks", (4, 4), 30.0, False, 0, None
        note, notice = "", ""
        number = -1

        def read(self) -> CameraFrame:
            self.number += 1
            if self.number:
                assert begun.wait(5)
                raise SourceError("the video ends early")
            return CameraFrame(0, np.zeros((4, 4, 3), np.uint8), 0.0, 0.0)

        def close(self) -> None:
            pass

    def slow(frame: CameraFrame) -> Matte:
        begun.set()
        time.sleep(0.3)
        return Matte(frame.number, np.zeros((4, 4), np.float32))

    def never(frame: CameraFrame, matte: Matte) -> ComposedFrame:
        raise AssertionError("a frame was composed")

    with pytest.raises(SourceError, match="ends early"):
        Pipeline(Breaks(), slow, never).run([])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bgcam-matte")]


@pytest.mark.parametrize(("live", "workers", "same"), [(True, 1, True), (True, 2, False), (False, 1, False)])
def test_a_cameras_frames_are_matted_by_the_thread_that_reads_them(live: bool, workers: int, same: bool) -> None:
    reads: set[int] = set()
    mattes: set[int] = set()

    class Noted(FakeSource):
        def read(self) -> CameraFrame | None:
            reads.add(threading.get_ident())
            return super().read()

    def matting(frame: CameraFrame) -> Matte:
        mattes.add(threading.get_ident())
        return Matte(frame.number, np.zeros(SHAPE, np.float32))

    sink = FakeSink()
    Pipeline(Noted(5, live=live), matting, render, workers=workers).run([sink])
    assert len(sink.frames) == 5
    assert (mattes == reads) is same
