"""The fields of `Settings` as a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import msgspec

from bgcam.realtime.settings.option import Option
from bgcam.realtime.settings.settings import Settings

Kind = Literal["switch", "number", "text", "texts"]


@dataclass(frozen=True)
class Setting:
    """One field of `Settings`. kind: of its value in JSON. default: the value, as in `Settings`."""

    name: str
    kind: Kind
    default: Any
    option: Option


@cache
def all_settings() -> dict[str, Setting]:
    """Each setting by its name, in the order of the help."""
    found = {}
    for field in msgspec.structs.fields(Settings):
        value_type, option = get_args(field.type)
        found[field.name] = Setting(field.name, _kind(value_type, option), field.default, option)
    return found


def option_of(name: str) -> Option:
    """The option of a setting."""
    return all_settings()[name].option


def _kind(value_type: Any, option: Option) -> Kind:
    if not option.takes_value:
        return "switch"
    if option.several:
        return "texts"
    return "number" if {int, float} & {value_type, *get_args(value_type)} else "text"
