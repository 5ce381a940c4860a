"""Another camera in the middle of a call: the size stays, the placeholder is shown between the two, no room is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults import SIZE_WH, room
from live_run import LEVELS, LiveRun
from waiting import wait_for

from bgcam.realtime import time_limit
from bgcam.realtime.control.camera_switch import OPEN_S, CameraSwitch
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.control.protocol import ConfirmationNeeded
from bgcam.realtime.errors import BackgroundError, SourceError, SourceWaits, UsageError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.settings import Settings
from bgcam.realtime.sources.reopening import CHANGING, ReopeningSource


class Camera:
    """Frames of its own size, as long as it is open. hangs: `read` returns only when it is closed."""

    live, frames, note, notice, fps = True, None, "", "", 300.0

    def __init__(self, name: str, *, size_wh: tuple[int, int] = SIZE_WH, hangs: bool = False):
        self.name, self.size_wh, self.drops = name, size_wh, 2
        self._hangs, self._number = hangs, 0
        self.closed = threading.Event()

    def read(self) -> CameraFrame | None:
        if self.closed.wait(5 if self._hangs else 0.003):
            return None
        number, self._number = self._number, self._number + 1
        bgr = np.ascontiguousarray(np.repeat(np.repeat(room(number), 2, axis=0), 2, axis=1))
        bgr = bgr if self.size_wh != SIZE_WH else room(number)
        return CameraFrame(number, bgr, number / 30, time.monotonic())

    def close(self) -> None:
        self.closed.set()


def frames_after(source: ReopeningSource) -> CameraFrame:
    """The next frame, after it was said that the camera changes."""
    with pytest.raises(SourceWaits, match=CHANGING):
        source.read()
    frame = source.read()
    assert frame is not None
    return frame


def test_the_other_camera_goes_on_with_the_numbers_and_the_size_of_the_first() -> None:
    first, other = Camera("first"), Camera("other", size_wh=(128, 64))
    source = ReopeningSource(first, None)
    assert source.read() is not None
    source.replace(other, None)
    frame = frames_after(source)
    assert (frame.number, frame.size_wh, source.name) == (1, SIZE_WH, "other")
    assert first.closed.wait(2)
    assert source.drops == 2 + 2
    source.close()
    assert other.closed.is_set()


def test_a_camera_that_hangs_or_is_gone_can_be_left() -> None:
    hanging = Camera("hanging", hangs=True)
    source = ReopeningSource(hanging, None)
    threading.Timer(0.1, source.replace, (Camera("other"), None)).start()
    assert frames_after(source).number == 0  # the end of the one that was closed is not the end
    source._camera.read = broken("it is gone")  # type: ignore[union-attr,method-assign]
    source._again = broken("it is gone")
    with pytest.raises(SourceWaits, match="it is gone"):
        source.read()
    source.replace(Camera("third"), None)
    assert frames_after(source).number == 1
    source.close()


def broken(why: str) -> Callable[[], Any]:
    def fails() -> Any:
        raise SourceError(why)

    return fails


def test_a_camera_that_comes_after_the_end_is_closed() -> None:
    source, other = ReopeningSource(Camera("first"), None), Camera("other")
    source.close()
    source.replace(other, None)
    assert other.closed.is_set()
    assert source.read() is None


class Switched:
    """A run with a camera that can be changed."""

    def __init__(self) -> None:
        self.run = LiveRun()
        self.first = Camera("first")
        self.source = ReopeningSource(self.first, None)
        self.run.pipeline._source = self.source
        self.opened: list[Camera] = []
        self.hangs = threading.Event()
        self.control = LiveControl(
            self.run.run,
            self.source,
            Settings(camera="first", background="blue"),
            cameras=CameraSwitch(self.source, self.open_other),
            keep_choice=lambda background: None,
        )

    def open_other(self, name: str) -> tuple[Any, None]:
        if name == "hangs":
            self.hangs.wait(5)
        if name == "busy":
            raise SourceError("busy: cannot be opened; zoom has it open")
        self.opened.append(Camera(name, size_wh=(128, 64)))
        return self.opened[-1], None


def test_the_placeholder_stands_between_two_cameras_and_a_failure_changes_nothing() -> None:
    switched = Switched()
    control, run = switched.control, switched.run
    with run:
        for name, error, message in (
            ("busy", SourceError, "zoom has it open"),
            ("hangs", SourceError, r"did not open within 0\.2 s"),
            ("", UsageError, "camera cannot change in this run"),
        ):
            control._cameras = CameraSwitch(
                switched.source, switched.open_other, open_s=0.2 if name == "hangs" else OPEN_S
            )
            with pytest.raises(error, match=message):
                control.change({"camera": name, "background": "navy"})
        control._cameras = CameraSwitch(switched.source, switched.open_other)
        for changes, failure in (
            ({"background": "gone"}, BackgroundError),
            ({"background": "none"}, ConfirmationNeeded),
        ):
            with pytest.raises(failure):
                control.change({"camera": "other", **changes})
            assert switched.opened[-1].closed.wait(2)
        switched.hangs.set()
        wait_for(lambda: len(switched.opened) == 3 and all(one.closed.is_set() for one in switched.opened))
        assert control.change({"camera": "first"})["camera"] == "first"  # it is used already
        run.frames()
        assert (control.status().source, run.sink.person) == ("first", True)
        begun = len(run.sink.got)
        assert control.change({"camera": "other", "background": "navy"})["camera"] == "other"
        wait_for(lambda: any(not person for *_, person in run.sink.got[begun:]))
        wait_for(lambda: run.sink.person and run.sink.blue == LEVELS["navy"])
        assert control.status().source == "other"
        assert switched.first.closed.wait(2)
        assert {bgr.shape for bgr in run.sink.pictures} == {(SIZE_WH[1], SIZE_WH[0], 3)}
        assert not run.sink.leaks + run.file.leaks
        assert run.file.numbers == list(range(len(run.file.numbers)))


def test_a_run_without_a_camera_says_so() -> None:
    switched = Switched()
    switched.control._cameras = None
    with switched.run, pytest.raises(UsageError, match="camera cannot change in this run"):
        switched.control.change({"camera": "other"})


def test_who_waits_for_a_result_that_never_comes_gets_the_error_and_the_result_is_dropped() -> None:
    goes_on, dropped = threading.Event(), list[str]()

    def slow() -> str:
        goes_on.wait(5)
        return "late"

    with pytest.raises(SourceError, match="too late"):
        time_limit.within(slow, limit_s=0.05, late=SourceError("too late"), drop=dropped.append)
    goes_on.set()
    wait_for(lambda: dropped == ["late"])
    with pytest.raises(ZeroDivisionError):
        time_limit.within(lambda: 1 // 0, limit_s=5, late=SourceError("too late"))
    assert time_limit.within(lambda: None, limit_s=5, late=SourceError("too late")) is None
