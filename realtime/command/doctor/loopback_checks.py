"""Checks of the virtual camera: do calls see it under a good name, and is it free to be written to."""

from __future__ import annotations

from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING, Finding
from bgcam.realtime.command.machine import LABEL, MODULE, Machine

_CAPTURE, _OUTPUT = 0x1, 0x2
# Firefox and OBS look no further than /dev/video63.
NUMBERS = 64
UNNAMED = "Dummy video device"


def check_there(machine: Machine) -> Finding | None:
    if machine.virtual_camera:
        return Finding("virtual camera", OK, str(machine.virtual_camera))
    if not machine.module_is_loaded:
        return None
    if machine.virtual_cameras:
        return Finding(
            "virtual camera", WARNING, "none that this user has permission to open", advice="see permission above"
        )
    return Finding("virtual camera", WARNING, f"none, though {MODULE} is loaded", machine.install_camera)


def check_exclusive_caps(machine: Machine) -> Finding | None:
    """Asked of the device itself: the module's parameter is a list, and devices may be added by other means."""
    device = machine.virtual_camera
    if device is None:
        return None
    try:
        bits = machine.system.capability(device.path).bits
    except OSError as error:
        return Finding("exclusive_caps", WARNING, f"unknown ({error.strerror})")
    if bits & _CAPTURE and bits & _OUTPUT:
        found = "off: Chrome, Zoom and Teams do not show the camera"
        return Finding(
            "exclusive_caps", WARNING, found, machine.install_camera, "first close the programs that use the camera"
        )
    return Finding("exclusive_caps", OK, "on")


def check_label(machine: Machine) -> Finding | None:
    device = machine.virtual_camera
    if device is None:
        return None
    if device.name.startswith(UNNAMED):
        found = f"{device.name!r}, which is hard to recognise in a list"
        return Finding("name", WARNING, found, machine.install_camera, "first close the programs that use the camera")
    other = "" if LABEL in device.name.casefold() else ": pick that name in a call"
    return Finding("name", OK, device.name + other)


def check_number(machine: Machine) -> Finding | None:
    device = machine.virtual_camera
    if device is None:
        return None
    if device.index < NUMBERS:
        return Finding("number", OK, f"{device.index}")
    found = f"{device.index}: Firefox and OBS look for cameras below {NUMBERS} only"
    return Finding("number", WARNING, found, machine.install_camera, "first close the programs that use the camera")


def check_writer(machine: Machine) -> Finding | None:
    """Another writer keeps its own format: bgcam's pictures would be refused. It takes another device if it can."""
    device = machine.virtual_camera
    if device is None:
        return None
    if not _is_written_to(machine, device.path):
        return Finding("written to", OK, "by nobody")
    holders = machine.holders(device.path)
    if any(holder.name == "bgcam" for holder in holders.found):
        return Finding("written to", OK, "by bgcam itself")
    try:
        shape = f", {machine.system.held_format(device.path)}"
    except OSError:
        shape = ""
    taken = all(_is_written_to(machine, other.path) for other in machine.virtual_cameras if not other.locked)
    verdict = PROBLEM if taken else WARNING
    if holders.writers:
        return Finding("written to", verdict, f"by {holders.writers}{shape}", advice="close it")
    found = f"by a program of another user, or its format is kept (keep_format){shape}"
    command = machine.as_root(f"modprobe -r {MODULE}") + " && " + machine.as_root(f"modprobe {MODULE}")
    who = machine.as_root(f"fuser -v {device.path}")
    return Finding(
        "written to", verdict, found, command, f"this fails while the device is in use; {who} shows who uses it"
    )


def _is_written_to(machine: Machine, path: str) -> bool:
    """The driver's `state` is "capture" while a program writes, so that there is something to capture. Version 0.12 has
    no `state`, and reports a `format` only while a program writes.
    """
    folder = f"/sys/class/video4linux/{path.rpartition('/')[2]}"
    state = machine.system.read(f"{folder}/state")
    return state == "capture" if state else bool(machine.system.read(f"{folder}/format"))
