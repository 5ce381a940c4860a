"""`bgcam devices`: what a user needs to pick a camera or virtual camera."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from bgcam.realtime.devices import listing
from bgcam.realtime.devices.listing import Device, opened
from bgcam.realtime.devices.users import Holders, find_holders
from bgcam.realtime.devices.v4l2 import DECODED, Mode, list_modes

# Slower than this is no choice while there is a smaller size that is not.
_FLUENT_FPS = 24.0
_SHOWN = 3


def read_modes(device: Device) -> Sequence[Mode]:
    """What a camera can give, by its driver; nothing where it cannot be asked."""
    try:
        with opened(device.path) as descriptor:
            return list_modes(descriptor)
    except OSError:
        return []


def print_devices() -> None:
    """All cameras and virtual cameras, each with the option that picks it."""
    for title, option, look in (
        ("cameras", "--camera ", listing.list_cameras),
        ("virtual cameras", "--output virtual:", listing.list_virtual_cameras),
    ):
        found = look()
        print(f"{title}:")
        for device in found:
            print("\n    ".join(lines(device, option=option, beside=found)))
        if not found:
            print("  none")


def lines(
    device: Device,
    *,
    option: str,
    beside: Sequence[Device],
    modes: Callable[[Device], Sequence[Mode]] = read_modes,
    holders: Callable[[str], Holders] = find_holders,
) -> list[str]:
    """What is told of one device, of those listed in `beside`. option: what its name is given to.

    The modes of a virtual camera are whatever is written to it, so they are left out.
    """
    told = [f"  {device.name}  {device.path}" + (f"  {device.by_id}" if device.by_id else "")]
    if device.locked:
        return [*told, "you have no permission to use it: run `sudo usermod -aG video $USER`, then log out and back in"]
    if device.driver != listing.LOOPBACK_DRIVER:
        best = ", ".join(map(str, islice(best_modes(modes(device)), _SHOWN)))
        told += [f"gives {best}"] if best else []
    try:
        who = holders(device.path)
    except OSError:  # no /proc
        who = Holders()
    if who.found:
        told.append(f"in use by {who}")
    return [*told, f"bgcam {option}{_word(device, beside)}"]


def best_modes(modes: Sequence[Mode]) -> Iterator[Mode]:
    """Of the formats that bgcam reads, the best first: each one's largest that is fluent, or its largest if none is."""

    def worth(mode: Mode) -> tuple[bool, int, float]:
        return mode.fps >= _FLUENT_FPS, mode.size_wh[0] * mode.size_wh[1], mode.fps

    for fourcc in DECODED:
        if own := [mode for mode in modes if mode.fourcc == fourcc]:
            yield max(own, key=worth)


def _word(device: Device, beside: Sequence[Device]) -> str:
    """What picks this device and no other: its name if it can."""
    try:
        if listing.find_device(beside, device.name) == device:
            return shlex.quote(device.name)
    except OSError:
        pass
    return shlex.quote(device.by_id or device.path)
