"""Device lists, with a made-up /sys, /dev and driver; and the bytes of the two ioctls."""

import struct
import sys
from types import SimpleNamespace

import pytest

from bgcam.realtime.devices import listing
from bgcam.realtime.devices.listing import Capability, Device, find_device, list_cameras, list_virtual_cameras
from bgcam.realtime.devices.v4l2 import HeldFormat
from bgcam.realtime.errors import SourceError

CAPTURE, OUTPUT, METADATA, M2M = 0x1, 0x2, 0x00800000, 0x8000
LOOPBACK = "v4l2 loopback"

NODES = {
    10: Capability(LOOPBACK, "bgcam", CAPTURE),  # exclusive_caps, while somebody writes
    11: Capability(LOOPBACK, "OBS Virtual Camera", OUTPUT),
    2: Capability("uvcvideo", "HD Pro Webcam C920", CAPTURE, "usb-0000:00:14.0-2"),
    3: Capability("uvcvideo", "HD Pro Webcam C920", METADATA),
    0: Capability("uvcvideo", "Integrated Camera", CAPTURE),
    5: Capability("bcm2835-codec", "decoder", M2M),
    6: Capability("mxc", "planar camera", 0x1000),
}


@pytest.fixture
def machine(tmp_path):
    """Arguments for the list functions: a machine with NODES, one that has gone away, and three that are forbidden."""
    sysfs, dev = tmp_path / "sys", tmp_path / "dev"
    (dev / "v4l" / "by-id").mkdir(parents=True)
    sysfs.mkdir()
    for index in [*NODES, 7, 8, 9, 12]:
        (sysfs / f"video{index}").mkdir()
        (dev / f"video{index}").touch()
    (sysfs / "v4l-subdev0").mkdir()
    (sysfs / "video8" / "name").write_text("Locked Camera\n")
    (sysfs / "video8" / "index").write_text("0\n")
    (sysfs / "video9" / "name").write_text("Locked Camera\n")
    (sysfs / "video9" / "index").write_text("1\n")
    (sysfs / "video12" / "name").write_text("Locked Loopback\n")
    (sysfs / "video12" / "index").write_text("0\n")
    (sysfs / "video12" / "max_openers").write_text("10\n")
    (dev / "v4l" / "by-id" / "usb-046d_C920_ABC-video-index0").symlink_to("../../video2")

    def querycap(path):
        index = int(path.rpartition("video")[2])
        if index == 7:
            raise OSError(19, "No such device")
        if index in (8, 9, 12):
            raise PermissionError(13, "Permission denied")
        return NODES[index]

    return {"sysfs": sysfs, "dev": dev, "querycap": querycap}


def test_cameras_are_what_captures_and_is_no_loopback(machine):
    found = list_cameras(**machine)
    assert [(device.index, device.name) for device in found] == [
        (0, "Integrated Camera"),
        (2, "HD Pro Webcam C920"),
        (6, "planar camera"),
        (8, "Locked Camera"),
    ]
    dev = machine["dev"]
    link = str(dev / "v4l" / "by-id" / "usb-046d_C920_ABC-video-index0")
    assert found[1] == Device(str(dev / "video2"), "HD Pro Webcam C920", 2, "uvcvideo", link, "usb-0000:00:14.0-2")
    assert found[0].by_id is None
    assert [device.locked for device in found] == [False, False, False, True]


def test_virtual_cameras_are_the_loopbacks_whether_written_to_or_not(machine):
    assert [(device.index, device.name) for device in list_virtual_cameras(**machine)] == [
        (10, "bgcam"),
        (11, "OBS Virtual Camera"),
        (12, "Locked Loopback"),
    ]
    assert [device.locked for device in list_virtual_cameras(**machine)] == [False, False, True]


def test_no_devices_at_all(tmp_path):
    assert list_cameras(sysfs=tmp_path / "none", dev=tmp_path) == []
    assert list_virtual_cameras(sysfs=tmp_path / "none", dev=tmp_path) == []


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("0", 0),
        ("2", 2),
        ("c920", 2),
        ("INTEGRATED", 0),
        ("046d_c920", 2),
        ("{dev}/video2", 2),
        ("{dev}/v4l/by-id/usb-046d_C920_ABC-video-index0", 2),
        ("planar camera", 6),
    ],
)
def test_find_device(machine, wanted, index):
    assert find_device(list_cameras(**machine), wanted.format(dev=machine["dev"])).index == index


def test_an_exact_name_beats_a_part():
    pair = [Device("/dev/video0", "Webcam", 0, "x"), Device("/dev/video2", "Webcam Pro", 2, "x")]
    assert find_device(pair, "webcam").index == 0
    assert find_device(pair, "pro").index == 2


def test_find_device_says_what_there_is(machine):
    found = list_cameras(**machine)
    with pytest.raises(SourceError, match=r"'cam' matches several devices: .*Integrated.*C920.*; give the path"):
        find_device(found, "cam")
    with pytest.raises(SourceError, match=r"no device matches 'zoom'; there are: .*video0 \(Integrated Camera\)"):
        find_device(found, "zoom")
    with pytest.raises(SourceError, match="no device matches '92'; there are"):  # a number is no part of "C920"
        find_device(found, "92")
    with pytest.raises(SourceError, match="no device matches ''; there are none"):
        find_device([], "")


def test_ioctls_have_the_kernels_numbers_and_layouts(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    node = tmp_path / "video0"
    node.touch()
    calls = []

    def ioctl(descriptor, request, buffer):
        calls.append((request, len(buffer), bytes(buffer)))
        if request == 0x80685600:
            texts = b"v4l2 loopback", b"bgcam", b"platform:x"
            struct.pack_into("=16s32s32sIII", buffer, 0, *texts, 0x60000, 0x85200003, 0x05200002)
        else:
            struct.pack_into("=II4s", buffer, struct.calcsize("P"), 1280, 720, b"YU12")

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    # bit 31 of `capabilities` says that this node's own bits are in `device_caps`
    assert listing.query_capability(str(node)) == Capability("v4l2 loopback", "bgcam", 0x05200002, "platform:x")
    assert listing.held_output_format(str(node)) == HeldFormat((1280, 720), "YU12")
    assert calls[0][1] == 104
    if struct.calcsize("P") == 8:
        assert calls[1][:2] == (0xC0D05604, 208)
    assert calls[1][2][:4] == struct.pack("=I", 2)


def test_a_file_that_is_no_device(tmp_path):
    pytest.importorskip("fcntl")
    (tmp_path / "video0").touch()
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        listing.query_capability(str(tmp_path / "video0"))


@pytest.mark.parametrize(("system", "first"), [("win32", 1400), ("darwin", 1200)])
def test_other_systems_cameras_by_their_library(monkeypatch, system, first):
    asked = []

    class Info:
        index, name, path = 1, "FaceTime HD Camera", "0x8020000005ac8514"

    def enumerate_cameras(backend):
        asked.append(backend)
        return [Info]

    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", SimpleNamespace(enumerate_cameras=enumerate_cameras))
    (found,) = list_cameras()
    assert asked == [first]
    assert (found.index, found.name, found.by_id) == (first + 1, Info.name, Info.path)
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", None)  # not installed
    assert list_cameras() == []
