"""What `bgcam doctor` says of the virtual camera and its driver: each verdict, with the fault that it is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_system import ALONE, CAPTURE, OUTPUT, FakeSystem, judged, mint, one

from bgcam.realtime.command.doctor import camera_checks, loopback_checks, model_checks, module_checks
from bgcam.realtime.command.doctor.checks import CHECKS, Check
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import Ran
from bgcam.realtime.devices.v4l2 import HeldFormat

MOK = "/var/lib/shim-signed/mok/MOK.der"
SUDO_APT = "sudo apt install v4l2loopback-dkms"


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    return mint(tmp_path)


def installed_with(*, keys: str = "", secure: bool = True, dmesg: str = "") -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        system.install()
        system.write(module_checks.SECURE_BOOT, b"\x06\0\0\0" + bytes([secure]))
        system.commands["dmesg",] = Ran(0, dmesg)
        if keys:
            system.write(keys, b"key")
            system.commands["mokutil", "--test-key", keys] = Ran(1, f"{keys} is not enrolled\n")

    return bring_about


def dkms_for_other_kernels(system: FakeSystem) -> None:
    system.write("/var/lib/dkms/v4l2loopback/0.12.7/6.0.9/x86_64/log", "")
    system.write("/var/lib/dkms/v4l2loopback/kernel-6.0.9-x86_64", "")


def says_no_version(system: FakeSystem) -> None:
    dkms_for_other_kernels(system)
    system.write("/sys/module/v4l2loopback/refcnt", "0")


def no_modules(system: FakeSystem) -> None:
    system.write("/proc/sys/kernel/osrelease", "6.9.9\n")


def unknown_system(system: FakeSystem) -> None:
    system.write("/etc/os-release", "ID=plan9\n")


def fedora(system: FakeSystem) -> None:
    system.write("/etc/os-release", "ID=fedora\n")


def written_to(*, name: str = "", other: str = "") -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        path = system.loopback(state="capture")
        system.held[path] = HeldFormat((640, 480), "YUYV")
        if name:
            system.hold(path, pid=99, name=name)
        if other:
            system.loopback(11, label="Second", state=other)

    return bring_about


def written_and_watched(system: FakeSystem) -> None:
    written_to(name="ffmpeg")(system)
    system.hold(str(system.path("/dev/video10")), pid=41, name="zoom")


def watched(system: FakeSystem) -> None:
    """Who writes is not seen; zoom cannot be the one."""
    written_to(name="zoom")(system)
    system.write("/proc/99/fdinfo/5", "flags:\t0100000\n")


def old_driver(shown: str) -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        path = system.loopback(state="")
        system.write(f"/sys/class/video4linux/{Path(path).name}/format", shown)
        system.hold(path, pid=99, name="ffmpeg")

    return bring_about


def locked_loopback(system: FakeSystem) -> None:
    system.load("0.13.2")
    system.plug_in(10, ALONE, name="bgcam")
    system.write("/sys/class/video4linux/video10/max_openers", "10")


def no_port(system: FakeSystem) -> None:
    system.free_port = False


# check, what is brought about, verdict, what must be said, what must be in the command ("" for none)
VERDICTS: list[tuple[Check, Callable[[FakeSystem], Any], str, str, str]] = [
    (module_checks.check_installed, lambda system: None, WARNING, "not installed", SUDO_APT),
    (module_checks.check_installed, lambda system: system.install(), OK, "installed", ""),
    (module_checks.check_installed, dkms_for_other_kernels, WARNING, "not built for", "sudo dkms autoinstall"),
    (module_checks.check_installed, no_modules, WARNING, "no modules folder", ""),
    (module_checks.check_installed, unknown_system, WARNING, "not installed", ""),
    (module_checks.check_installed, fedora, WARNING, "not installed", "sudo dnf install akmod-v4l2loopback"),
    (module_checks.check_loaded, lambda system: system.install(), WARNING, "no", "install-camera --yes"),
    (module_checks.check_loaded, lambda system: system.load("0.13.2"), OK, "yes", ""),
    (module_checks.check_version, lambda system: system.load("0.12.7"), OK, "0.12.7", ""),
    (module_checks.check_version, says_no_version, OK, "0.12.7", ""),
    (module_checks.check_version, lambda system: system.load("0.15.1"), OK, "one program at a time", ""),
    (module_checks.check_version, lambda system: system.load("0.12.5"), WARNING, "older than 0.12.7", ""),
    (module_checks.check_secure_boot, installed_with(), OK, "will show whether its key is trusted", ""),
    (module_checks.check_secure_boot, installed_with(keys=MOK), WARNING, "does not trust", f"mokutil --import {MOK}"),
    (
        module_checks.check_secure_boot,
        installed_with(dmesg="[3.1] Loading of module with unavailable key is rejected\n"),
        WARNING,
        "Key was rejected by service",
        "",
    ),
    (loopback_checks.check_there, lambda system: system.loopback(), OK, "video10 (bgcam)", ""),
    (loopback_checks.check_there, lambda system: system.load("0.13.2"), WARNING, "none, though", "install-camera"),
    (loopback_checks.check_there, locked_loopback, WARNING, "none that this user has permission to open", ""),
    (loopback_checks.check_exclusive_caps, lambda system: system.loopback(), OK, "on", ""),
    (
        loopback_checks.check_exclusive_caps,
        lambda system: system.loopback(bits=CAPTURE | OUTPUT),
        WARNING,
        "Chrome, Zoom and Teams",
        "install-camera",
    ),
    (loopback_checks.check_exclusive_caps, lambda system: system.loopback(bits=CAPTURE), OK, "on", ""),
    (loopback_checks.check_label, lambda system: system.loopback(), OK, "bgcam", ""),
    (loopback_checks.check_label, lambda system: system.loopback(label="OBS Camera"), OK, "pick that name", ""),
    (
        loopback_checks.check_label,
        lambda system: system.loopback(label="Dummy video device (0x0000)"),
        WARNING,
        "hard to recognise",
        "install-camera",
    ),
    (loopback_checks.check_number, lambda system: system.loopback(63), OK, "63", ""),
    (loopback_checks.check_number, lambda system: system.loopback(64), WARNING, "64: Firefox", "install-camera"),
    (loopback_checks.check_writer, lambda system: system.loopback(), OK, "by nobody", ""),
    (loopback_checks.check_writer, written_to(name="bgcam"), OK, "by bgcam itself", ""),
    (loopback_checks.check_writer, written_to(name="ffmpeg"), PROBLEM, "ffmpeg (pid 99), 640x480 YUYV", ""),
    (loopback_checks.check_writer, written_to(name="ffmpeg", other="capture"), PROBLEM, "ffmpeg", ""),
    (loopback_checks.check_writer, written_to(name="ffmpeg", other="output"), WARNING, "ffmpeg", ""),
    (loopback_checks.check_writer, written_and_watched, PROBLEM, "by one of zoom (pid 41), ffmpeg (pid 99)", ""),
    (loopback_checks.check_writer, watched, PROBLEM, "by a program of another user", "modprobe -r v4l2loopback"),
    (loopback_checks.check_writer, old_driver("YUYV:320x240@30"), PROBLEM, "ffmpeg (pid 99)", ""),
    (loopback_checks.check_writer, old_driver(""), OK, "by nobody", ""),
    (loopback_checks.check_writer, written_to(), PROBLEM, "keep_format", "modprobe -r v4l2loopback && sudo modprobe"),
    (model_checks.check_web_page, lambda system: None, OK, "free", ""),
    (model_checks.check_web_page, no_port, PROBLEM, "in use", ""),
]


@pytest.mark.parametrize(("check", "bring_about", "verdict", "says", "command"), VERDICTS)
def test_verdict(
    system: FakeSystem, check: Check, bring_about: Callable[[FakeSystem], Any], verdict: str, says: str, command: str
) -> None:
    bring_about(system)
    judged(one(check, system), verdict, says=says, command=command)


def test_every_check_has_a_verdict_here() -> None:
    assert {check for check, *_ in VERDICTS} == set(CHECKS["virtual camera"])


def test_a_virtual_camera_that_is_locked_is_no_webcam_and_the_page_is_taken(system: FakeSystem) -> None:
    locked_loopback(system)
    machine = Machine(system)
    assert (machine.cameras, machine.virtual_camera) == ([], None)
    assert one(camera_checks.check_camera, system).found == "none found"
    found = one(camera_checks.check_permission, system)
    assert (found.verdict, found.command) == (WARNING, 'sudo usermod -aG video "$USER"')


def test_modprobe_itself_tells_of_a_rejected_key(system: FakeSystem) -> None:
    installed_with(secure=False)(system)
    assert module_checks.check_secure_boot(Machine(system)) is None
    said = "modprobe: ERROR: could not insert 'v4l2loopback': Key was rejected by service"
    assert one(module_checks.check_secure_boot, system, load_error=said).verdict == WARNING


def test_a_rejected_module_has_to_be_there(system: FakeSystem) -> None:
    system.write(module_checks.SECURE_BOOT, b"\x06\0\0\0\x01")
    assert module_checks.check_secure_boot(Machine(system)) is None


def test_a_loaded_module_is_trusted(system: FakeSystem) -> None:
    installed_with(keys=MOK)(system)
    system.load("0.13.2")
    assert module_checks.check_secure_boot(Machine(system)) is None


def test_root_needs_no_sudo(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path, is_root=True)
    system.kernel()
    system.write("/etc/os-release", "ID=debian\n")
    assert one(module_checks.check_installed, system).command == "apt install v4l2loopback-dkms"
