"""Finds the camera that the user named, and finds the same camera again after it was lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bgcam.realtime.devices.default_camera import Formats, choose_default, read_formats
from bgcam.realtime.devices.listing import Device, find_device, list_cameras, list_virtual_cameras
from bgcam.realtime.errors import SourceError
from bgcam.realtime.sources.base import Wanted, always
from bgcam.realtime.sources.capture import CameraSource, Opener, open_capture
from bgcam.realtime.sources.reopening import ReopeningSource

Lister = Callable[[], Sequence[Device]]


def open_camera(
    wanted: str | None,
    *,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    cameras: Lister = list_cameras,
    virtual: Lister = list_virtual_cameras,
    formats: Formats = read_formats,
    opener: Opener = open_capture,
    in_demand: Wanted = always,
) -> ReopeningSource:
    """The camera that `wanted` names (see `find_device`); None: the first colour camera. A lost camera is searched
    for again.

    in_demand: `wanted` of `ReopeningSource`.
    cameras, virtual: list this machine's devices.
    formats: lists the formats of one of them.

    Raises SourceError if there is no such camera, or if it delivers no picture.
    """
    where: dict[str, Any] = {"cameras": cameras, "virtual": virtual, "formats": formats, "opener": opener}
    camera, again, passed_over = _open_with_again(wanted, size_wh=size_wh, fps=fps, mirror=mirror, **where)
    source = ReopeningSource(camera, again, wanted=in_demand)
    source.note = "; ".join(filter(None, (source.note, passed_over)))
    return source


def open_other_camera(
    wanted: str,
    *,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    cameras: Lister = list_cameras,
    virtual: Lister = list_virtual_cameras,
    opener: Opener = open_capture,
) -> tuple[CameraSource, Callable[[], CameraSource] | None]:
    """A camera for `ReopeningSource.replace`, open, and what opens it again. As `open_camera`."""
    where: dict[str, Any] = {"cameras": cameras, "virtual": virtual, "formats": read_formats, "opener": opener}
    camera, again, _ = _open_with_again(wanted, size_wh=size_wh, fps=fps, mirror=mirror, **where)
    return camera, again


def _open_with_again(
    wanted: str | None,
    *,
    size_wh: tuple[int, int] | None,
    fps: float | None,
    mirror: bool,
    cameras: Lister,
    virtual: Lister,
    formats: Formats,
    opener: Opener,
) -> tuple[CameraSource, Callable[[], CameraSource] | None, str]:
    """The camera, what opens the same one again if it can be recognised, and which others were passed over."""
    there = cameras()
    listed, device, passed_over = _found(wanted, there, virtual, formats)

    def open_at(found: Device) -> CameraSource:
        target: int | str = found.path if sys.platform == "linux" else found.index
        name = str(found) if listed else found.name
        return CameraSource(target, name=name, size_wh=size_wh, fps=fps, mirror=mirror, opener=opener)

    def again() -> CameraSource:
        found: Device | None = device
        if listed:
            found = same_camera(device, [*cameras(), *virtual()], beside=there)
        elif not os.path.exists(device.path):
            found = None
        if found is None:
            raise SourceError(f"{device if listed else device.name}: it is gone; plug it back in")
        return open_at(found)

    # By its number alone a camera cannot be distinguished from another that took its place.
    reopens = listed or sys.platform == "linux"
    return open_at(device), again if reopens else None, passed_over


def device_of(
    wanted: str | None,
    *,
    cameras: Lister = list_cameras,
    virtual: Lister = list_virtual_cameras,
    formats: Formats = read_formats,
) -> Device:
    """The device that `open_camera` would open, not opened. Raises SourceError."""
    return _found(wanted, cameras(), virtual, formats)[1]


def same_camera(lost: Device, there: Sequence[Device], *, beside: Sequence[Device] = ()) -> Device | None:
    """The lost camera among those that are present now, under whatever path; None if it cannot be identified.

    The name must match, and the by-id path, which contains the serial number if there is one. beside: those that were
    present when it was opened: if one of them could be mistaken for it, the bus must match too.
    """
    alike = [other for other in beside if other.path != lost.path and _could_be(other, lost)]
    found = [
        device
        for device in there
        if device.name == lost.name and device.by_id == lost.by_id and (not alike or device.bus == lost.bus != "")
    ]
    return found[0] if len(found) == 1 else None


def _could_be(other: Device, lost: Device) -> bool:
    # Of two links to cameras without a serial number, only one can exist: the other camera seems to have none.
    return other.name == lost.name and (other.by_id == lost.by_id or None in (other.by_id, lost.by_id))


def _found(wanted: str | None, there: Sequence[Device], virtual: Lister, formats: Formats) -> tuple[bool, Device, str]:
    """As `_choose`, and which others were passed over."""
    if wanted is None and there and sys.platform == "linux":
        return True, *choose_default(there, formats=formats)
    return *_choose(wanted, there, virtual), ""


def _choose(wanted: str | None, there: Sequence[Device], virtual: Lister) -> tuple[bool, Device]:
    """Whether the device is listed, and the device."""
    if wanted is None and there:
        return True, there[0]
    if sys.platform != "linux" and (wanted is None or wanted.isdigit()):
        return False, Device("", f"camera {wanted or 0}", int(wanted or 0), "")
    if wanted is None:
        raise SourceError("no camera found; plug one in, or give a file with --input FILE")
    known = [*there, *virtual()]  # another program's virtual camera may be chosen by name
    if os.path.isabs(wanted) and not Path(wanted).exists():
        raise SourceError(f"no camera at {wanted}; `bgcam devices` lists the cameras")
    if os.path.isabs(wanted) and os.path.realpath(wanted) not in {device.path for device in known}:
        return False, Device(wanted, wanted, -1, "")
    return True, find_device(known, wanted)
