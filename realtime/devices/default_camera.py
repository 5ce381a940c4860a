"""The default camera: the first that offers colour.

Laptops with face recognition also have an infrared camera, and some list it first. It only offers grey formats.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bgcam.realtime.devices.listing import Device, opened
from bgcam.realtime.devices.v4l2 import list_formats

# V4L2's formats without colour, of brightness or depth (linux/videodev2.h).
COLOURLESS = frozenset({
    "GREY", "Y8  ", "Y04 ", "Y06 ", "Y10 ", "Y12 ", "Y14 ", "Y16 ", "Y10B", "Y10P", "Y12P", "Y14P", "Y8I ", "Y12I",
    "Y16I", "Z16 ", "INZI", "CNF4", "ip3y",
})  # fmt: skip

Formats = Callable[[Device], Collection[str]]


def read_formats(device: Device) -> list[str]:
    """The FourCC codes of the formats that a camera offers; empty if it cannot be queried."""
    try:
        with opened(device.path) as descriptor:
            return list_formats(descriptor)
    except OSError:
        return []


def choose_default(cameras: Sequence[Device], *, formats: Formats = read_formats) -> tuple[Device, str]:
    """Returns the camera, and a line about those that were skipped ("" if none was).

    A camera that cannot be queried counts as one with colour: opening it reports what is wrong. If none offers colour,
    the first is used. Raises IndexError if there is no camera.
    """
    if len(cameras) == 1:
        return cameras[0], ""
    skipped: list[str] = []
    for device in cameras:
        offered = formats(device)
        if not offered or not COLOURLESS.issuperset(offered):
            return device, "; ".join(skipped)
        skipped.append(f"skipped {device}, which offers only grey pictures ({', '.join(map(str.strip, offered))})")
    return cameras[0], ""
