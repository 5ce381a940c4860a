"""What v4l2loopback has since 0.13: an event that tells who reads, and devices that come and go while it is loaded."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import lab
import numpy as np
import pytest
from programs import Program

from bgcam.realtime.command.doctor import module_checks
from bgcam.realtime.command.doctor.finding import OK
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import System
from bgcam.realtime.devices.listing import opened
from bgcam.realtime.devices.users import find_holders
from bgcam.realtime.devices.v4l2 import ClientUsage
from bgcam.realtime.devices.viewers import EventViewers, watch_viewers
from bgcam.realtime.sinks._loopback import LoopbackWriter

Start = Callable[..., Program]
# v4l2loopback.h; the numbers from before 0.15 are taken too.
CONTROL, ADD, REMOVE = "/dev/v4l2loopback", 0x4C80, 0x4C81
CONFIG = struct.Struct("=ii32sIIIIiiii")  # number, -, label, sizes, buffers, openers, debug, not exclusive_caps


@pytest.fixture(scope="module", autouse=True)
def newer() -> Iterator[None]:
    lab.need_kernel()
    lab.load_newer_loopback()
    yield
    lab.load_loopback()


def add(number: int, label: str) -> None:
    config = CONFIG.pack(number, number, label.encode(), *[0] * 8)
    with open(CONTROL, "rb") as control:
        fcntl.ioctl(control, ADD, config)


def remove(number: int) -> None:
    with open(CONTROL, "rb") as control:
        fcntl.ioctl(control, REMOVE, number)


def test_the_driver_tells_who_streams_and_not_who_looks(output: str) -> None:
    with ExitStack() as stack:
        writer = stack.enter_context(closing(LoopbackWriter(320, 240, 5, output)))
        writer.send(np.full((360, 320), 128, np.uint8))
        assert isinstance(watch_viewers(writer._descriptor, output), EventViewers)
    with ExitStack() as stack:
        writer = stack.enter_context(closing(LoopbackWriter(320, 240, 5, output)))
        writer.send(np.full((360, 320), 128, np.uint8))
        usage = ClientUsage(writer._descriptor)
        stack.enter_context(opened(output))  # as a browser does that asks for names
        assert not usage.streams()
        with open(output, "rb", buffering=0) as reader:
            assert reader.read(10)
            assert usage.streams()
            usage.ask_again()  # the driver's answer to a new subscriber, not an event that was kept
            assert usage.streams()
        lab.wait_until(lambda: not usage.streams(), "the event of the reader that left")


def test_on_demand_goes_by_the_event(bgcam: Start, camera: str, output: str, beach: Path, tiny_model: Path) -> None:
    arguments = ("--camera", "vivid", "--size", "320x180", "--background", beach, "--model", tiny_model)
    run = bgcam(*arguments, "--threads", 1, "--on-demand", "--output", f"virtual:{output}")

    def is_on() -> bool:
        return bool(find_holders(camera).found)

    run.says("waiting for a viewer")
    lab.wait_until(lambda: lab.is_written(output) and not is_on(), "the placeholder alone")
    with opened(output):
        time.sleep(3)
        assert not is_on()  # it may look for as long as it likes
    for _ in range(2):
        with lab.viewing(output) as viewer:
            viewer.reads_until(lambda bgr: lab.near(bgr[-20:, -60:], lab.BEACH_BGR), "the beach")
            lab.wait_until(is_on, "the camera to be on")
        left_s = time.monotonic()
        lab.wait_until(lambda: not is_on(), "the camera to be off again")
        print(f"off after {time.monotonic() - left_s:.1f} s, in emulation")
    assert run.stop() == 0


def test_a_device_that_is_in_use_stays_and_one_that_comes_back_is_taken(
    bgcam: Start, beach: Path, tiny_model: Path, camera: str
) -> None:
    add(30, "late one")
    arguments = ("--camera", "vivid", "--size", "320x180", "--background", beach, "--model", tiny_model)
    for number in (30, 31):
        run = bgcam(*arguments, "--threads", 1, "--output", "virtual:late one")
        run.says(f"output: /dev/video{number} (late one)")
        with lab.viewing(f"/dev/video{number}") as viewer:
            viewer.reads_until(lambda bgr: lab.near(bgr[-20:, -60:], lab.BEACH_BGR), "the beach")
            with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
                remove(number)
            viewer.reads_until(lambda bgr: lab.near(bgr[-20:, -60:], lab.BEACH_BGR), "the beach, still")
        assert run.stop() == 0
        remove(number)
        if number == 30:
            add(31, "late one")


def test_doctor_knows_the_version() -> None:
    finding = module_checks.check_version(Machine(System()))
    assert finding is not None
    assert finding.verdict == OK
    version = Path("/sys/module/v4l2loopback/version").read_text().strip()
    assert finding.found == f"{version}; only one program at a time can read a device"
