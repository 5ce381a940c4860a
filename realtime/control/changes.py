"""What has to change in a run for its settings to change."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypedDict, cast

from bgcam.realtime.look import Look
from bgcam.realtime.settings import Settings, look_of

# Those that `Live.change` takes as they are.
_DIRECT = ("background", "model", "mirror", "far", "matte_rate")


class Changes(TypedDict, total=False):
    """The arguments of `Live.change`."""

    background: str
    model: str
    look: Callable[[Look], Look]
    mirror: bool
    far: bool
    matte_rate: str


def changes_between(old: Settings, new: Settings, *, named: Collection[str] = ()) -> Changes:
    """The changes of the run from one to the other; the camera is not among them.

    named: settings that were given, so that a background that is given again is opened again: its file may be another.
    """
    changes: dict[str, Any] = {
        name: getattr(new, name)
        for name in _DIRECT
        if getattr(new, name) != getattr(old, name) or (name == "background" and name in named)
    }
    look = look_of(new)
    if look != look_of(old):
        changes["look"] = lambda before: look
    return cast(Changes, changes)
