"""`bgcam devices`: each device with what it gives, who uses it, and the option that picks it and no other."""

from __future__ import annotations

import pytest

from bgcam.realtime.command.devices import best_modes, lines
from bgcam.realtime.devices.listing import LOOPBACK_DRIVER, Device, find_device
from bgcam.realtime.devices.users import Holder, Holders
from bgcam.realtime.devices.v4l2 import Mode

C920 = Device("/dev/video0", "HD Pro Webcam C920", 0, "uvcvideo", "/dev/v4l/by-id/usb-C920_A1-video-index0", "usb-1")
TWIN = Device("/dev/video2", "HD Pro Webcam C920", 2, "uvcvideo", None, "usb-2")
LOCKED = Device("/dev/video4", "Locked", 4, "", locked=True)
BGCAM = Device("/dev/video10", "bgcam", 10, LOOPBACK_DRIVER)

MODES = [
    Mode("YUYV", (640, 480), 30.0),
    Mode("YUYV", (1920, 1080), 5.0),
    Mode("MJPG", (640, 480), 60.0),
    Mode("MJPG", (1920, 1080), 30.0),
    Mode("H264", (3840, 2160), 10.0),
]


def told(device, *, beside, option="--camera ", holders=None):
    return lines(device, option=option, beside=beside, modes=lambda _: MODES, holders=lambda _: holders or Holders())


def test_the_best_of_each_format():
    assert list(best_modes(MODES)) == [MODES[3], MODES[0]]
    assert list(best_modes([])) == []


@pytest.fixture(autouse=True)
def linux(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")


def test_a_camera():
    assert told(C920, beside=[C920, LOCKED], holders=Holders((Holder(7, "zoom"),))) == [
        "  HD Pro Webcam C920  /dev/video0  /dev/v4l/by-id/usb-C920_A1-video-index0",
        "gives 1920x1080 at 30 fps (MJPG), 640x480 at 30 fps (YUYV)",
        "in use by zoom (pid 7)",
        "bgcam --camera 'HD Pro Webcam C920'",
    ]


def test_what_picks_one_of_two_alike():
    both = [C920, TWIN]
    for device, word in ((C920, str(C920.by_id)), (TWIN, TWIN.path)):
        assert told(device, beside=both)[-1] == f"bgcam --camera {word}"
        assert find_device(both, word) == device


def test_a_camera_that_may_not_be_used_and_a_virtual_one():
    assert told(LOCKED, beside=[LOCKED]) == [
        "  Locked  /dev/video4",
        "you have no permission to use it: run `sudo usermod -aG video $USER`, then log out and back in",
    ]
    assert told(BGCAM, beside=[BGCAM], option="--output virtual:") == [
        "  bgcam  /dev/video10",
        "bgcam --output virtual:bgcam",
    ]
