"""What has to change in a run for its settings to change."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypedDict, cast

from bgcam.realtime.backgrounds.key_colour import background_spec
from bgcam.realtime.look import Look
from bgcam.realtime.settings import Settings, look_of

# Those that `Live.change` takes as they are.
_DIRECT = ("model", "mirror", "far", "slide_interval_s", "background_fit", "matte_rate")


class Changes(TypedDict, total=False):
    """The arguments of `Live.change`."""

    background: str
    model: str
    look: Callable[[Look], Look]
    mirror: bool
    far: bool
    slide_interval_s: float
    background_fit: str
    matte_rate: str


def changes_between(old: Settings, new: Settings, *, named: Collection[str] = ()) -> Changes:
    """The changes of the run from one to the other; the camera is not among them.

    named: settings that were given, so that a background that is given again is opened again: its file may be another.
    Raises UsageError for a wrong key colour.
    """
    changes: dict[str, Any] = {name: getattr(new, name) for name in _DIRECT if getattr(new, name) != getattr(old, name)}
    spec = background_spec(new)
    if spec != background_spec(old) or "background" in named:
        changes["background"] = spec
    look = look_of(new)
    if look != look_of(old):
        changes["look"] = lambda before: look
    return cast(Changes, changes)
