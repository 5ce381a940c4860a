"""Which camera is taken when none is named."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from fake_system import CAPTURE, FakeSystem
from test_camera import FakeCapture

from bgcam.realtime.command.machine import Machine
from bgcam.realtime.devices import v4l2
from bgcam.realtime.devices.default_camera import choose_default, read_formats
from bgcam.realtime.devices.listing import Capability, Device
from bgcam.realtime.devices.v4l2 import Mode
from bgcam.realtime.sources.camera import open_camera

INFRARED = Device("/dev/video0", "Integrated IR Camera", 0, "uvcvideo", None, "usb-1")
WEBCAM = Device("/dev/video2", "Integrated Camera", 2, "uvcvideo", None, "usb-2")
FORMATS = {INFRARED.path: ["GREY"], WEBCAM.path: ["MJPG", "YUYV"]}


def formats_of(device: Device) -> list[str]:
    return FORMATS[device.path]


def test_an_infrared_camera_is_passed_over() -> None:
    device, line = choose_default([INFRARED, WEBCAM], formats=formats_of)
    assert device == WEBCAM
    assert line == "skipped /dev/video0 (Integrated IR Camera), which offers only grey pictures (GREY)"
    assert choose_default([WEBCAM, INFRARED], formats=formats_of) == (WEBCAM, "")


@pytest.mark.parametrize("offered", [["GREY"], ["Y8  "], ["Y16 "], ["GREY", "Y10 ", "Y16 "], ["Z16 "]])
def test_each_grey_format_is_known(offered: list[str]) -> None:
    formats = {INFRARED.path: offered, WEBCAM.path: ["YUYV"]}
    assert choose_default([INFRARED, WEBCAM], formats=lambda device: formats[device.path])[0] == WEBCAM


@pytest.mark.parametrize("offered", [["GREY", "YUYV"], ["YU12"], ["Y41P"], ["MJPG"], []])
def test_what_has_colour_or_cannot_be_asked_is_taken(offered: list[str]) -> None:
    assert choose_default([INFRARED, WEBCAM], formats=lambda device: offered) == (INFRARED, "")


def test_where_all_are_grey_the_first_is_taken() -> None:
    assert choose_default([INFRARED, WEBCAM], formats=lambda device: ["GREY"]) == (INFRARED, "")


def test_the_only_camera_is_not_asked() -> None:
    assert choose_default([INFRARED], formats=lambda device: pytest.fail("asked")) == (INFRARED, "")


def test_the_source_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    capture = FakeCapture()
    there = [INFRARED, WEBCAM]
    source = open_camera(None, cameras=lambda: there, virtual=list, formats=formats_of, opener=lambda target: capture)
    capture.plugged = False
    source.close()
    assert source.name == "/dev/video2 (Integrated Camera)"
    assert "skipped /dev/video0 (Integrated IR Camera)" in source.note


def test_one_that_is_named_is_taken_whatever_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    capture = FakeCapture()
    there = [INFRARED, WEBCAM]
    source = open_camera("0", cameras=lambda: there, virtual=list, formats=formats_of, opener=lambda target: capture)
    capture.plugged = False
    source.close()
    assert source.name == "/dev/video0 (Integrated IR Camera)"
    assert "skipped" not in source.note


def test_doctor_examines_the_same(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path)
    grey = system.plug_in(0, Capability("uvcvideo", "IR", CAPTURE))
    colour = system.plug_in(2, Capability("uvcvideo", "Webcam", CAPTURE))
    system.formats |= {grey: [Mode("GREY", (640, 360), 30)], colour: [Mode("YUYV", (640, 480), 30)]}
    found = Machine(system).camera
    assert found is not None
    assert found.path == colour


def test_the_driver_is_asked_for_its_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ioctl(descriptor: int, request: int, data: bytearray) -> None:
        at, kind = struct.unpack_from("=II", data)
        assert (request, len(data), kind) == (0xC0405602, 64, 1)
        if at == 2:
            raise OSError(22, "Invalid argument")
        struct.pack_into("=4s", data, 44, (b"GREY", b"Y16 ")[at])

    monkeypatch.setattr(v4l2, "_ioctl", ioctl)
    node = tmp_path / "video0"
    node.touch()
    device: Any = Device(str(node), "IR", 0, "uvcvideo")
    assert read_formats(device) == ["GREY", "Y16 "]
    node.unlink()
    assert read_formats(device) == []
