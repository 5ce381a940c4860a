"""What stands behind the person: a picture, a video, a slideshow, the blurred room, a colour, or the room itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.command.colours import COLOURS, colour_of, is_meant
from bgcam.realtime.command.misspelt import closest
from bgcam.realtime.errors import BackgroundError, SourceError, UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.picture.blur import DEFAULT_STRENGTH, MAX_STRENGTH, MIN_STRENGTH, blur_background
from bgcam.realtime.sources._shape import cover as cover


class Background(Protocol):
    """One background. name: for people. needs_matte: False where the person need not be found at all. same_room: it
    shows the camera's own room.
    """

    name: str
    needs_matte: bool
    same_room: bool

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR of the frame's size, to be read only. Called in the order of the frames."""


class Still:
    """One picture, cut to the frame's aspect around its centre; the cut is kept for the next frame."""

    needs_matte, same_room = True, False

    def __init__(self, name: str, bgr: NDArray[np.uint8]):
        self.name = name
        self._bgr = bgr
        self._cut: NDArray[np.uint8] | None = None

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        if self._cut is None or self._cut.shape != frame.room_bgr.shape:
            self._cut = cover(self._bgr, frame.size_wh)
        return self._cut


class Blur:
    """The room, blurred without the person in it."""

    needs_matte = same_room = True

    def __init__(self, strength: float = DEFAULT_STRENGTH):
        self.name = f"blur:{strength:g}"
        self.strength = strength

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return blur_background(coarse.seen_bgr, coarse.alpha, frame_wh=frame.size_wh, strength=self.strength)


class Room:
    """The room as it is: the user asked for it by `none`."""

    name = "none"
    needs_matte, same_room = False, True

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return frame.room_bgr


def open_background(spec: str) -> Background:
    """Open what `--background` names: a file, a folder, `blur[:1..10]`, a CSS colour, `none`, or a shipped one.

    Raises BackgroundError when it is missing, empty or cannot be read; UsageError when it makes no sense.
    """
    word, _, value = spec.partition(":")
    if word.lower() == "blur":
        return _open_blur(spec, value)
    if spec.lower() == "none":
        return Room()
    rgb = colour_of(spec)
    if rgb is not None:
        return _colour(spec, rgb)
    if is_meant(spec):
        raise UsageError(
            f"background {spec!r} is not a colour; give a CSS name, '#369', '#336699' or 'rgb(51, 102, 153)'"
        )
    background = _open_path(path := _find(spec))
    if path in shipped_backgrounds().values():
        background.name = path.stem
    return background


def _open_blur(spec: str, value: str) -> Background:
    if spec.lower() == "blur":
        return Blur()
    try:
        strength = float(value)
    except ValueError:
        strength = float("nan")
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise UsageError(f"background {spec!r}: the strength goes from {MIN_STRENGTH:g} to {MAX_STRENGTH:g}: blur:5")
    return Blur(strength)


def _colour(name: str, rgb: int) -> Background:
    red, green, blue = rgb.to_bytes(3, "big")
    return Still(name, np.array([[[blue, green, red]]], np.uint8))


def _find(spec: str) -> Path:
    if not spec:
        raise UsageError("the background is empty; give a picture, a video, a folder, a colour, blur or none")
    path = Path(os.path.expanduser(spec))  # Path's own fails for an unknown user
    if os.path.exists(path):
        return path
    shipped = shipped_backgrounds()
    for name, found in shipped.items():
        if spec.lower() in (name.lower(), found.stem.lower()):
            return found
    names = {found.stem for found in shipped.values()}
    meant = closest(spec, [*sorted(names), "blur", "none", *COLOURS])
    question = f"did you mean {meant}? " if meant else ""
    raise BackgroundError(
        f"{spec}: no such background; {question}give a picture, a video, a folder, blur, a colour (green, #336699), "
        "none, or one of `bgcam backgrounds`"
    )


def _open_path(path: Path) -> Background:
    from bgcam.realtime.sources.files import is_picture

    if path.is_dir():
        kind: Callable[[Path], Background] = _open_slideshow
    elif is_picture(path):
        kind = _open_picture
    else:
        kind = _open_video
    try:
        return kind(path)
    except SourceError as error:
        raise BackgroundError(f"background {error}") from error


def _open_picture(path: Path) -> Background:
    from bgcam.realtime.sources.images import read_picture

    return Still(str(path), read_picture(path))


def _open_slideshow(path: Path) -> Background:
    from bgcam.realtime.backgrounds.moving import Slideshow

    return Slideshow(path)


def _open_video(path: Path) -> Background:
    from bgcam.realtime.backgrounds.moving import Video

    return Video(path)
