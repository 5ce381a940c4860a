"""The camera that is taken when none is named: the first that gives colour.

Laptops with face recognition have an infrared camera too, and some list it first. It offers formats of grey alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bgcam.realtime.devices.listing import Device, opened
from bgcam.realtime.devices.v4l2 import list_formats

# V4L2's formats of brightness or depth alone (linux/videodev2.h).
COLOURLESS = frozenset({
    "GREY", "Y8  ", "Y04 ", "Y06 ", "Y10 ", "Y12 ", "Y14 ", "Y16 ", "Y10B", "Y10P", "Y12P", "Y14P", "Y8I ", "Y12I",
    "Y16I", "Z16 ", "INZI", "CNF4", "ip3y",
})  # fmt: skip

Formats = Callable[[Device], Collection[str]]


def read_formats(device: Device) -> list[str]:
    """The formats that a camera offers, as four letters each; none where it cannot be asked."""
    try:
        with opened(device.path) as descriptor:
            return list_formats(descriptor)
    except OSError:
        return []


def choose_default(cameras: Sequence[Device], *, formats: Formats = read_formats) -> tuple[Device, str]:
    """The camera, and a line about those that were passed over, "" where none was.

    One that cannot be asked counts as one with colour: opening it says what is wrong. Where none gives colour, the
    first is taken. Raises IndexError where there is no camera.
    """
    if len(cameras) == 1:
        return cameras[0], ""
    skipped: list[str] = []
    for device in cameras:
        offered = formats(device)
        if not offered or not COLOURLESS.issuperset(offered):
            return device, "; ".join(skipped)
        skipped.append(f"skipped {device}, which gives grey pictures only ({', '.join(map(str.strip, offered))})")
    return cameras[0], ""
