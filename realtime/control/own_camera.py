"""The background is never the camera that looks at the person: it would show the room."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.errors import BackgroundError, SourceError, UsageError
from bgcam.realtime.sources.camera import device_of

# OpenCV's number of a camera is this many times a backend's, plus the camera's.
_BACKEND = 100
_USB = "usb-"


def refuse_own_camera(
    background: str,
    *,
    camera: str | None,
    in_use: str = "",
    find: Callable[[str | None], Device] = device_of,
) -> None:
    """Raise UsageError if a background is the input's camera, or another node of the same webcam, such as its infrared
    picture; BackgroundError if there is no such camera.

    camera: as `--camera` names it. in_use: the open camera's name, as the source has it; "" if it is yet to be opened.
    """
    wanted = camera_named(background)
    if not wanted:
        return
    try:
        behind = find(wanted)
    except SourceError as error:
        raise BackgroundError(f"background {background}: {error}") from error
    own = _own(camera, in_use, find)
    if own is None and not in_use:  # opening it says more
        return
    number = _number_of(in_use) if in_use or own is None else _number(own)
    same = in_use in (str(behind), behind.name) or _may_be(number, behind)
    same = same or (own is not None and (own.path, own.index) == (behind.path, behind.index))
    if own is not None and are_one_webcam(own, behind):
        raise UsageError(
            f"background {background} is in the same webcam as {own}, the camera that looks at you; give another one, "
            "see bgcam devices"
        )
    if same:
        raise UsageError(
            f"background {background} is the camera that looks at you; give another one, see bgcam devices"
        )


def are_one_webcam(one: Device, other: Device) -> bool:
    """Whether two nodes belong to one USB device: many webcams have a second one, for infrared or metadata."""
    return one.path != other.path and one.bus == other.bus and one.bus.startswith(_USB)


def in_use_among(devices: Sequence[Device], in_use: str) -> list[Device]:
    """Which of them the camera of this name is, or may be by its label alone."""
    return [one for one in devices if in_use in (str(one), one.name)] or [
        one for one in devices if in_use.endswith(f" ({one.name})")
    ]


def _own(camera: str | None, in_use: str, find: Callable[[str | None], Device]) -> Device | None:
    """The camera that looks at the person, None where it cannot be found. While it is off, it may be plugged in
    elsewhere, and another one in its place: then its label says which it is."""
    path, _, label = in_use.removesuffix(")").partition(" (")
    for wanted in filter(None, (path, label)) if in_use else (camera,):
        with contextlib.suppress(SourceError):
            found = find(wanted)
            if found.name == label or not label:
                return found
    return None


def _may_be(own: int | None, behind: Device) -> bool:
    """Off Linux, whether a camera that is known by its number alone may be the other one.

    Of a number and a listed camera, nobody knows. own: the number of the camera in use, None for a listed one.
    """
    other = _number(behind)
    if own is None or other is None:
        return own is not other
    return own % _BACKEND == other % _BACKEND


def _number(device: Device) -> int | None:
    return None if device.path else device.index


def _number_of(name: str) -> int | None:
    word, _, number = name.partition(" ")
    return int(number) if word == "camera" and number.isdigit() else None
