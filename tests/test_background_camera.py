"""A second camera as background: its newest picture, grey where there is none, and never the camera of the call."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Run
from faults import SIZE_WH
from live_run import LiveRun
from waiting import wait_for

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.camera import CameraBackground
from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.command import run as run_command
from bgcam.realtime.command.remote import parse_values
from bgcam.realtime.control import controller
from bgcam.realtime.control.camera_switch import CameraSwitch
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.control.library import Library
from bgcam.realtime.control.own_camera import refuse_own_camera
from bgcam.realtime.devices.listing import Device, find_device
from bgcam.realtime.errors import BackgroundError, SourceError, SourceWaits, UsageError
from bgcam.realtime.failsafe.placeholder import PLAIN_GREY, SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look, Presenter
from bgcam.realtime.settings import Settings
from bgcam.realtime.settings.last_choice import last_background, remember
from bgcam.realtime.sources.reopening import UNWANTED, ReopeningSource

NOBODY = CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
LEVEL = 130


class Desk:
    """A camera that shows one blue. fails: it is lost while that is set; hangs: and silent."""

    name, size_wh, fps, live, frames, drops, note, notice = "desk", (80, 60), 30.0, True, None, 0, "", ""

    def __init__(self, *, size_wh: tuple[int, int] = (80, 60)):
        self.size_wh = size_wh
        self.fails, self.hangs, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.reads = self.released = 0
        self.wanted: Callable[[], bool] = bool

    def open(self, *, in_demand: Callable[[], bool]) -> Desk:
        self.wanted = in_demand
        return self

    def read(self) -> CameraFrame | None:
        if self.closed.wait(0.002):
            return None
        while self.hangs.is_set() and not self.closed.is_set():
            time.sleep(0.002)
        if not self.wanted():
            self.released += 1
            raise SourceWaits(UNWANTED)
        if self.fails.is_set():
            raise SourceWaits("the desk camera is gone")
        self.reads += 1
        width, height = self.size_wh
        bgr = np.full((height, width, 3), (LEVEL, 0, 0), np.uint8)
        return CameraFrame(self.reads, bgr, 0.0, time.monotonic())

    def close(self) -> None:
        self.closed.set()


def opened(desk: Desk, **given: Any) -> CameraBackground:
    return CameraBackground("camera:1", desk.open, **given)


def blue(background: Any) -> int:
    frame = CameraFrame(0, np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8), 0.0, 0.0)
    picture = background.picture(frame, NOBODY)
    assert picture.shape == frame.room_bgr.shape
    assert picture.dtype == np.uint8
    assert not is_camera_memory(picture)
    return int(picture[0, 0, 0])


@pytest.mark.parametrize(
    ("spec", "camera"),
    [
        ("camera:1", "1"),
        ("Camera: Logitech C920", "Logitech C920"),
        ("/dev/video2", "/dev/video2"),
        ("/dev/v4l/by-id/usb-x", "/dev/v4l/by-id/usb-x"),
        ("camera:", ""),
        ("/dev/null", None),
        ("camera.jpg", None),
        ("blur", None),
    ],
)
def test_which_names_are_cameras(spec: str, camera: str | None) -> None:
    assert camera_named(spec) == camera


@pytest.mark.parametrize("size_wh", [(80, 60), SIZE_WH, (31, 77)])
def test_it_shows_what_the_camera_sees_in_memory_of_its_own(size_wh: tuple[int, int]) -> None:
    desk = Desk(size_wh=size_wh)
    background = opened(desk)
    assert (background.name, background.needs_matte, background.same_room) == ("camera:1", True, False)
    assert blue(background) == LEVEL
    background.close()
    background.close()
    assert desk.closed.is_set()
    wait_for(lambda: blue(background) == PLAIN_GREY)


def test_while_it_is_lost_or_silent_it_is_grey_and_nobody_waits() -> None:
    desk = Desk()
    background = opened(desk, silence_s=0.1)
    try:
        wait_for(lambda: blue(background) == LEVEL)
        for trouble in (desk.fails, desk.hangs):
            trouble.set()
            wait_for(lambda: blue(background) == PLAIN_GREY)
            trouble.clear()
            wait_for(lambda: blue(background) == LEVEL)
    finally:
        background.close()


def test_it_is_released_while_nobody_asks_for_its_picture() -> None:
    desk = Desk()
    background = opened(desk, unasked_s=0.1)
    try:
        wait_for(lambda: desk.released > 0)
        blue(background)
        wait_for(lambda: blue(background) == LEVEL)
    finally:
        background.close()


def test_no_placeholder_shows_what_it_sees() -> None:
    background = opened(Desk())
    behind = SafeBackground(background, SIZE_WH)
    behind.check_first()
    assert blue(behind) == LEVEL
    assert (behind.placeholder(0).planes[0] == PLAIN_GREY).all()
    behind.close()


def test_one_that_does_not_answer_in_time_is_refused_and_let_go() -> None:
    desk = Desk()
    desk.hangs.set()
    with pytest.raises(BackgroundError, match=r"background camera:1: it did not answer within 0.05 s; unplug it"):
        opened(desk, open_s=0.05)
    desk.hangs.clear()
    assert desk.closed.wait(5)


def test_one_that_gives_no_picture_is_refused_and_closed() -> None:
    desk = Desk()
    desk.fails.set()
    with pytest.raises(BackgroundError, match="background camera:1: the desk camera is gone"):
        opened(desk)
    assert desk.closed.is_set()
    ended = Desk()
    ended.closed.set()
    with pytest.raises(BackgroundError, match="it gives no picture; choose another"):
        opened(ended)


def test_there_is_no_such_camera() -> None:
    for spec, error in (("camera:", UsageError), ("camera:77", BackgroundError), ("/dev/video777", BackgroundError)):
        with pytest.raises(error, match=f"background '?{spec}") as caught:
            open_background(spec)
        assert "\n" not in str(caught.value)


DEVICES = {name: Device(f"/dev/video{at}", f"cam {at}", at, "uvc") for at, name in enumerate(("0", "1", "2"))}


def find(wanted: str | None) -> Device:
    wanted = (wanted or "0").removeprefix("/dev/video").removeprefix("cam ")
    if wanted not in DEVICES:
        raise SourceError(f"no device matches {wanted!r}")
    return DEVICES[wanted]


@pytest.mark.parametrize(
    ("background", "camera", "in_use", "refused"),
    [
        ("camera:0", None, "", True),
        ("/dev/video0", "cam 0", "", True),
        ("camera:1", "/dev/video1", "", True),
        ("camera:1", None, "", False),
        ("camera:cam 1", "0", "/dev/video1 (cam 1)", True),
        ("camera:1", None, "/dev/video0 (cam 0)", False),
        ("camera:1", "9", "", False),
        ("beach", None, "", False),
        ("camera:", None, "", False),
    ],
)
def test_the_camera_of_the_call_is_never_the_background(
    background: str, camera: str | None, in_use: str, refused: bool
) -> None:
    if not refused:
        refuse_own_camera(background, camera=camera, in_use=in_use, find=find)
        return
    with pytest.raises(UsageError, match=f"background {background} is the camera that looks at you; give another one"):
        refuse_own_camera(background, camera=camera, in_use=in_use, find=find)


USB = "usb-0000:00:14.0-2"
NODES = [
    Device("/dev/video0", "Integrated Camera: Integrated C", 0, "uvcvideo", bus=USB),
    Device("/dev/video2", "Integrated Camera: Integrated I", 2, "uvcvideo", bus=USB),  # infrared
    Device("/dev/video4", "Desk Camera", 4, "uvcvideo", bus="usb-0000:00:14.0-3"),
    Device("/dev/video5", "Input 1", 5, "bttv", bus="PCI:0000:01:00.0"),  # a card with several inputs
    Device("/dev/video6", "Input 2", 6, "bttv", bus="PCI:0000:01:00.0"),
]


def find_node(wanted: str | None) -> Device:
    return find_device(NODES, wanted or "0")


@pytest.mark.parametrize(
    ("background", "camera", "in_use", "refused"),
    [
        ("camera:2", None, "", True),
        ("camera:0", "2", "", True),
        ("/dev/video2", None, str(NODES[0]), True),
        ("camera:0", None, "/dev/video2", True),
        # It was off, and is plugged in elsewhere now; the second time, the desk's camera has its place.
        ("camera:2", None, "/dev/video9 (Integrated Camera: Integrated C)", True),
        ("camera:2", None, "/dev/video4 (Integrated Camera: Integrated C)", True),
        ("camera:4", None, "/dev/video9 (Integrated Camera: Integrated C)", False),
        ("camera:4", None, "", False),
        ("camera:2", None, str(NODES[2]), False),
        ("camera:6", "5", "", False),
    ],
)
def test_the_infrared_picture_of_the_calls_webcam_is_not_the_background(
    background: str, camera: str | None, in_use: str, refused: bool
) -> None:
    if not refused:
        refuse_own_camera(background, camera=camera, in_use=in_use, find=find_node)
        return
    own = NODES[0] if NODES[0].name in in_use else find_node(in_use or camera)
    said = f"background {background} is in the same webcam as {own}, the camera that looks at you; give another one"
    with pytest.raises(UsageError, match=re.escape(said)):
        refuse_own_camera(background, camera=camera, in_use=in_use, find=find_node)


def test_the_calls_camera_is_not_the_background_where_it_was_plugged_in_elsewhere() -> None:
    with pytest.raises(UsageError, match="background camera:0 is the camera that looks at you"):
        refuse_own_camera("camera:0", camera=None, in_use=f"/dev/video9 ({NODES[0].name})", find=find_node)


@pytest.mark.parametrize("path", ["/dev/video0", "/dev/video9"])
def test_the_page_does_not_offer_it(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    call = Call(monkeypatch)
    call.control._list_cameras = lambda: NODES
    call.run.camera.name = f"{path} ({NODES[0].name})"  # type: ignore[misc]
    call.control._cameras.source.name = call.run.camera.name  # type: ignore[union-attr]
    offered = [info.name for info in call.control.backgrounds() if info.kind == "camera"]
    assert offered == ["Desk Camera", "Input 1", "Input 2"]


def test_a_background_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(BackgroundError, match="background camera:7: no device matches '7'"):
        refuse_own_camera("camera:7", camera=None, find=find)


def test_at_the_start_it_is_refused_before_anything_is_opened(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(background: str, **given: Any) -> None:
        refuse_own_camera(background, **given, find=find)

    monkeypatch.setattr(run_command, "refuse_own_camera", refuse)
    code, _, err = bgcam("--background", "camera:0", "--output", "null")
    assert code == 2
    assert err == "bgcam: background camera:0 is the camera that looks at you; give another one, see bgcam devices\n"


class Call:
    """A run with a camera that can be changed, and a second one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = Desk()
        self.run = LiveRun(begins_with="navy", real=self.open_one, look=Look(crossfade_s=5))
        self.run.camera.name = "/dev/video0 (cam 0)"  # type: ignore[misc]
        source = ReopeningSource(self.run.camera, None)
        monkeypatch.setattr(
            controller, "refuse_own_camera", lambda *given, **more: refuse_own_camera(*given, **more, find=find)
        )
        self.control = LiveControl(
            self.run.run,
            source,
            Settings(background="navy", crossfade_s=5),
            library=Library(folder=lambda: Path("/nowhere")),
            cameras=CameraSwitch(source, self.open_other),
            list_cameras=lambda: [*DEVICES.values()],
            keep_choice=lambda background: None,
        )

    def open_one(self, name: str) -> Any:
        return opened(self.desk, silence_s=0.1) if name.startswith("camera:") else open_background(name)

    def open_other(self, name: str) -> Any:
        raise AssertionError("it must not be opened")


def test_in_a_call_it_comes_and_goes_without_a_fade_and_the_placeholder_is_grey(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = Call(monkeypatch)
    with call.run as run:
        with pytest.raises(UsageError, match="looks at you"):
            call.control.change({"background": "camera:0"})
        assert call.control.values()["background"] == "navy"
        call.control.change({"background": "camera:1"})
        wait_for(lambda: run.sink.blue == LEVEL and run.sink.person)
        with pytest.raises(UsageError, match="looks at you"):
            call.control.change({"camera": "1"})
        call.control.change({"presenter": "bottom-right"})
        assert run.live.scene.look.presenter == Presenter(1, 1, 0.35)
        for trouble in (call.desk.fails, call.desk.hangs):
            trouble.set()
            wait_for(lambda: run.sink.blue == PLAIN_GREY and run.sink.person)  # the call goes on
            trouble.clear()
            wait_for(lambda: run.sink.blue == LEVEL)
        run.watch.set_panic(True)
        wait_for(lambda: not run.sink.person)
        run.frames()
        assert run.sink.blue == PLAIN_GREY
        run.watch.set_panic(False)
        begun = len(run.sink.got)
        call.control.change({"background": "navy", "presenter": "off"})
        wait_for(lambda: run.sink.blue == 128)  # CSS navy
        assert {got[1] for got in run.sink.got[begun:]} <= {LEVEL, PLAIN_GREY, 128}
        wait_for(call.desk.closed.is_set)
        assert not run.sink.leaks + run.file.leaks
        assert run.watch.replaced == 0


def test_the_page_offers_the_other_cameras_without_switching_them_on(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch)
    offered = [info for info in call.control.backgrounds() if info.kind == "camera"]
    assert [(info.spec, info.name) for info in offered] == [
        ("camera:/dev/video1", "cam 1"),
        ("camera:/dev/video2", "cam 2"),
    ]
    with pytest.raises(BackgroundError, match="a camera has no thumbnail"):
        call.control.thumbnail("camera:/dev/video1")
    with call.run:
        for _ in range(len(call.control.backgrounds())):
            assert not call.control.next_background()["background"].startswith("camera")
    assert call.desk.reads == 0


def test_a_camera_is_no_path_of_the_terminal_and_is_not_remembered() -> None:
    assert parse_values(["background=camera:C920.2"]) == {"background": "camera:C920.2"}
    remember("beach")
    for camera in ("camera:1", "/dev/video2"):
        remember(camera)
    assert last_background() == "beach"
