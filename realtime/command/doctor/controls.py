"""A camera's exposure, and whether another program streams from it (linux/videodev2.h)."""

from __future__ import annotations

import errno
import re
import struct

from bgcam.realtime.command.system import System

EXPOSURE_AUTO, EXPOSURE_TIME, EXPOSURE_MAY_SLOW_DOWN = 0x009A0901, 0x009A0902, 0x009A0903
EXPOSURE_IS_MANUAL = 1

# The kernel encodes direction and struct size into the request's number.
_FORMAT_AT = struct.calcsize("P")
_FORMAT_BYTES = _FORMAT_AT + 200
QUERYCTRL, G_CTRL = 0xC0445624, 0xC008561B
G_FMT, S_FMT = (0xC0005600 | number | _FORMAT_BYTES << 16 for number in (4, 5))
_CAPTURE = 1


def is_busy(system: System, path: str) -> bool:
    """Whether another program streams from the camera: then the format that it has cannot be set again."""
    answer = bytearray(_FORMAT_BYTES)
    struct.pack_into("=I", answer, 0, _CAPTURE)
    try:
        system.ioctl(path, G_FMT, answer)
        system.ioctl(path, S_FMT, answer)
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def control(system: System, path: str, number: int) -> int | None:
    """A control's value; None when the camera has no such control."""
    answer = bytearray(struct.pack("=Ii", number, 0))
    try:
        system.ioctl(path, G_CTRL, answer)
    except OSError:
        return None
    value: int = struct.unpack("=Ii", answer)[1]
    return value


def control_name(system: System, path: str, number: int) -> str:
    """A control's name as v4l2-ctl wants it; it differs between kernels. "" when the camera has no such control."""
    answer = bytearray(68)
    struct.pack_into("=I", answer, 0, number)
    try:
        system.ioctl(path, QUERYCTRL, answer)
    except OSError:
        return ""
    told = bytes(answer[8:40]).split(b"\0", 1)[0].decode("latin-1")
    return re.sub(r"[^a-z0-9]+", "_", told.lower()).strip("_")
