"""A camera that comes and goes in the middle of a run: what is shown, how often it is tried, and how it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from faults import Injector, LookingSink, SecretCamera, make_run, room
from shown import shown as composed_frame
from waiting import wait_for

from bgcam.realtime.backoff import Backoff
from bgcam.realtime.errors import SourceError, SourceWaits
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.run.stopping import stop_on_signal
from bgcam.realtime.sources.reopening import ReopeningSource

GIVE_UP_S = 0.4


class Port:
    """Where a camera can be plugged in. opened: how often it was."""

    def __init__(self, size_wh=None):
        self.plugged, self.opened, self.size_wh = True, 0, size_wh

    def open(self):
        if not self.plugged:
            raise SourceError("cam: it is gone; plug it back in")
        self.opened += 1
        return PluggedCamera(self)


class PluggedCamera(SecretCamera):
    def __init__(self, port):
        super().__init__(Injector(), fps=200)
        self.port, self.closed = port, False
        self.name = f"cam {port.opened}"

    def read(self):
        if self.closed:
            return None
        if not self.port.plugged:
            raise SourceError(
                f"{self.name}: the camera stopped giving frames (unplugged?); unplug it and plug it back in"
            )
        return super().read()

    def close(self):
        self.closed = True


class Run:
    """A pipeline in a thread, its camera behind a port."""

    def __init__(self, *, live=True):
        self.port, self.sink = Port(), LookingSink(live=live)
        self.pipeline = make_run(Injector(), give_up_s=GIVE_UP_S)
        self.pipeline._source = ReopeningSource(self.port.open(), self.port.open)
        self.error = None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            self.pipeline.run([self.sink])
        except Exception as error:
            self.error = error

    def pictures(self):
        return sum(not placeholder for _, placeholder in self.sink.got)


@pytest.fixture(params=[True, False], ids=["watched", "recorded"])
def run(request):
    run = Run(live=request.param)
    run.thread.start()
    wait_for(lambda: run.pictures() > 3)
    yield run
    run.pipeline.stop()
    run.thread.join(5)
    assert not run.thread.is_alive()


def test_an_unplugged_camera_is_waited_for_longer_than_any_other_fault(run):
    run.port.plugged = False
    wait_for(lambda: "plug it back in (tried 2 times)" in run.pipeline.notice())
    time.sleep(2 * GIVE_UP_S)
    assert run.thread.is_alive()
    assert run.pipeline.notice().startswith("background only: " if run.sink.live else "cam: ")
    if run.sink.live:
        assert run.sink.got[-1][1]
    seen = run.pictures()
    run.port.plugged = True
    wait_for(lambda: run.pictures() > seen + 3)
    assert run.pipeline.notice() == ""
    run.pipeline.stop()
    run.thread.join(5)
    assert (run.error, run.sink.end, run.port.opened) == (None, "closed", 2)
    assert not run.sink.leaks


def test_a_signal_ends_the_wait_at_once(run):
    run.port.plugged = False
    wait_for(lambda: "it is gone" in run.pipeline.notice())
    with stop_on_signal(run.pipeline.stop):
        begun_s = time.monotonic()
        os.kill(os.getpid(), signal.SIGHUP if hasattr(signal, "SIGHUP") else signal.SIGINT)
        run.thread.join(5)
    assert time.monotonic() - begun_s < 1.5
    assert (run.error, run.sink.end) == (None, "closed")


def test_a_camera_that_cannot_be_told_from_others_is_not_waited_for():
    port = Port()
    source = ReopeningSource(port.open(), None)
    port.plugged = False
    with pytest.raises(SourceError, match="unplugged") as caught:
        source.read()
    assert not isinstance(caught.value, SourceWaits)


def test_tries_back_off_and_begin_anew_after_a_success():
    now_s, tried = 0.0, []
    backoff = Backoff(first_s=0.25, longest_s=2, clock=lambda: now_s)
    for at in range(1000):
        now_s = at / 100
        if backoff.due:
            tried.append(now_s)
            backoff.failed()
    gaps = np.diff(tried)
    assert gaps[0] == pytest.approx(0.25, abs=0.011)
    assert (np.diff(gaps) >= -0.011).all()
    assert max(gaps) == pytest.approx(2, abs=0.011)
    backoff.succeeded()
    assert (backoff.due, backoff.tries) == (True, 0)


def test_a_camera_that_fails_right_after_each_opening_is_not_opened_without_end():
    port = Port()

    def open_broken():
        camera = port.open()
        camera.read = lambda: (_ for _ in ()).throw(SourceError("cam: no picture"))
        return camera

    source = ReopeningSource(port.open(), open_broken)
    source._camera.read = open_broken().read
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < 0.6:
        with pytest.raises(SourceWaits, match="no picture"):
            source.read()
    assert port.opened <= 2 + 2


def test_who_comes_to_watch_does_not_wait_for_the_next_try():
    port = Port()
    wanted = [True]
    backoff = Backoff(first_s=60, longest_s=60)
    source = ReopeningSource(port.open(), port.open, backoff=backoff, wanted=lambda: wanted[0])
    port.plugged = False
    with pytest.raises(SourceWaits, match=r"gone|unplugged"):
        source.read()
    port.plugged = True
    wanted[0] = False
    with pytest.raises(SourceWaits, match="viewer"):
        source.read()
    wanted[0] = True
    assert source.read() is not None
    source.close()


@pytest.mark.parametrize("size_wh", [(64, 32), (32, 16), (40, 40), (31, 7), (200, 100)])
def test_another_size_after_opening_again_is_cut_to_the_first(size_wh):
    class Sized(PluggedCamera):
        def read(self):
            width, height = size_wh
            bgr = np.zeros((height, width, 3), np.uint8)
            bgr[:, : width // 2] = 255
            return CameraFrame(7, bgr, 0.0, time.monotonic())

    port = Port()
    source = ReopeningSource(port.open(), lambda: Sized(port))
    first = source.read()
    source._let_go()
    frame = source.read()
    assert (frame.number, frame.size_wh) == (1, first.size_wh)
    assert frame.room_bgr.flags.c_contiguous
    assert frame.room_bgr[:, : 64 // 2 - 3].min() > 250  # the middle stays in the middle
    assert frame.room_bgr[:, 64 // 2 + 3 :].max() < 5
    assert frame.time_s >= first.time_s


def test_dropped_frames_add_up_over_all_openings():
    port = Port()
    source = ReopeningSource(port.open(), port.open)
    source._camera.drops = 3
    source.read()
    source._let_go()
    source._open().drops = 4
    source.read()
    assert source.drops == 7


def test_a_machine_that_slept_or_a_stopped_process_does_not_end_the_run(monkeypatch):
    """The clock jumps by an hour between two looks, as after a suspend or Ctrl-Z and `fg`."""
    ahead_s, real = 0.0, time.monotonic
    watch = OutputGuard(Placeholders(), give_up_s=0.5)
    failed = []
    monkeypatch.setattr("bgcam.realtime.failsafe.output_guard.time.monotonic", lambda: real() + ahead_s)
    watch.begin([LookingSink()], on_failure=failed.append)
    try:
        wait_for(lambda: watch._thread.is_alive())
        news = watch._news

        class Jumps:
            """The queue that the watching thread sleeps on."""

            def get(self, timeout):
                nonlocal ahead_s
                try:
                    news.get(timeout=timeout)
                finally:
                    ahead_s = 3600.0

            get_nowait, put = news.get_nowait, news.put

        watch._news = Jumps()  # type: ignore[assignment]
        wait_for(lambda: ahead_s > 0)
        time.sleep(0.1)
        assert failed == []
        time.sleep(0.6)
        assert failed  # and from then on it counts again
    finally:
        watch.end()


@pytest.mark.parametrize("error", [SourceWaits("gone"), SourceError("gone")])
def test_a_picture_that_was_on_its_way_when_its_camera_went_does_not_follow_the_placeholder(error):
    """A viewer would see it flash up; a file keeps every frame."""
    shown, kept = [], []
    live = SimpleNamespace(live=True, notice="", write=lambda frame: shown.append(int(frame.bgr.max())))
    file = SimpleNamespace(live=False, notice="", write=lambda frame: kept.append(int(frame.bgr.max())))
    watch = OutputGuard(Placeholders())
    watch.begin([live, file], on_failure=lambda error: None)
    try:
        before, later = (composed_frame(n, np.full_like(room(0), 9), 0.0, time.monotonic() + n) for n in range(2))
        watch.write(before, None)
        assert shown[-1] == 9
        watch.trouble(error)
        assert shown[-1] == 0
        seen = len(shown)
        watch.write(before, None)
        wait_for(lambda: len(shown) > seen + 1)
        assert set(shown[seen:]) == {0}
        assert watch.notice == "background only: gone"
        watch.write(later, None)
        assert (shown[-1], watch.notice) == (9, "")
    finally:
        watch.end()
    assert kept == [9, 9, 9]


def test_no_output_gets_a_picture_whose_camera_went_while_another_was_written_to():
    shown, slow = [], threading.Event()

    def write_slowly(frame):
        if frame.bgr.max() and not slow.is_set():
            watch.trouble(SourceWaits("gone"))
            slow.set()

    first = SimpleNamespace(live=True, notice="", write=write_slowly)
    second = SimpleNamespace(live=True, notice="", write=lambda frame: shown.append(int(frame.bgr.max())))
    watch = OutputGuard(Placeholders())
    watch.begin([first, second], on_failure=lambda error: None)
    try:
        watch.write(composed_frame(0, np.full_like(room(0), 9), 0.0, time.monotonic()), None)
        assert slow.is_set()
        assert set(shown) == {0}
        assert watch.notice == "background only: gone"
    finally:
        watch.end()


def test_pictures_of_before_do_not_keep_a_run_alive():
    failed = []
    watch = OutputGuard(Placeholders(), give_up_s=0.2)
    watch.begin([LookingSink()], on_failure=failed.append)
    try:
        before = composed_frame(0, room(0), 0.0, time.monotonic())
        watch.trouble(SourceError("broken"))
        end_s = time.monotonic() + 5
        while not failed:
            assert time.monotonic() < end_s
            watch.write(before, None)
            time.sleep(0.01)
        assert str(failed[0]) == "broken"
    finally:
        watch.end()


class Placeholders:
    def placeholder(self, number, *, time_s=0.0, captured_s=0.0):
        return composed_frame(number, np.zeros_like(room(0)), time_s, captured_s)
