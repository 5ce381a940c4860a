"""What a control page, a completion or a configuration file has to know of each setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bgcam.realtime.settings.change import value_as_json
from bgcam.realtime.settings.table import Kind, all_settings


@dataclass(frozen=True)
class SettingInfo:
    """One setting, as a page or a completion needs it.

    name: as in the configuration file, such as "light_wrap".
    kind: what its value is in JSON: true or false, a number, a text, or a list of texts.
    help: one sentence.
    default: the value without a configuration, as JSON.
    hot: whether it can change while frames flow.
    choices: all values that it can have, or those worth choosing from; empty if there are none of either.
    minimum, maximum: of a number.
    unit: of a number, such as "ms"; "" for none.
    """

    name: str
    kind: Kind
    help: str
    default: Any
    hot: bool
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""


def setting_infos() -> tuple[SettingInfo, ...]:
    """All settings, in the order of the help."""
    return tuple(
        SettingInfo(
            name=one.name,
            kind=one.kind,
            help=one.option.about,
            default=value_as_json(one, one.default),
            hot=one.option.hot,
            choices=one.option.choices,
            minimum=one.option.minimum,
            maximum=one.option.maximum,
            unit=one.option.unit,
        )
        for one in all_settings().values()
    )
