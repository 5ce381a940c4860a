"""What the socket and the control page ask of a running bgcam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bgcam.realtime.room_status import RoomStatus as RoomStatus
from bgcam.realtime.settings import SettingInfo as SettingInfo


@dataclass(frozen=True)
class LiveStatus:
    """What a running bgcam says of itself.

    state: "live" (the picture is shown), "placeholder" (something failed: only the background is shown), "panic" (the
        user asked for that), "starting" or "waiting" (nobody watches, the camera is released).
    notice: the newest line that the user should know, "" for none.
    fps, latency_ms, cpu_percent: over the last second; cpu_percent of one processor. None while unknown.
    since_s: when it was started, seconds since 1970.
    room: what is known of the empty room.
    matte_doubt: the share of the person, as the model finds it, that the known room contradicts, from 0 to 1, over
        some seconds. None while unknown.
    slide: which picture of a slideshow is shown, such as "slide 3 of 12: x.png"; "" for another background.
    """

    state: Literal["live", "placeholder", "panic", "starting", "waiting"]
    notice: str
    fps: float | None
    latency_ms: float | None
    cpu_percent: float | None
    frames: int
    dropped: int
    source: str
    model: str
    backend: str
    outputs: tuple[str, ...]
    pid: int
    since_s: float
    version: str
    page: str = ""  # the control page's address without its key; "" without one
    room: RoomStatus = field(default_factory=RoomStatus)
    matte_doubt: float | None = None
    slide: str = ""


@dataclass(frozen=True)
class BackgroundInfo:
    """A background that can be chosen. spec: what to set `background` to. kind: its section on the page."""

    spec: str
    name: str
    kind: Literal["shipped", "yours", "slides", "blur", "colour", "camera", "room"]
    credit: str = ""


@dataclass(frozen=True)
class Preview:
    """A picture for the control page alone, at most 640 px wide: a type that no sink accepts."""

    number: int
    jpeg: bytes = field(repr=False)


class ConfirmationNeeded(Exception):
    """The change would show the room: it has to be asked for a second time, with `confirm_room`."""


class Control(Protocol):
    """A running bgcam. Thread-safe. Values are as in JSON; names are those of `SettingInfo`.

    Errors are `BgcamError`, one line each: what was wrong, and what to give instead.
    """

    def settings(self) -> tuple[SettingInfo, ...]:
        """All settings, in the order of the help."""

    def values(self) -> Mapping[str, Any]:
        """What each setting is now."""

    def change(self, values: Mapping[str, Any], *, confirm_room: bool = False) -> Mapping[str, Any]:
        """Change settings, all or none, from the next frame on; returns all values.

        Raises UsageError for an unknown name, a wrong value, or a setting that is not hot; BackgroundError and the like
        if what was asked for cannot be opened; ConfirmationNeeded if the room would be shown.
        """

    def status(self) -> LiveStatus: ...

    def backgrounds(self) -> tuple[BackgroundInfo, ...]:
        """Those that can be chosen, in the order in which `next_background` takes them."""

    def thumbnail(self, spec: str) -> bytes:
        """A JPEG of a background, 160x90. Raises BackgroundError."""

    def add_background(self, name: str, data: bytes) -> BackgroundInfo:
        """Check and keep an uploaded picture or video among the user's. Raises BackgroundError."""

    def next_background(self) -> Mapping[str, Any]:
        """Go on to the next picture of a slideshow, which `status` then names. Without one, go on to the next of
        `backgrounds` that shows neither the room nor a camera. Returns all values."""

    def previous_background(self) -> Mapping[str, Any]:
        """As `next_background`, the other way."""

    def learn_room(self, *, forget: bool = False) -> RoomStatus:
        """Learn the empty room as soon as nobody is in the picture, or forget it; `status` says how it went.

        Raises UsageError where it cannot be learnt.
        """
        ...

    def panic(self, on: bool) -> None:
        """Show only the background, or the picture again. Idempotent."""

    def quit(self) -> None:
        """End the run as Ctrl-C does."""

    def preview(self, after: int, *, view: str = "composite", timeout_s: float = 1.0) -> Preview | None:
        """The first picture that is newer than number `after`, at most 15 a second; None after `timeout_s`.

        view: as for `--view`; it does not change what the outputs show.
        """
