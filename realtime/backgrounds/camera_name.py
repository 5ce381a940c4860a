"""Which backgrounds are cameras, by their name alone."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgcam.realtime.devices.listing import Device

PREFIX = "camera:"
_V4L2_MAJOR = 81


def camera_named(spec: str) -> str | None:
    """The camera that a background names: "1" for "camera:1", "/dev/video2" for itself; None for another background."""
    if spec.lower().startswith(PREFIX):
        return spec[len(PREFIX) :].strip()
    if spec.startswith(("/dev/video", "/dev/v4l/")):
        return spec
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError):
            found = os.stat(spec)
            if stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == _V4L2_MAJOR:
                return spec
    return None


def camera_spec(device: Device) -> str:
    """The background that shows a camera."""
    return f"{PREFIX}{device.path if sys.platform == 'linux' else device.index}"
