"""Checks of the camera: is it there, may it be used, is it free, and does it give a picture."""

from __future__ import annotations

from bgcam.realtime.command.doctor import controls
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING, Finding
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.errors import SourceError

PICTURE_TIMEOUT_S = 30
# A cap or a closed shutter still gives some noise.
DARK_BELOW = 24
SLOW_BELOW = 0.8
FORMATS_TOLD = 3


def check_camera(machine: Machine) -> Finding | None:
    if not machine.is_linux:
        return Finding("camera", OK, f"not checked: this is {machine.system.platform}, and doctor supports only Linux")
    try:
        camera = machine.camera
    except SourceError as error:
        return Finding("camera", PROBLEM, str(error), advice="give another name with --camera")
    if camera is None:
        where = "plug one in; a built-in one may have a switch, a key or a setting in the BIOS that turns it off"
        return Finding("camera", PROBLEM, "none found", advice=where)
    more = f", and {len(machine.cameras) - 1} more" if len(machine.cameras) > 1 else ""
    return Finding("camera", OK, f"{camera}{more}")


def check_permission(machine: Machine) -> Finding | None:
    """The camera, and all other devices that bgcam could take."""
    locked = [device for device in (*machine.cameras, *machine.virtual_cameras) if device.locked]
    if not locked:
        return Finding("permission", OK, "this user has access to it") if _camera(machine) else None
    verdict = PROBLEM if _camera(machine) in locked else WARNING
    found = f"this user has no permission to open {', '.join(device.path for device in locked)}"
    run = machine.system.run
    # Without a user's name it tells the session's groups, with it those of the next log-in.
    session, next_one = (run("id", "-nG", *user).out.split() for user in ((), (run("id", "-un").out.strip(),)))
    if "video" in next_one and "video" not in session:
        return Finding("permission", verdict, found, advice="you were added to the group video: log out and back in")
    return Finding("permission", verdict, found, 'sudo usermod -aG video "$USER"', "then log out and back in")


def check_busy(machine: Machine) -> Finding | None:
    camera = _usable(machine)
    if camera is None:
        return None
    if not controls.is_busy(machine.system, camera.path):
        return Finding("in use", OK, "by nobody")
    holders = machine.holders(camera.path)
    if any(holder.name == "bgcam" for holder in holders.found):
        return Finding("in use", OK, "by bgcam itself")
    # Some only look at which cameras there are.
    streaming = [holder for holder in holders.found if holder.maps] or holders.found
    if streaming:
        names = ", ".join(map(str, streaming))
        return Finding("in use", PROBLEM, f"by {names}", advice="close it, or pick the virtual camera in it")
    who = machine.as_root(f"fuser -v {camera.path}")
    return Finding("in use", PROBLEM, "by a program of another user", advice=f"`{who}` shows which; close it")


def check_format(machine: Machine) -> Finding | None:
    camera = _usable(machine)
    try:
        modes = machine.system.modes(camera.path) if camera else []
    except OSError:
        modes = []
    formats = dict.fromkeys(mode.fourcc.strip() for mode in modes)
    if not formats:
        return None
    if "MJPG" in formats:
        largest = max((mode for mode in modes if mode.fourcc == "MJPG"), key=lambda mode: mode.size_wh)
        return Finding("format", OK, f"MJPG, up to {largest.size_wh[0]}x{largest.size_wh[1]}")
    more = len(formats) - FORMATS_TOLD
    raw = ", ".join(list(formats)[:FORMATS_TOLD]) + (f" and {more} more" if more > 0 else "")
    return Finding(
        "format", WARNING, f"no MJPG, only {raw}: HD may be slow", advice="if it is slow: bgcam --size 640x480"
    )


def check_picture(machine: Machine) -> Finding | None:
    """Opens the camera as bgcam does, for two seconds: its light goes on."""
    camera = _usable(machine)
    if camera is None or controls.is_busy(machine.system, camera.path):
        return None
    told = machine.probe("camera", camera.path, timeout_s=PICTURE_TIMEOUT_S)
    if "error" in told:
        return Finding("picture", PROBLEM, told["error"], advice="unplug the camera and plug it back in, or restart")
    width, height = told["size_wh"]
    found = f"{width}x{height}, {told['seen_fps']:.0f} frames a second"
    if told["brightest"] < DARK_BELOW:
        return Finding(
            "picture", WARNING, f"{found}, but all black", advice="open the camera's shutter, or turn on a light"
        )
    if told["seen_fps"] >= SLOW_BELOW * told["fps"]:
        return Finding("picture", OK, found)
    found += f" instead of {told['fps']:.0f}"
    if controls.control(machine.system, camera.path, controls.EXPOSURE_MAY_SLOW_DOWN):
        name = controls.control_name(machine.system, camera.path, controls.EXPOSURE_MAY_SLOW_DOWN)
        return _exposure(machine, camera, f"{found}: the camera exposes for longer in dim light", f"{name}=0")
    time = controls.control(machine.system, camera.path, controls.EXPOSURE_TIME) or 0  # in 100 us
    manual = controls.control(machine.system, camera.path, controls.EXPOSURE_AUTO) == controls.EXPOSURE_IS_MANUAL
    if manual and time * told["fps"] > 10_000:
        name = controls.control_name(machine.system, camera.path, controls.EXPOSURE_TIME)
        longest = int(10_000 / told["fps"])
        return _exposure(machine, camera, f"{found}: its exposure is set to {time / 10:g} ms", f"{name}={longest}")
    return Finding("picture", WARNING, found, advice="try another USB port, without a hub; or bgcam --size 640x480")


def _exposure(machine: Machine, camera: Device, found: str, setting: str) -> Finding:
    command = f"v4l2-ctl -d {camera.path} -c {setting}"
    if machine.system.run("v4l2-ctl", "--version").code:
        return Finding("picture", WARNING, found, advice=f"add light; or install v4l-utils, then run: {command}")
    return Finding("picture", WARNING, found, command, "or more light")


def _camera(machine: Machine) -> Device | None:
    try:
        return machine.camera
    except SourceError:
        return None


def _usable(machine: Machine) -> Device | None:
    """The camera, where it may be opened."""
    camera = _camera(machine)
    return camera if camera and not camera.locked else None
