"""The live camera, on a fake capture: the newest frame wins, drops are counted, unplugging is an error."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from bgcam.realtime.devices.listing import Device
from bgcam.realtime.devices.v4l2 import Mode
from bgcam.realtime.errors import SourceError, SourceWaits
from bgcam.realtime.sources import capture
from bgcam.realtime.sources.camera import open_camera, same_camera
from bgcam.realtime.sources.capture import CameraSource, pick_fourcc

SIZE_WH = (64, 48)
HD = (1280, 720)


class FakeCapture:
    """Gives the frames put into `frames` one at a time, as the test lets it; then fails like an unplugged camera."""

    def __init__(self, opened=True, size_wh=SIZE_WH):
        self.opened, self.size_wh = opened, size_wh
        self.may_give = threading.Semaphore(1)  # the first frame, for the constructor
        self.plugged = True
        self.given = 0
        self.wishes = []
        self.released = threading.Event()

    def isOpened(self):
        return self.opened

    def set(self, prop, value):
        self.wishes.append((prop, value))
        return True

    def get(self, prop):
        return 24.0

    def read(self):
        while self.plugged:
            if self.may_give.acquire(timeout=0.01):
                self.given += 1
                return True, np.full((self.size_wh[1], self.size_wh[0], 3), self.given - 1, np.uint8)
        return False, None

    def release(self):
        self.released.set()

    def give(self, source, count):
        """Let it give `count` more frames and wait until the source's thread has taken them all."""
        goal = self.given + count
        for _ in range(count):
            self.may_give.release()
        wait_for(lambda: self.given == goal and source._newest is not None and source._newest[0][0, 0, 0] == goal - 1)


def wait_for(condition, limit_s=5.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


@pytest.fixture
def fake():
    return FakeCapture()


@pytest.fixture
def camera(fake):
    source = CameraSource("/dev/video7", name="cam", size_wh=(1920, 1080), fps=60, opener=lambda _target: fake)
    yield source
    fake.plugged = False
    source.close()


def test_camera_asks_mjpg_first_and_says_what_it_got(fake, camera):
    assert [prop for prop, _ in fake.wishes] == [
        cv2.CAP_PROP_FOURCC,
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS,
        cv2.CAP_PROP_BUFFERSIZE,
    ]
    assert [value for _, value in fake.wishes] == [cv2.VideoWriter.fourcc(*"MJPG"), 1920, 1080, 60, 1]
    assert (camera.size_wh, camera.fps, camera.live, camera.frames) == (SIZE_WH, 24, True, None)


def test_slow_reader_gets_the_newest_frame_and_the_drops_are_counted(fake, camera):
    assert camera.read().room_bgr[0, 0, 0] == 0
    fake.give(camera, 4)
    frame = camera.read()
    assert frame.room_bgr[0, 0, 0] == 4
    assert frame.number == 1
    assert camera.drops == 3
    fake.give(camera, 1)
    later = camera.read()
    assert (later.number, later.room_bgr[0, 0, 0], camera.drops) == (2, 5, 3)
    assert later.time_s > frame.time_s >= 0


class JpegCapture(FakeCapture):
    """A webcam that gives MJPG, and hands it on as it is if asked. damaged: the numbers of frames that break off."""

    def __init__(self, damaged=()):
        super().__init__()
        self.damaged = damaged

    def get(self, prop):
        return cv2.VideoWriter.fourcc(*"MJPG") if prop == cv2.CAP_PROP_FOURCC else 24.0

    def read(self):
        ok, bgr = super().read()
        if not ok or (cv2.CAP_PROP_CONVERT_RGB, 0) not in self.wishes:
            return ok, bgr
        data = cv2.imencode(".jpg", bgr * 10)[1].reshape(1, -1)
        return True, data[:, :80] if self.given - 1 in self.damaged else data


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere OpenCV decodes")
def test_jpeg_is_decoded_when_it_is_read():
    fake = JpegCapture(damaged=(0, 2))
    fake.may_give.release()
    source = CameraSource("/dev/video7", name="cam", opener=lambda _target: fake)
    try:
        assert source.size_wh == SIZE_WH
        assert np.abs(source.read().room_bgr.astype(int) - 10).max() <= 2
        fake.may_give.release(2)
        assert np.abs(source.read().room_bgr.astype(int) - 30).max() <= 2
    finally:
        fake.plugged = False
        source.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere OpenCV decodes")
def test_a_camera_whose_pictures_are_all_damaged():
    fake = JpegCapture(damaged=range(1, 1000))
    source = CameraSource("/dev/video7", name="cam", opener=lambda _target: fake)
    try:
        source.read()
        giving = threading.Thread(target=lambda: [(fake.may_give.release(), time.sleep(0.02)) for _ in range(50)])
        giving.start()
        with pytest.raises(SourceError, match="cam: its pictures arrive damaged; unplug it and plug it back in"):
            source.read()
        assert source.drops >= 5
        giving.join()
    finally:
        fake.plugged = False
        source.close()
    fake = JpegCapture(damaged=range(1000))
    fake.may_give.release(9)
    with pytest.raises(SourceError, match="gives no picture"):
        CameraSource("/dev/video7", name="cam", opener=lambda _target: fake)
    assert fake.released.is_set()


def test_close_from_another_thread_ends_a_waiting_read(fake, camera):
    camera.read()
    threading.Timer(0.05, camera.close).start()
    assert camera.read() is None
    fake.plugged = False
    assert fake.released.wait(5)
    camera.close()
    assert camera.read() is None


def test_unplugged_camera_gives_what_it_had_then_breaks(fake, camera):
    fake.plugged = False
    assert camera.read().number == 0
    with pytest.raises(SourceError, match=r"cam: the camera stopped giving frames \(unplugged\?\)"):
        camera.read()
    assert fake.released.wait(5)


def test_camera_whose_driver_throws_breaks_the_read(fake, camera, monkeypatch):
    camera.read()
    fake.read = lambda: (True, "no array")
    fake.may_give.release()
    with pytest.raises(SourceError, match=r"cam: reading failed"):
        while camera.read():
            pass


def test_camera_that_does_not_open_or_gives_nothing_is_let_go():
    shut = FakeCapture(opened=False)
    with pytest.raises(SourceError, match=r"cam: cannot be opened; another program may have it open: close that"):
        CameraSource(0, name="cam", opener=lambda _target: shut)
    dead = FakeCapture()
    dead.plugged = False
    with pytest.raises(SourceError, match=r"cam: gives no picture"):
        CameraSource(0, name="cam", opener=lambda _target: dead)
    assert shut.released.is_set()
    assert dead.released.is_set()


def test_camera_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    (tmp_path / "video0").touch()
    with pytest.raises(SourceError, match="usermod -aG video"):
        CameraSource(str(tmp_path / "video0"), name="cam", opener=lambda _target: FakeCapture(opened=False))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_busy_camera_says_who_holds_it(tmp_path):
    path = tmp_path / "video0"
    path.touch()
    with path.open() as held:
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()])
        try:
            with pytest.raises(
                SourceError, match=rf"cam: cannot be opened; \S+ \(pid {other.pid}\) has it open: close"
            ):
                CameraSource(str(path), name="cam", opener=lambda _target: FakeCapture(opened=False))
        finally:
            other.communicate(b"\n")


@pytest.mark.parametrize(
    ("modes", "fourcc"),
    [
        ([], "MJPG"),
        ([("YUYV", HD, 10.0), ("MJPG", HD, 30.0)], "MJPG"),
        ([("YUYV", HD, 60.0), ("MJPG", HD, 29.97)], "MJPG"),  # raw could be faster, but this is enough
        ([("MJPG", HD, 15.0), ("NV12", HD, 30.0)], "NV12"),
        ([("MJPG", (640, 480), 30.0), ("YUYV", HD, 5.0)], "YUYV"),
        ([("H264", HD, 30.0), ("YUYV", (640, 480), 30.0)], "YUYV"),  # OpenCV makes no picture of the first
        ([("H264", HD, 30.0)], "MJPG"),
    ],
)
def test_the_format_is_mjpg_where_it_gives_size_and_rate(modes, fourcc):
    assert pick_fourcc([Mode(*mode) for mode in modes], HD, 30) == fourcc


def test_what_was_asked_for_is_told_where_the_driver_gives_another(fake, camera):
    assert camera.note == "asked for 1920x1080 at 60 fps"
    same = FakeCapture()
    source = CameraSource(0, name="cam", size_wh=SIZE_WH, fps=25, opener=lambda _target: same)
    same.plugged = False
    source.close()
    assert source.note == ""


def test_a_camera_that_hangs_is_let_go_after_seconds(monkeypatch):
    monkeypatch.setattr(capture, "_FAILED_S", 0.05)
    slow = FakeCapture()
    slow.read = lambda: (time.sleep(0.1), (False, None))[1]
    begun_s = time.monotonic()
    with pytest.raises(SourceError, match="gives no picture"):
        CameraSource(0, name="cam", opener=lambda _target: slow)
    assert time.monotonic() - begun_s < 0.4  # one read, not five


CAMERAS = [
    Device("/dev/video0", "Front", 0, "uvcvideo", None, "usb-1"),
    Device("/dev/video2", "Back", 2, "uvcvideo", None, "usb-2"),
]


@pytest.mark.parametrize(("wanted", "target"), [(None, "/dev/video0"), ("2", "/dev/video2"), ("back", "/dev/video2")])
def test_camera_choice(wanted, target, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    seen = []
    fake = FakeCapture()

    def opener(asked):
        seen.append(asked)
        return fake

    source = open_camera(wanted, cameras=lambda: CAMERAS, virtual=list, mirror=True, opener=opener)
    fake.plugged = False
    source.close()
    assert seen == [target]


def test_no_camera_and_a_path_that_is_not_there(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(SourceError, match="no camera found; plug one in, or give a file with --input"):
        open_camera(None, cameras=list, virtual=list)
    with pytest.raises(SourceError, match="no camera at /dev/video99"):
        open_camera("/dev/video99", cameras=lambda: CAMERAS, virtual=list)


def test_elsewhere_a_camera_is_named_by_its_number_or_by_the_systems_name(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    seen = []

    def opener(asked):
        seen.append(asked)
        return FakeCapture(opened=False)

    there = [Device("0x80", "FaceTime HD Camera", 1201, "", "0x80")]
    for wanted, cameras in (("1", []), (None, []), ("facetime", there), (None, there)):
        with pytest.raises(SourceError, match="cannot be opened"):
            open_camera(wanted, cameras=lambda cameras=cameras: cameras, virtual=list, opener=opener)
    assert seen == [1, 0, 1201, 1201]


def test_a_lost_camera_is_found_again_under_another_number(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    there, opened = list(CAMERAS), []

    def opener(target):
        opened.append((target, FakeCapture(size_wh=SIZE_WH if len(opened) < 1 else (32, 32))))
        return opened[-1][1]

    source = open_camera("front", cameras=lambda: list(there), virtual=list, opener=opener)
    try:
        first = source.read()
        there[:] = [CAMERAS[1]]
        opened[0][1].plugged = False
        with pytest.raises(
            SourceWaits, match=r"/dev/video0 \(Front\): the camera stopped.*unplug it and plug it back in"
        ):
            source.read()
        with pytest.raises(SourceWaits, match=r"Front\): it is gone; plug it back in \(tried \d time"):
            wait_for(lambda: "gone" in waits(source))
            source.read()
        assert [target for target, _ in opened] == ["/dev/video0"]  # never the other one
        there.append(Device("/dev/video4", "Front", 4, "uvcvideo", None, "usb-3"))
        wait_for(lambda: waits(source) == "")
        assert [target for target, _ in opened] == ["/dev/video0", "/dev/video4"]
        assert source.name == "/dev/video4 (Front)"
        opened[1][1].may_give.release()
        frame = source.read()
        assert (frame.number, frame.size_wh) == (2, SIZE_WH)  # one was read while waiting
        assert frame.time_s > first.time_s
    finally:
        for _, capture in opened:
            capture.plugged = False
        source.close()


def waits(source):
    """Read once: why there is no frame, "" when there was one."""
    try:
        assert source.read() is not None
    except SourceWaits as error:
        return str(error)
    return ""


C920 = Device("/dev/video0", "C920", 0, "uvcvideo", "/dev/v4l/by-id/usb-C920_A1-video-index0", "usb-1")
PLAIN = Device("/dev/video2", "USB Camera", 2, "uvcvideo", None, "usb-2")


def moved(device, path="/dev/video6", **changes):
    return replace(device, path=path, index=6, **changes)


@pytest.mark.parametrize(
    ("lost", "beside", "there", "found"),
    [
        (C920, [], [PLAIN, moved(C920, bus="usb-9")], "/dev/video6"),  # another port
        (C920, [], [PLAIN], None),
        (C920, [], [moved(C920, by_id="/dev/v4l/by-id/usb-C920_B2-video-index0")], None),  # another one of its kind
        (C920, [], [moved(C920, by_id=None)], None),  # its link will come
        (C920, [moved(C920, by_id="B")], [moved(C920, by_id="B"), moved(C920, "/dev/video8", bus="x")], "/dev/video8"),
        (PLAIN, [C920], [moved(PLAIN, bus="usb-9")], "/dev/video6"),
        (PLAIN, [], [moved(PLAIN), moved(PLAIN, "/dev/video8")], None),  # who knows which
        # A twin without a serial number was there from the beginning: only the bus tells the two apart.
        (PLAIN, [moved(PLAIN, bus="usb-3")], [moved(PLAIN, bus="usb-3")], None),
        (PLAIN, [moved(PLAIN, bus="usb-3")], [moved(PLAIN, bus="usb-3"), moved(PLAIN, "/dev/video8")], "/dev/video8"),
        # The link to the one of two that had it moves on to the other.
        (C920, [moved(C920, by_id=None, bus="usb-3")], [moved(C920, bus="usb-3")], None),
    ],
)
def test_another_camera_is_never_taken_in_its_place(lost, beside, there, found):
    same = same_camera(lost, there, beside=[lost, *beside])
    assert (same and same.path) == found
