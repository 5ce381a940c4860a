"""Lists cameras and virtual cameras with V4L2 on Linux; on Windows and macOS, only cameras."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bgcam.realtime.devices.v4l2 import HeldFormat, output_format
from bgcam.realtime.errors import SourceError

LOOPBACK_DRIVER = "v4l2 loopback"

_SYSFS = Path("/sys/class/video4linux")
_DEV = Path("/dev")

# linux/videodev2.h. A request's number encodes its direction and the size of its struct.
_VIDIOC_QUERYCAP = 0x80685600
_QUERYCAP = struct.Struct("=16s32s32sIII12x")
_CAPTURE = 0x00000001 | 0x00001000  # single and multi-planar
_DEVICE_CAPS = 0x80000000

# The numbers of OpenCV's camera backends.
_AVFOUNDATION, _MSMF = 1200, 1400


@dataclass(frozen=True)
class Device:
    """One video device.

    path: "/dev/video0".
    name: its card label.
    index: the number in the path.
    driver: the driver's name, "" if this user may not query it.
    by_id: its /dev/v4l/by-id path, which survives a reboot, or None.
    bus: where it is plugged in, as the driver reports it ("usb-0000:00:14.0-2"), or "".
    locked: this user has no permission to open it.
    """

    path: str
    name: str
    index: int
    driver: str
    by_id: str | None = None
    bus: str = ""
    locked: bool = False

    def __str__(self) -> str:
        return f"{self.path} ({self.name})"


@dataclass(frozen=True)
class Capability:
    """The answer to VIDIOC_QUERYCAP.

    driver: the driver's name.
    card: the card label.
    bits: the V4L2_CAP_* bits of this node.
    bus: where it is plugged in.
    """

    driver: str
    card: str
    bits: int
    bus: str = ""


QueryCap = Callable[[str], Capability]


def query_capability(path: str) -> Capability:
    """Queries a device by its path. Raises OSError."""
    with opened(path) as descriptor:
        return capability_of(descriptor)


def capability_of(descriptor: int) -> Capability:
    """Queries an open device. Raises OSError."""
    import fcntl

    answer = bytearray(_QUERYCAP.size)
    fcntl.ioctl(descriptor, _VIDIOC_QUERYCAP, answer)
    driver, card, bus, _version, everything, node = _QUERYCAP.unpack(answer)
    return Capability(_text(driver), _text(card), node if everything & _DEVICE_CAPS else everything, _text(bus))


def held_output_format(path: str) -> HeldFormat:
    """The current format of an output device (VIDIOC_G_FMT). Raises OSError."""
    with opened(path) as descriptor:
        return output_format(descriptor)


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Opens a device for queries and yields its descriptor. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def list_cameras(*, sysfs: Path = _SYSFS, dev: Path = _DEV, querycap: QueryCap = query_capability) -> list[Device]:
    """Cameras by number. Virtual cameras are left out, because one of them may be bgcam's own output.

    A camera that this user has no permission to open is also listed, as locked: opening it then reports what to do.
    """
    if sys.platform != "linux":
        return list_foreign_cameras()

    def keep(found: Capability) -> bool:
        return bool(found.bits & _CAPTURE) and found.driver != LOOPBACK_DRIVER

    return _list(keep, sysfs=sysfs, dev=dev, querycap=querycap)


def list_virtual_cameras(
    *, sysfs: Path = _SYSFS, dev: Path = _DEV, querycap: QueryCap = query_capability
) -> list[Device]:
    """Devices of the v4l2loopback module by number, also if a program writes to them or they are locked."""
    # With exclusive_caps the output bit is cleared while a writer streams, so the driver's name decides.
    return _list(lambda found: found.driver == LOOPBACK_DRIVER, sysfs=sysfs, dev=dev, querycap=querycap)


def list_foreign_cameras() -> list[Device]:
    """Cameras on Windows (Media Foundation) and macOS (AVFoundation); none if cv2-enumerate-cameras is missing.

    index: the argument of `cv2.VideoCapture`, including its backend.
    """
    import importlib

    try:
        enumerate_cameras = importlib.import_module("cv2_enumerate_cameras").enumerate_cameras
    except ImportError:
        return []
    backend = {"win32": _MSMF, "darwin": _AVFOUNDATION}.get(sys.platform)
    found = [] if backend is None else [(backend + info.index, info) for info in enumerate_cameras(backend)]
    return [Device(info.path or f"camera {at}", info.name, at, "", info.path or None) for at, info in found]


def find_device(devices: Sequence[Device], wanted: str) -> Device:
    """The device that `wanted` names: an index, a path, a by-id path, or part of its name or by-id name in any case.

    Raises SourceError if none matches, or if several do (it lists them).
    """
    folded = wanted.casefold()
    tests: tuple[Callable[[Device], bool], ...] = (
        lambda device: wanted == str(device.index),
        lambda device: wanted in (device.path, device.by_id) or os.path.realpath(wanted) == device.path,
        lambda device: folded == device.name.casefold(),
        lambda device: folded in device.name.casefold() or folded in Path(device.by_id or "").name.casefold(),
    )
    if wanted.isdigit():
        tests = tests[:1]  # "1" is a number, not part of "USB 3.1 camera"
    if wanted:
        for test in tests:
            fitting = [device for device in devices if test(device)]
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                raise SourceError(f"{wanted!r} matches several devices: {_listed(fitting)}; give the path of one")
    there = f"there are: {_listed(devices)}" if devices else "there are none"
    raise SourceError(f"no device matches {wanted!r}; {there}")


def _list(keep: Callable[[Capability], bool], *, sysfs: Path, dev: Path, querycap: QueryCap) -> list[Device]:
    by_id = _by_id(dev)
    found = []
    for node in sysfs.glob("video*") if sysfs.is_dir() else ():
        number = node.name.removeprefix("video")
        if not number.isdigit():
            continue
        path, locked = str(dev / node.name), False
        try:
            capability = querycap(path)
        except PermissionError:
            capability, locked = _by_sysfs(node), True
        except OSError:
            continue
        if keep(capability):
            link = by_id.get(os.path.realpath(path))
            name = capability.card or path
            found.append(Device(path, name, int(number), capability.driver, link, capability.bus, locked))
    return sorted(found, key=lambda device: device.index)


def _by_sysfs(node: Path) -> Capability:
    """What sysfs says of a device that this user may not open: its name, and whether it is v4l2loopback's."""
    if (node / "max_openers").exists():  # only that driver has it
        return Capability(LOOPBACK_DRIVER, _read(node / "name"), 0)
    # A camera's first node (index 0) is the one with pictures.
    return Capability("", _read(node / "name"), _CAPTURE if _read(node / "index") in ("", "0") else 0)


def _by_id(dev: Path) -> dict[str, str]:
    """Real device path -> its by-id link."""
    folder = dev / "v4l" / "by-id"
    links = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    return {os.path.realpath(link): str(link) for link in links}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(str(device) for device in devices)


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
