"""The live camera, on a fake capture: the newest frame wins, drops are counted, unplugging is an error."""

import threading
import time

import cv2
import numpy as np
import pytest

from bgcam.realtime.devices import Device
from bgcam.realtime.errors import SourceError
from bgcam.realtime.sources.camera import CameraSource, open_camera

SIZE_WH = (64, 48)


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
    assert camera.read().bgr[0, 0, 0] == 0
    fake.give(camera, 4)
    frame = camera.read()
    assert frame.bgr[0, 0, 0] == 4
    assert frame.number == 1
    assert camera.drops == 3
    fake.give(camera, 1)
    later = camera.read()
    assert (later.number, later.bgr[0, 0, 0], camera.drops) == (2, 5, 3)
    assert later.time_s > frame.time_s >= 0


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
    with pytest.raises(SourceError, match=r"cam: cannot be opened; another program may hold it"):
        CameraSource(0, name="cam", opener=lambda _target: shut)
    dead = FakeCapture()
    dead.plugged = False
    with pytest.raises(SourceError, match=r"cam: gives no picture"):
        CameraSource(0, name="cam", opener=lambda _target: dead)
    assert shut.released.is_set()
    assert dead.released.is_set()


def test_camera_without_permission():
    with pytest.raises(SourceError, match="usermod -aG video"):
        CameraSource("/dev/video-that-is-not-there", name="cam", opener=lambda _target: FakeCapture(opened=False))


CAMERAS = [Device("/dev/video0", "Front", 0, "uvcvideo"), Device("/dev/video2", "Back", 2, "uvcvideo")]


@pytest.mark.parametrize(("wanted", "target"), [(None, "/dev/video0"), ("2", "/dev/video2"), ("back", "/dev/video2")])
def test_camera_choice(wanted, target, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    seen = []
    fake = FakeCapture()

    def opener(asked):
        seen.append(asked)
        return fake

    source = open_camera(wanted, cameras=CAMERAS, virtual=[], mirror=True, opener=opener)
    fake.plugged = False
    source.close()
    assert seen == [target]


def test_no_camera_and_a_path_that_is_not_there(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(SourceError, match="no camera found; plug one in, or give a file with --input"):
        open_camera(None, cameras=[])
    with pytest.raises(SourceError, match="no camera at /dev/video99"):
        open_camera("/dev/video99", cameras=CAMERAS, virtual=[])
