"""`--on-demand`: who counts as a viewer, when the camera goes on and off, and a whole run with a fake camera."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.command import cli
from bgcam.realtime.devices.users import Holder, Holders
from bgcam.realtime.devices.viewers import OpenViewers, Viewers
from bgcam.realtime.errors import SourceError, SourceWaits, UsageError
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.picture.composed import composed
from bgcam.realtime.run.on_demand import Demand, OnDemand, check_on_demand
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.sources.reopening import ReopeningSource

NONE, OPEN, STREAMING = Viewers

# ---- the rule


def played(seen, *, step_s=0.1):
    """The seconds at which the camera goes on and off, for (from second, viewers) steps."""
    demand, changes = Demand(), []
    end_s = seen[-1][0] + 10
    for at in range(round(end_s / step_s)):
        now_s = at * step_s
        was = demand.on
        viewers = [viewers for from_s, viewers in seen if from_s <= now_s + 1e-9][-1]
        if demand(viewers, now_s) is not was:
            changes.append(round(now_s, 1))
    return changes


@pytest.mark.parametrize(
    ("seen", "changes"),
    [
        ([(0, NONE)], []),
        ([(0, STREAMING), (5, NONE)], [0, 6.9]),
        ([(0, NONE), (1, STREAMING), (5, NONE)], [1, 6.9]),
        # A browser asks all cameras for their names.
        ([(0, NONE), (1, OPEN), (1.9, NONE), (3, OPEN), (3.9, NONE)], []),
        # One that reads without streaming, or may not be looked at.
        ([(0, NONE), (1, OPEN), (8, NONE)], [2, 9.9]),
        ([(0, NONE), (1, OPEN), (1.4, STREAMING), (8, NONE)], [1.4, 9.9]),
        # A call that changes its picture's size, and one whose program keeps the device open.
        ([(0, NONE), (1, STREAMING), (3, NONE), (4.5, STREAMING), (6, NONE)], [1, 7.9]),
        ([(0, NONE), (1, STREAMING), (3, OPEN), (9, NONE)], [1, 10.9]),
        # Probes while the camera runs on do not keep it running.
        ([(0, STREAMING), (1, NONE), (2, OPEN), (2.1, NONE)], [0, 4.0]),
    ],
)
def test_the_camera_goes_on_for_viewers_and_not_for_probes(seen, changes):
    assert played(seen) == pytest.approx(changes, abs=0.11)


# ---- who reads a driver without the event


class FakeModule:
    def __init__(self, tmp_path):
        self.folder, self.now_s, self.searches = tmp_path, 0.0, 0
        self.holders = Holders()
        self.uses("1")
        self.seen_open = 1  # ourselves
        (tmp_path / "nodes" / "video8").mkdir(parents=True)
        self.viewers = OpenViewers(
            "/dev/video10",
            module=tmp_path,
            nodes=tmp_path / "nodes",
            look=self.look,
            count_seen=self.count_seen,
            clock=lambda: self.now_s,
        )

    def uses(self, text):
        (self.folder / "refcnt").write_text(text)

    def look(self, path):
        assert path == "/dev/video10"
        self.searches += 1
        return self.holders

    def count_seen(self, paths):
        assert sorted(paths) == ["/dev/video10", "/dev/video8"]
        return self.seen_open

    def after(self, seconds):
        self.now_s += seconds
        return self.viewers()


def test_while_only_we_have_it_open_nobody_is_searched_for(tmp_path):
    module = FakeModule(tmp_path)
    assert [module.after(0.3) for _ in range(50)] == [NONE] * 50
    assert module.searches == 0


def test_who_maps_the_buffers_streams(tmp_path):
    module = FakeModule(tmp_path)
    assert module.after(1) is NONE
    module.uses("2")
    module.holders = Holders((Holder(7, "firefox"),))
    assert module.after(0.1) is NONE  # looked at five times a second
    assert module.after(0.2) is OPEN
    module.holders = Holders((Holder(7, "firefox", maps=True),))
    assert module.after(0.3) is OPEN
    assert module.after(0.3) is STREAMING
    searches = module.searches
    assert module.after(0.3) is STREAMING
    assert module.searches == searches
    module.uses("1")
    assert module.after(0.3) is NONE


def test_one_that_may_not_be_looked_at_has_it_open_and_other_devices_do_not_count(tmp_path):
    module = FakeModule(tmp_path)
    module.uses("2")
    module.holders = Holders((), unseen=True)
    assert module.after(1) is OPEN
    module.seen_open = 2  # the other loopback, by a program that may be looked at
    assert module.after(1) is NONE
    module.uses("3")
    assert module.after(1) is OPEN
    module.holders = Holders((), unseen=False)
    assert module.after(1) is NONE


def test_without_the_use_count_proc_alone_decides(tmp_path):
    module = FakeModule(tmp_path)
    (tmp_path / "refcnt").unlink()
    module.holders = Holders((), unseen=True)
    assert module.after(1) is NONE
    module.holders = Holders((Holder(7, "zoom", maps=True),), unseen=True)
    assert module.after(0.6) is STREAMING


# ---- the option


def test_the_option_is_refused_where_it_makes_no_sense(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    check_on_demand(None, ["web", "virtual:bgcam"])
    with pytest.raises(UsageError, match="add --output virtual"):
        check_on_demand(None, ["web", "out.mp4"])
    with pytest.raises(UsageError, match=r"--on-demand needs a camera, but --input a\.mp4 is given"):
        check_on_demand(["a.mp4"], ["virtual"])
    check_on_demand(["rtsp://camera/1"], ["virtual"])  # a network camera can be let go as well
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(UsageError, match="only on Linux"):
        check_on_demand(None, ["virtual"])


def test_the_command_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "linux")
    assert cli.main(["--on-demand", "--background", "green", "--output", "null"]) == 2
    assert capsys.readouterr().err == (
        "bgcam: --on-demand depends on who watches the virtual camera; add --output virtual\n"
    )


def test_one_viewer_of_any_sink_is_enough():
    now_s = 0.0
    sinks = [SimpleNamespace(viewers=lambda: NONE), SimpleNamespace(viewers=lambda: STREAMING)]
    assert OnDemand(lambda: sinks, clock=lambda: now_s)()
    assert not OnDemand(lambda: sinks[:1], clock=lambda: now_s)()


def test_before_there_are_outputs_the_camera_runs_so_that_its_first_picture_tells_their_size():
    assert OnDemand(list)()


# ---- a whole run

SIZE_WH = (16, 8)


class FakeCamera:
    """A frame every 10 ms while it is open. lit: how many are open, as its light would show."""

    name, size_wh, fps, live, drops, frames = "cam", SIZE_WH, 100.0, True, 0, None
    note, notice = "", ""
    lit = 0

    def __init__(self):
        FakeCamera.lit += 1
        self._closed = threading.Event()
        self._number = 0

    def read(self):
        if self._closed.wait(0.01):
            return None
        self._number += 1
        return CameraFrame(self._number - 1, np.full((8, 16, 3), 200, np.uint8), 0.0, time.monotonic())

    def close(self):
        if not self._closed.is_set():
            FakeCamera.lit -= 1
        self._closed.set()


class WatchedSink:
    name, live, notice = "virtual", True, ""

    def __init__(self):
        self.seen, self.got = Viewers.NONE, []

    def viewers(self):
        return self.seen

    def write(self, frame: ComposedFrame) -> None:
        self.got.append((time.monotonic(), bool(frame.bgr.max() > 100)))

    def close(self):
        pass

    abort = close


def until(condition, limit_s=5.0):
    begun_s = time.monotonic()
    while not condition():
        assert time.monotonic() - begun_s < limit_s, "waited in vain"
        time.sleep(0.005)
    return time.monotonic() - begun_s


@pytest.fixture
def run():
    FakeCamera.lit = 0
    sink = WatchedSink()
    wanted = OnDemand(lambda: [sink], demand=Demand(linger_s=0.3))
    source = ReopeningSource(FakeCamera(), FakeCamera, wanted=wanted)
    behind = SafeBackground(Still("dark", np.zeros((1, 1, 3), np.uint8)), SIZE_WH)
    mattes = []

    def render(frame, matte):
        return composed(frame, frame.room_bgr.copy())

    def matting(frame):
        mattes.append(frame.number)
        return CoarseMatte(frame.number, np.ones((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))

    pipeline = Pipeline(source, matting, render, watch=OutputGuard(behind, give_up_s=0.5))
    thread = threading.Thread(target=pipeline.run, args=([sink],))
    thread.start()
    yield SimpleNamespace(sink=sink, pipeline=pipeline, mattes=mattes)
    pipeline.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert FakeCamera.lit == 0


def shows_picture(run):
    return run.sink.got[-1][1]


def test_camera_and_network_run_only_while_somebody_watches(run):
    until(lambda: run.pipeline.notice() == "background only: waiting for a viewer")
    assert until(lambda: FakeCamera.lit == 0) < 1
    begun_s, mattes = time.monotonic(), len(run.mattes)
    time.sleep(1.0)  # longer than a run goes on without a picture otherwise
    assert len(run.mattes) == mattes
    times = [at_s for at_s, _ in run.sink.got if at_s > begun_s]
    assert not any(picture for at_s, picture in run.sink.got if at_s > begun_s)
    assert max(np.diff(times)) < 1  # who begins to watch finds a picture, and Chrome does not give up
    run.sink.seen = STREAMING
    assert until(lambda: shows_picture(run)) < 1
    assert FakeCamera.lit == 1
    assert run.pipeline.notice() == ""
    run.sink.seen = NONE
    assert until(lambda: FakeCamera.lit == 0) < 1.3  # it ran on for 0.3 s
    until(lambda: not shows_picture(run))
    run.sink.seen = STREAMING
    until(lambda: shows_picture(run))


def test_a_camera_that_is_busy_when_a_viewer_comes_is_waited_for(run, monkeypatch):
    until(lambda: FakeCamera.lit == 0)
    source = run.pipeline._source

    def busy():
        raise SourceError("cam: cannot be opened; zoom (pid 7) has it open: close that program")

    source._again = busy
    run.sink.seen = STREAMING
    until(lambda: "zoom (pid 7) has it open" in run.pipeline.notice())
    source._again = FakeCamera
    until(lambda: shows_picture(run))


def test_stop_ends_the_wait_at_once(run):
    until(lambda: FakeCamera.lit == 0)
    begun_s = time.monotonic()
    run.pipeline.stop()
    until(lambda: not any(thread.name == "bgcam-read" for thread in threading.enumerate()))
    assert time.monotonic() - begun_s < 1


def test_the_placeholder_is_called_for_before_the_camera_is_off_and_without_a_pause(monkeypatch):
    """Who comes meanwhile would see the last picture of before."""
    FakeCamera.lit = 0
    wanted = [False]
    source = ReopeningSource(FakeCamera(), FakeCamera, wanted=lambda: wanted[0])
    paused = []
    monkeypatch.setattr(source._closed, "wait", paused.append)
    for _ in range(2):
        wanted[0] = False
        for lit, pauses in ((1, 0), (0, 0), (0, 1)):
            with pytest.raises(SourceWaits, match="waiting for a viewer"):
                source.read()
            assert (FakeCamera.lit, len(paused)) == (lit, pauses)
        wanted[0] = True
        assert source.read() is not None
        assert FakeCamera.lit == 1
        paused.clear()
    source.close()


def test_read_after_close_is_the_end():
    source = ReopeningSource(FakeCamera(), FakeCamera, wanted=lambda: False)
    with pytest.raises(SourceWaits, match="waiting for a viewer"):
        source.read()
    source.close()
    assert source.read() is None
