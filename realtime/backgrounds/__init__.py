"""Backgrounds: a picture, a video, a slideshow, another camera, the blurred room, a colour, or the room itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bgcam.realtime.background import Background as Background
from bgcam.realtime.backgrounds.camera_name import camera_named
from bgcam.realtime.backgrounds.colours import COLOURS, colour_of, is_meant
from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.errors import BackgroundError, SourceError, UsageError
from bgcam.realtime.spelling import closest


def open_background(spec: str) -> Background:
    """Open what `--background` names: a file, a folder, `blur[:1..10]`, a CSS colour, `camera:X`, `none`, or a shipped
    one.

    `transparent[:COLOUR]` is the colour that is keyed out later; see `key_colour`.

    Raises BackgroundError when it is missing, empty or cannot be read; UsageError when it makes no sense.
    """
    word, _, value = spec.partition(":")
    if word.lower() == "blur":
        return _open_blur(spec, value)
    if word.lower() == "transparent":
        from bgcam.realtime.backgrounds.key_colour import AUTO, KeyColour, key_colour

        return KeyColour(key_colour(value or AUTO))
    if spec.lower() == "none":
        from bgcam.realtime.backgrounds.blur import Room

        return Room()
    if (wanted := camera_named(spec)) is not None:
        return _open_camera(spec, wanted)
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
    from bgcam.realtime.backgrounds.blur import Blur
    from bgcam.realtime.picture.blur import MAX_STRENGTH, MIN_STRENGTH

    if spec.lower() == "blur":
        return Blur()
    try:
        strength = float(value)
    except ValueError:
        strength = float("nan")
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise UsageError(
            f"background {spec!r}: blur strength must be from {MIN_STRENGTH:g} to {MAX_STRENGTH:g}, such as blur:5"
        )
    return Blur(strength)


def _open_camera(spec: str, wanted: str) -> Background:
    from bgcam.realtime.backgrounds.camera import open_camera_background

    return open_camera_background(spec, wanted)


def _colour(name: str, rgb: int) -> Background:
    from bgcam.realtime.backgrounds.still import Still

    red, green, blue = rgb.to_bytes(3, "big")
    return Still(name, np.array([[[blue, green, red]]], np.uint8))


def _find(spec: str) -> Path:
    if not spec:
        raise UsageError("the background is empty; give a picture, a video, a folder, a colour, blur or none")
    by_name = {path.stem.lower(): path for path in shipped_backgrounds().values()}
    if spec.lower() in by_name:  # before a file of that name here, for which there is ./
        return by_name[spec.lower()]
    path = Path(os.path.expanduser(spec))  # Path's own fails for an unknown user
    if os.path.exists(path):
        return path
    by_file = {name.lower(): found for name, found in shipped_backgrounds().items()}
    if spec.lower() in by_file:
        return by_file[spec.lower()]
    raise no_such_background(spec)


def no_such_background(spec: str) -> BackgroundError:
    """The error about a name that is neither a file nor anything else, with what was meant."""
    names = {found.stem for found in shipped_backgrounds().values()}
    meant = closest(spec, [*sorted(names), "blur", "none", *COLOURS])
    question = f"did you mean {meant}? " if meant else ""
    return BackgroundError(
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
    from bgcam.realtime.backgrounds.still import Still
    from bgcam.realtime.sources.images import read_picture

    return Still(str(path), read_picture(path))


def _open_slideshow(path: Path) -> Background:
    from bgcam.realtime.backgrounds.slideshow import Slideshow

    return Slideshow(path)


def _open_video(path: Path) -> Background:
    from bgcam.realtime.backgrounds.moving import Video

    return Video(path)
