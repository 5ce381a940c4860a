"""The source protocol, and what an input's name says about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bgcam.realtime.frames import CameraFrame

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")

# These are always streams. An HTTP address is one if its server reports neither a length nor a duration.
LIVE_SCHEMES = ("rtsp", "rtsps", "rtp", "srtp", "udp", "srt", "rtmp", "rtmps", "tcp", "mms", "mmsh")

# Whether someone wants the camera's frames now.
Wanted = Callable[[], bool]


def always() -> bool:
    """The camera runs from the beginning to the end."""
    return True


class Source(Protocol):
    """One stream of frames.

    name: for display.
    size_wh, fps: what the source actually delivers.
    live: frames arrive in real time and old ones are dropped; otherwise every frame is returned, as fast as it is read.
    drops: how many frames of a live source were dropped.
    frames: how many there will be, if known.
    note: how it differs from what was requested, as text for the user; "" if it does not.
    notice: what is wrong or limited now, likewise.
    """

    name: str
    size_wh: tuple[int, int]
    fps: float
    live: bool
    drops: int

    @property
    def frames(self) -> int | None: ...

    @property
    def note(self) -> str: ...

    @property
    def notice(self) -> str: ...

    def read(self) -> CameraFrame | None:
        """The next frame, numbered from 0 without gaps; None at the end. Raises SourceError if it fails."""

    def close(self) -> None:
        """Close the device or file; may be called from another thread, and twice."""


def is_live_address(input: str) -> bool:
    """Whether this is the address of a network camera by its scheme, before anything is opened."""
    scheme, separator, _ = input.partition("://")
    return bool(separator) and scheme.lower() in LIVE_SCHEMES
