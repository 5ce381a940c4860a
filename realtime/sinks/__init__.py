"""Outputs for composed frames: virtual camera, web page, video file, pictures, or nothing."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks._files import check_writable
from bgcam.realtime.sinks.job import CAMERA_JOB, Job
from bgcam.realtime.sinks.web.guard import check_address

if TYPE_CHECKING:
    from bgcam.realtime.sinks.images import FolderSink, PictureSink
    from bgcam.realtime.sinks.null import NullSink
    from bgcam.realtime.sinks.video import VideoSink
    from bgcam.realtime.sinks.virtual import VirtualSink
    from bgcam.realtime.sinks.web.sink import RemoteWebSink, WebSink

    # What the tables below name; mypy compares each with the protocol.
    _SINKS: tuple[type[Sink], ...] = (
        *(VirtualSink, WebSink, RemoteWebSink, NullSink),
        *(VideoSink, PictureSink, FolderSink),
    )

# A device by its name, a file by its suffix: "module:Class" in this package, imported on demand. Every class is called
# with `(argument, size_wh=..., fps=...)`, where argument is the text after the name's colon, or the path.
DEVICES = {"virtual": "virtual:VirtualSink", "web": "web.sink:WebSink", "null": "null:NullSink"}
# The classes that replace these devices with --allow-remote.
REMOTE_DEVICES = DEVICES | {"web": "web.sink:RemoteWebSink"}
FILES = dict.fromkeys((".mp4", ".mkv", ".webm", ".mov"), "video:VideoSink")
FILES |= dict.fromkeys((".png", ".jpg", ".jpeg", ".webp"), "images:PictureSink")
FOLDER = "images:FolderSink"
WEB = (DEVICES["web"], REMOTE_DEVICES["web"])
# Outputs with transparency, besides a folder, which gets PNGs, and null.
TRANSPARENT_SUFFIXES = (".png", ".webm", ".mov")

ACCEPTED = (
    "virtual[:DEVICE or NAME], web[:[ADDRESS:]PORT], a .mp4, .mkv, .webm, .mov, .png, .jpg or .webp file, FOLDER/, "
    "or null"
)


class Sink(Protocol):
    """One output.

    name: for display ("out.mp4", "/dev/video10 (bgcam)", "http://127.0.0.1:8765/KEY/").
    live: whether someone may be watching it: then it gets placeholders while there is no picture (`output_guard.py`).
    notice: what is wrong with an output that repairs itself, "" for nothing.
    takes_cutouts: optional; True if it also accepts transparency.
    kept: only of files; after `close`, where the file is, "" for nowhere.
    """

    name: str

    @property
    def live(self) -> bool: ...

    @property
    def notice(self) -> str: ...

    def viewers(self) -> Viewers:
        """Who watches it now; Viewers.NONE if nobody can, or if that is unknown (`run/on_demand.py`)."""

    def write(self, frame: ComposedFrame) -> None:
        """Show or store one frame. Raises SinkError."""

    def close(self) -> None:
        """Finish: the output is complete from here on."""

    def abort(self) -> None:
        """Stop after an error: leave nothing that looks complete."""


def open_sink(
    spec: str, *, size_wh: tuple[int, int], fps: float, allow_remote: bool = False, job: Job = CAMERA_JOB
) -> Sink:
    """Open the output that `spec` names (see ACCEPTED), for frames of `size_wh` at about `fps`.

    A picture file gets the last frame; a folder (a path that ends in / or exists) gets a picture of each, 00000.png and
    so on by frame number, or as `job` says. allow_remote: whether other machines may watch the web page. Raises
    UsageError for an unknown kind of spec, SinkError if the output cannot be opened.
    """
    target, argument = _target(spec, allow_remote)
    _check_transparency(spec, target, job.transparent)
    return _make(target, argument, size_wh, fps, job)


def is_file(spec: str) -> bool:
    """Whether an output's spec names one file."""
    return _target(spec, False)[0] in FILES.values()


def is_folder(spec: str) -> bool:
    """Whether an output's spec names a folder."""
    return _target(spec, False)[0] == FOLDER


def check_output(spec: str, *, allow_remote: bool = False, transparent: bool = False) -> None:
    """Raise what `open_sink` would raise, as far as that is known before anything is loaded or opened."""
    target, argument = _target(spec, allow_remote)
    _check_transparency(spec, target, transparent)
    if target in WEB:
        check_address(argument, allow_remote=allow_remote)
    elif target in FILES.values():
        check_writable(Path(argument))


def _target(spec: str, allow_remote: bool) -> tuple[str, str]:
    """ "module:Class" and its argument. Raises UsageError."""
    word, colon, argument = spec.partition(":")
    if word in DEVICES and (argument or not colon):
        return (REMOTE_DEVICES if allow_remote else DEVICES)[word], argument
    if spec and (spec.endswith("/") or Path(spec).is_dir()):
        return FOLDER, spec
    target = FILES.get(Path(spec).suffix.lower())
    if target is None:
        near = difflib.get_close_matches(word.lower(), DEVICES, n=1, cutoff=0.7)
        question = f"did you mean {near[0]}{colon}{argument}? " if near else ""
        raise UsageError(f"cannot write to {spec!r}; {question}--output takes {ACCEPTED}")
    return target, spec


def _check_transparency(spec: str, target: str, transparent: bool) -> None:
    holds = target in (FOLDER, DEVICES["null"]) or Path(spec).suffix.lower() in TRANSPARENT_SUFFIXES
    if transparent and (target in WEB or target == DEVICES["virtual"] or not holds):
        raise UsageError(
            f"--output {spec} cannot hold transparency; give a .png, .webm or .mov file, or FOLDER/, or only "
            "virtual and web, which get a key colour"
        )


def _make(target: str, argument: str, size_wh: tuple[int, int], fps: float, job: Job) -> Sink:
    module, name = target.split(":")
    kind = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    more = {"job": job} if target in (FOLDER, *FILES.values()) else {}
    return cast(Sink, kind(argument, size_wh=size_wh, fps=fps, **more))
