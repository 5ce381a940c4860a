"""Which settings can change while frames flow, and what their values in JSON mean for the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypedDict, cast

from bgcam.realtime.errors import UsageError
from bgcam.realtime.look import FRAMES, Look
from bgcam.realtime.spelling import closest

EDGES = ("shrink", "grow", "sharp")
MOST_EDGE_STEPS, MOST_LIGHT = 5.0, 10.0


class Changes(TypedDict, total=False):
    """The arguments of `Live.change`."""

    background: str
    model: str
    look: Callable[[Look], Look]
    mirror: bool
    far: bool


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} must be a text that is not empty, not {value!r}")
    return value


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be true or false, not {value!r}")
    return value


def _number(name: str, value: object, *, most: float) -> float:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= most:
        raise UsageError(f"{name} must be a number from 0 to {most:g}, not {value!r}")
    return float(number)


def _light(name: str, value: object) -> float:
    return _number(name, value, most=MOST_LIGHT)


def _frame(name: str, value: object) -> str:
    if value not in FRAMES:
        raise UsageError(f"{name} must be {' or '.join(FRAMES)}, not {value!r}")
    return str(value)


def _edge(name: str, value: object) -> dict[str, float]:
    """A list such as ["grow:2", "sharp"], or one of its texts; steps of one kind add up."""
    steps = dict.fromkeys(EDGES, 0.0)
    for one in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]:
        word, colon, count = one.partition(":") if isinstance(one, str) else ("", "", "")
        if word not in steps:
            raise UsageError(f"{name} must be a list of {', '.join(EDGES)} with steps such as grow:2, not {one!r}")
        try:
            number = float(count) if colon else 1.0
        except ValueError:
            number = math.nan
        steps[word] += _number(f"{name} {word}", number if number == number else one, most=MOST_EDGE_STEPS)
    return {"edge_steps": steps["grow"] - steps["shrink"], "sharp_steps": steps["sharp"]}


# What each of them changes: an argument of `Live.change`, or fields of the look.
_DIRECT: dict[str, Callable[[str, object], Any]] = {
    "background": _text,
    "model": _text,
    "mirror": _switch,
    "far": _switch,
}
_LOOKS: dict[str, Callable[[str, object], dict[str, Any]]] = {
    "edge": _edge,
    "light_wrap": lambda name, value: {"wrap": _light(name, value)},
    "light_match": lambda name, value: {"match": _light(name, value)},
    "frame": lambda name, value: {"frame": _frame(name, value)},
}
HOT = (*_DIRECT, *_LOOKS)


def changes_of(values: Mapping[str, Any], *, known: Collection[str] = ()) -> Changes:
    """What to change in the run for settings and their values. Raises UsageError.

    known: the names of all settings, of which most cannot change.
    """
    for name in values:
        if name in HOT:
            continue
        if name in known:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{name} cannot change while bgcam runs; stop it and start it with {option}")
        meant = closest(str(name), [*known, *HOT])
        question = f"; did you mean {meant}?" if meant else ""
        raise UsageError(f"no setting is called {name}{question or '; bgcam config lists them all'}")
    changes: dict[str, Any] = {name: _DIRECT[name](name, value) for name, value in values.items() if name in _DIRECT}
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name in _LOOKS:
            fields |= _LOOKS[name](name, value)
    if fields:
        changes["look"] = partial(replace, **fields)
    return cast(Changes, changes)
