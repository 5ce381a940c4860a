"""The virtual camera: which one, what is sent to it, and what happens when it goes away or another changes it."""

import struct
import sys
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from fake_loopback import CAPTURE, CLIENT_USAGE, OUTPUT, S_PARM, STREAMON, UNSUBSCRIBE, FakeLoopback
from shown import shown

from bgcam.realtime.backoff import Backoff
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.devices.users import Holder, Holders
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.picture.composed import composed_i420
from bgcam.realtime.sinks import _loopback
from bgcam.realtime.sinks._loopback import LoopbackWriter
from bgcam.realtime.sinks.virtual import VirtualSink, open_virtual_camera

SIZE_WH = (64, 48)
FPS = 25
LOOPBACKS = [
    Device("/dev/video8", "OBS Virtual Camera", 8, "v4l2 loopback"),
    Device("/dev/video10", "bgcam", 10, "v4l2 loopback"),
]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's ioctls")


def composed(number=0, colour=None, size_wh=SIZE_WH):
    shape = (size_wh[1], size_wh[0], 3)
    bgr = np.full(shape, 100 if colour is None else colour, np.uint8)
    return shown(number, bgr, number / FPS, 0.0)


def packed(i420):
    """A frame of the GPU's, (H * 3 / 2, W) uint8."""
    height, width = i420.shape
    camera = CameraFrame(0, np.zeros((height * 2 // 3, width, 3), np.uint8), 0.0, 0.0)
    return composed_i420(camera, i420)


class FakeCamera:
    def __init__(self, width, height, fps, device):
        self.size_wh, self.fps, self.device = (width, height), fps, device
        self.sent, self.closed, self.fails = [], 0, None
        self.seen = Viewers.NONE

    def send(self, i420):
        if self.fails is not None:
            raise self.fails
        self.sent.append(i420)

    def viewers(self):
        if self.fails is not None:
            raise self.fails
        return self.seen

    def close(self):
        self.closed += 1


class FakeDriver:
    """Opens cameras and remembers them; some paths may be busy."""

    def __init__(self, busy=(), devices=LOOPBACKS):
        self.busy, self.devices, self.cameras, self.now_s = set(busy), list(devices), [], 0.0

    def open(self, width, height, fps, device):
        if device in self.busy:
            raise OSError(16, f"another program writes to {device}\n(obs (pid 7))")
        self.cameras.append(FakeCamera(width, height, fps, device))
        return self.cameras[-1]

    def sink(self, argument="", size_wh=SIZE_WH):
        backoff = Backoff(clock=lambda: self.now_s)
        options: dict[str, Any] = {"devices": lambda: list(self.devices), "opener": self.open, "backoff": backoff}
        return VirtualSink(argument, size_wh=size_wh, fps=FPS, **options)


@pytest.mark.parametrize(
    ("argument", "path"),
    [("", "/dev/video10"), ("obs", "/dev/video8"), ("/dev/video8", "/dev/video8"), ("10", "/dev/video10")],
)
def test_device_choice(argument, path):
    driver = FakeDriver()
    sink = driver.sink(argument)
    assert driver.cameras[0].device == path
    assert sink.name.startswith(f"{path} (")
    sink.close()
    sink.abort()
    assert driver.cameras[0].closed == 1
    with pytest.raises(SinkError, match="closed already"):
        sink.write(composed(0))


@pytest.mark.parametrize("colour", [(200, 60, 90), (0, 0, 255), (255, 255, 255), (0, 0, 0)])
def test_sends_i420_of_even_size(colour):
    driver = FakeDriver()
    sink = driver.sink(size_wh=(65, 49))
    assert sink.name == "/dev/video10 (bgcam), 64x48 (sides must be even)"
    sink.write(composed(0, colour, (65, 49)))
    (i420,) = driver.cameras[0].sent
    assert (i420.shape, i420.dtype, i420.flags.c_contiguous) == ((72, 64), np.uint8, True)
    blue, green, red = colour
    luma = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255  # BT.601, limited range
    assert abs(float(i420[:48].mean()) - luma) < 1
    back = cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)
    assert np.abs(back.astype(int) - colour).max() <= 3


def test_what_came_packed_is_sent_as_it_is():
    driver = FakeDriver()
    sink = driver.sink()
    planes = np.random.default_rng(0).integers(0, 256, (72, 64), np.uint8)
    sink.write(packed(planes))
    sink.write(packed(planes[:54, :48].copy()))
    exact, scaled = driver.cameras[0].sent
    assert exact is planes
    assert scaled.shape == planes.shape


def test_takes_the_next_device_when_one_is_busy_and_says_why_none_opens():
    assert FakeDriver(busy=["/dev/video10"]).sink().name == "/dev/video8 (OBS Virtual Camera)"
    with pytest.raises(SinkError, match=r"/dev/video10 \(bgcam\): another .*\(pid 7\).*; close other progr") as caught:
        FakeDriver(busy=["/dev/video8", "/dev/video10"]).sink()
    assert "\n" not in str(caught.value)


def test_no_virtual_camera_says_how_to_get_one():
    with pytest.raises(SinkError, match="no virtual camera found; run `bgcam doctor --fix`"):
        FakeDriver(devices=[]).sink()
    with pytest.raises(SinkError, match="virtual camera: no device matches 'zoom'; there are: /dev/video8"):
        FakeDriver().sink("zoom")


def test_without_permission_it_says_what_to_run():
    def opener(*_):
        raise PermissionError(13, "Permission denied")

    with pytest.raises(SinkError, match=r"\(bgcam\): no permission to write to it; run `sudo usermod -aG video"):
        VirtualSink("", size_wh=SIZE_WH, fps=FPS, devices=lambda: LOOPBACKS, opener=opener)


def test_a_device_that_may_be_opened_comes_before_one_that_may_not() -> None:
    locked = Device("/dev/video9", "bgcam", 9, "v4l2 loopback", locked=True)
    assert FakeDriver(devices=[locked, *LOOPBACKS]).sink().name == "/dev/video10 (bgcam)"


def test_removed_and_made_again_under_another_number():
    driver = FakeDriver()
    sink = driver.sink()
    sink.write(composed(0))
    assert sink.notice == ""
    driver.cameras[0].fails = OSError(19, "No such device")
    driver.devices = [LOOPBACKS[0]]
    sink.write(composed(1))  # nothing is raised: the other outputs go on
    assert "(bgcam): it does not accept pictures: No such device; opening it again" in sink.notice
    assert driver.cameras[0].closed == 1
    opened = []
    for number in range(2, 200):
        driver.now_s += 0.03
        before = sink.notice
        sink.write(composed(number))
        if sink.notice != before:
            opened.append(driver.now_s)
    gaps = np.diff(opened)
    assert 4 <= len(opened) <= 8
    assert gaps[0] < gaps[-1] <= 2.1  # it backs off
    assert f"it is gone; opening it again, tried {len(opened)} times" in sink.notice
    assert len(driver.cameras) == 1  # never the device of another program
    driver.devices.append(Device("/dev/video12", "bgcam", 12, "v4l2 loopback"))
    driver.now_s += 2.1
    sink.write(composed(200))
    assert (sink.notice, sink.name, len(driver.cameras[1].sent)) == ("", "/dev/video12 (bgcam)", 1)
    sink.close()
    assert driver.cameras[1].closed == 1


def test_a_lost_device_that_stays_busy_is_closed_quietly():
    driver = FakeDriver()
    sink = driver.sink()
    driver.cameras[0].fails = RuntimeError("write failed")
    driver.busy = {"/dev/video10"}
    sink.write(composed(0))
    driver.now_s += 1
    sink.write(composed(1))
    assert "another program writes to /dev/video10 (obs (pid 7)); opening it again, tried 1 time" in sink.notice
    assert sink.viewers() is Viewers.NONE
    sink.close()
    assert driver.cameras[0].closed == 1


def test_viewers_are_those_of_the_camera_and_always_some_where_that_cannot_be_known():
    driver = FakeDriver()
    sink = driver.sink()
    driver.cameras[0].seen = Viewers.OPEN
    assert sink.viewers() is Viewers.OPEN
    driver.cameras[0].fails = OSError(19, "No such device")
    assert sink.viewers() is Viewers.NONE
    assert "No such device" in sink.notice
    blind_camera = SimpleNamespace(device="x")
    blind = VirtualSink("", size_wh=SIZE_WH, fps=FPS, devices=lambda: LOOPBACKS, opener=lambda *_: blind_camera)
    assert blind.viewers() is Viewers.STREAMING


# ---- the driver


@pytest.fixture
def loopback(tmp_path, monkeypatch):
    return FakeLoopback(tmp_path / "video10").install(monkeypatch)


@pytest.fixture
def module(tmp_path):
    folder = tmp_path / "v4l2loopback"
    folder.mkdir()
    (folder / "version").write_text("0.15.1\n")
    (folder / "refcnt").write_text("1\n")
    return folder


@on_linux
def test_the_format_is_asked_for_and_frames_are_written_whole(loopback, module):
    writer = LoopbackWriter(64, 48, 29.97, str(loopback.path), module=module)
    width, height, fourcc, field, line, size, colorspace = struct.unpack_from("=II4sIIII", loopback.format_asked, 8)
    assert (width, height, fourcc, field, line, size, colorspace) == (64, 48, b"YU12", 1, 64, 4608, 1)
    assert loopback.fps == pytest.approx(29.97)
    i420 = np.arange(72 * 64, dtype=np.uint8).reshape(72, 64)
    writer.send(i420)
    assert loopback.written == [i420.tobytes()]
    assert STREAMON not in loopback.requests
    writer.close()
    writer.close()


@on_linux
@pytest.mark.parametrize(
    ("version", "told"), [("0.13.2", True), (None, True), ("0.14.0", False), ("0.15.3-1ubuntu2", False)]
)
def test_older_drivers_are_told_that_a_writer_streams(loopback, module, version, told):
    (module / "version").unlink()
    if version:
        (module / "version").write_text(f"{version}\n")
    LoopbackWriter(64, 48, 25, str(loopback.path), module=module).close()
    assert (STREAMON in loopback.requests) is told


@on_linux
def test_who_cannot_set_the_rate_goes_on(loopback, module, monkeypatch):
    answer = loopback.ioctl

    def ioctl(descriptor, request, data):
        if request == S_PARM:
            raise OSError(22, "Invalid argument")
        return answer(descriptor, request, data)

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    LoopbackWriter(64, 48, 25, str(loopback.path), module=module).close()


@on_linux
@pytest.mark.parametrize(
    ("size_wh", "fourcc", "said"),
    [
        ((1280, 720), b"YU12", "1280x720 YU12 instead of 64x48 YU12"),
        (SIZE_WH, b"YUYV", "64x48 YUYV instead of 64x48 YU12"),
    ],
)
def test_a_format_that_the_driver_does_not_take_is_noticed(loopback, module, size_wh, fourcc, said):
    loopback.locked, loopback.size_wh, loopback.fourcc = True, size_wh, fourcc
    with pytest.raises(OSError, match=rf"it holds {said}, as another program has it open .*fuser -v .*keep_format"):
        LoopbackWriter(64, 48, 25, str(loopback.path), module=module)


@on_linux
def test_a_second_writer_with_another_format_never_makes_frames_shear(loopback, module):
    writer = LoopbackWriter(64, 48, 25, str(loopback.path), module=module)
    i420 = np.zeros((72, 64), np.uint8)
    writer.send(i420)
    loopback.size_wh = (32, 32)
    with pytest.raises(OSError, match="it holds 32x32 YU12 instead of 64x48 YU12"):
        writer.send(i420)
    assert len(loopback.written) == 1
    loopback.size_wh, loopback.takes_bytes = SIZE_WH, 1024
    with pytest.raises(OSError, match="it accepted 1024 of 4608 bytes"):
        writer.send(i420)
    loopback.gone = True
    with pytest.raises(OSError, match="No such device"):
        writer.send(i420)
    writer.close()


@on_linux
def test_a_device_that_another_writes_to_is_not_touched(loopback, module, monkeypatch):
    loopback.bits = CAPTURE  # exclusive_caps, while somebody writes
    for holders, uses, said in (
        (Holders((Holder(7, "obs"),)), "2", r"another program writes to it \(obs \(pid 7\)\)"),
        (Holders((Holder(7, "obs"), Holder(8, "vlc", reads=True))), "3", r"writes to it \(obs \(pid 7\)\)$"),
        (Holders((Holder(7, "obs"), Holder(8, "zoom"))), "3", r"writes to it \(one of obs \(pid 7\), zoom \(pid 8\)\)"),
        (Holders((Holder(8, "vlc", reads=True),)), "2", "another program writes to it .*fuser"),
        (Holders((), unseen=True), "2", "another program writes to it .*fuser"),
    ):
        monkeypatch.setattr(_loopback, "find_holders", lambda _path, holders=holders: holders)
        (module / "refcnt").write_text(uses)
        with pytest.raises(OSError, match=said):
            LoopbackWriter(64, 48, 25, str(loopback.path), module=module)
    assert loopback.format_asked == b""


@on_linux
@pytest.mark.parametrize(("unseen", "uses"), [(False, "5"), (True, "1")])
def test_a_device_whose_last_writer_left_it_shut_is_taken(loopback, module, monkeypatch, unseen, uses):
    loopback.bits, loopback.stuck = 0, True
    monkeypatch.setattr(_loopback, "find_holders", lambda _path: Holders((), unseen=unseen))
    (module / "refcnt").write_text(uses)
    LoopbackWriter(64, 48, 25, str(loopback.path), module=module).close()
    assert loopback.size_wh == SIZE_WH


@on_linux
def test_a_device_that_stays_shut_says_what_to_do(loopback, module, monkeypatch):
    loopback.bits = 0
    monkeypatch.setattr(_loopback, "find_holders", lambda _path: Holders())
    monkeypatch.setattr(_loopback, "start_output", lambda _descriptor: None)
    with pytest.raises(OSError, match="its last writer left it locked: `sudo modprobe -r v4l2loopback`"):
        LoopbackWriter(64, 48, 25, str(loopback.path), module=module)
    assert loopback.format_asked == b""


@on_linux
@pytest.mark.parametrize("events", [(CLIENT_USAGE,), (0x08000000,)])
def test_the_drivers_event_tells_of_viewers(loopback, module, events):
    loopback.events, loopback.readers = events, 1  # one was there before us
    writer = LoopbackWriter(64, 48, 25, str(loopback.path), module=module)
    assert writer.viewers() is Viewers.STREAMING
    loopback.read_by(0)
    assert writer.viewers() is Viewers.NONE
    loopback.read_by(1)
    loopback.read_by(0)
    loopback.read_by(1)
    assert writer.viewers() is Viewers.STREAMING
    writer.close()


@on_linux
def test_a_lost_event_is_made_up_for(loopback):
    from bgcam.realtime.devices.v4l2 import ClientUsage
    from bgcam.realtime.devices.viewers import EventViewers

    now_s = 0.0
    viewers = EventViewers(ClientUsage(3), clock=lambda: now_s)
    assert viewers() is Viewers.NONE
    loopback.readers = 1  # and no event
    now_s = 4.9
    assert viewers() is Viewers.NONE
    now_s = 5.1
    assert viewers() is Viewers.STREAMING
    assert UNSUBSCRIBE in loopback.requests


@on_linux
def test_bgcam_opens_loopbacks_itself_and_others_by_pyvirtualcam(loopback, monkeypatch):
    camera = open_virtual_camera(64, 48, 25.0, str(loopback.path))
    assert isinstance(camera, LoopbackWriter)
    assert loopback.bits == OUTPUT
    camera.close()
    import pyvirtualcam

    seen = {}

    class Backend:
        def __init__(self, **arguments):
            seen.update(arguments)

        def send(self, frame):
            seen["frame"] = frame

        def close(self):
            pass

    monkeypatch.setattr("pyvirtualcam.camera.BACKENDS", {"fake": Backend})
    monkeypatch.setattr("sys.platform", "darwin")
    camera = open_virtual_camera(64, 48, 25.0, None)
    camera.send(np.zeros((72, 64), np.uint8))
    assert (seen["width"], seen["height"], seen["fps"], seen["device"]) == (64, 48, 25.0, None)
    assert seen["frame"].shape == (72 * 64,)
    assert camera._fmt is pyvirtualcam.PixelFormat.I420
    camera.close()


def test_elsewhere_the_one_of_the_system_is_opened_again(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    driver = FakeDriver(devices=[])
    for argument, asked in (("", None), ("Unity Video Capture", "Unity Video Capture")):
        sink = driver.sink(argument)
        assert driver.cameras[-1].device == asked
        driver.cameras[-1].fails = RuntimeError("closed")
        sink.write(composed(0))
        driver.now_s += 1
        sink.write(composed(1))
        assert (driver.cameras[-1].device, len(driver.cameras[-1].sent), sink.notice) == (asked, 1, "")
