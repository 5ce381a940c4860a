"""Settings as JSON, and settings changed by JSON or by text: checked, all or none."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import msgspec

from bgcam.realtime.errors import UsageError
from bgcam.realtime.settings import values
from bgcam.realtime.settings.settings import Settings
from bgcam.realtime.settings.table import Setting, all_settings
from bgcam.realtime.spelling import closest

SWITCH_WORDS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
MAX_LENGTH = 4096  # of one text: that of a path
MAX_NUMBER = 10**15
# Not a setting, but what people call the strength of `background = "blur:8"`.
BLUR = "blur"


class Exclusive(UsageError):
    """Two settings are given that exclude each other."""

    def __init__(self, *names: str):
        super().__init__(f"{' and '.join(names)} exclude each other; give one of them")
        self.names = names


def to_json(settings: Settings) -> dict[str, Any]:
    """All settings by name, as `SettingInfo.kind` says: true, 3.0, "beach", ["shrink:2"], or None."""
    return {name: value_as_json(one, getattr(settings, name)) for name, one in all_settings().items()}


def value_as_json(setting: Setting, value: Any) -> Any:
    """The value of one setting, from `Settings` to JSON."""
    if value is None:
        return None
    convert = setting.option.as_json or _same
    return [convert(one) for one in value] if setting.kind == "texts" else convert(value)


def changed(settings: Settings, new_values: Mapping[str, Any], *, hot_only: bool = False) -> Settings:
    """A copy with these values, by name: JSON, or text as on the command line ("8", "on", "shrink:2,sharp:1").

    None stands for the default. A list replaces the one before. Of settings that exclude each other, the one given
    clears the other. `blur` of 1 to 10 is the background "blur:N". hot_only: refuse what cannot change while frames
    flow, unless it stays as it is.

    Raises UsageError for an unknown name, a wrong type, a value out of range, or two values that exclude each other.
    """
    new: dict[str, Any] = {}
    for given, value in new_values.items():
        name = known_name(given)
        if name in new:
            raise UsageError(f"{name} is given twice; give it once")
        new[name] = value
    _take_blur(new)
    parsed = {name: parse_value(all_settings()[name], value) for name, value in new.items()}
    excluded = excluded_by(parsed)
    parsed |= {name: all_settings()[name].default for name in excluded}
    if hot_only:
        for name in parsed:
            if not all_settings()[name].option.hot and parsed[name] != getattr(settings, name):
                if name in excluded:
                    raise UsageError(f"{excluded[name]} cannot change while bgcam runs with {name}; stop it first")
                flag = all_settings()[name].option.flags[0]
                raise UsageError(f"{name} cannot change while bgcam runs; stop it and start it again with {flag}")
    return msgspec.structs.replace(settings, **parsed)


def known_name(name: str) -> str:
    """The name of a setting, or `blur`; with "-" for "_" it is accepted too. Raises UsageError with what was meant."""
    plain = name.replace("-", "_")
    if plain in all_settings() or plain == BLUR:
        return plain
    meant = closest(plain, all_settings())
    advice = f"did you mean {meant}?" if meant else f"the settings are {', '.join(all_settings())}"
    raise UsageError(f"unknown setting {name!r}; {advice}")


def parse_value(setting: Setting, value: Any) -> Any:
    """From JSON or text to the value in `Settings`. Raises UsageError, which begins with the setting's name."""
    if value is None:
        return setting.default
    try:
        return _PARSERS[setting.kind](setting, value)
    except (argparse.ArgumentTypeError, UsageError) as error:
        raise UsageError(f"{setting.name}: {error}") from None


def _switch(setting: Setting, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in SWITCH_WORDS:
        raise UsageError(f"invalid value {value!r}: give on or off")
    return SWITCH_WORDS[word]


def _number(setting: Setting, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UsageError(f"invalid value {value!r}: give a number")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:  # Python refuses to print one of thousands of digits
        raise UsageError("the value is too large")
    return _parsed(setting, f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value).strip())


def _text(setting: Setting, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):  # the index of a camera
        value = str(value) if abs(value) <= MAX_NUMBER else value
    if not isinstance(value, str):
        raise UsageError(f"invalid value {value!r}: give one text")
    return _parsed(setting, value)


def _texts(setting: Setting, value: Any) -> tuple[Any, ...]:
    separator = setting.option.separator
    if isinstance(value, str):
        value = [one.strip() for one in value.split(separator)] if separator and value else [value] if value else []
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"invalid value {value!r}: give a list of texts")
    return tuple(_parsed(setting, one) for one in value)


_PARSERS = {"switch": _switch, "number": _number, "text": _text, "texts": _texts}


def _parsed(setting: Setting, text: str) -> Any:
    """Raises UsageError or argparse.ArgumentTypeError."""
    option = setting.option
    if not text:
        if setting.default is None:
            return None
        raise UsageError("the value is empty; give one, or leave it out")
    if len(text) > MAX_LENGTH:
        raise UsageError(f"the value is {len(text)} characters long; give at most {MAX_LENGTH}")
    if "\0" in text:
        raise UsageError(f"invalid value {text!r}: it contains a NUL")
    if option.choices and not option.others and text not in option.choices:
        meant = closest(text, option.choices)
        advice = f"did you mean {meant}?" if meant else f"give one of {', '.join(option.choices)}"
        raise UsageError(f"invalid value {text!r}: {advice}")
    return option.parse(text) if option.parse else text


def _take_blur(new: dict[str, Any]) -> None:
    """Put the blur's strength where it belongs."""
    if BLUR not in new:
        return
    strength = new.pop(BLUR)
    background = new.get("background", BLUR)
    if background != BLUR:
        raise UsageError(f"blur: the background is {background!r}; give either blur={strength} or background")
    if strength is not None:
        try:
            strength = f":{values.blur_strength(str(strength)):g}"
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise UsageError(f"{BLUR}: {error}") from None
    new["background"] = f"{BLUR}{strength or ''}"


def excluded_by(parsed: Mapping[str, Any]) -> dict[str, str]:
    """Which settings the given ones exclude, and by which each is excluded. Raises Exclusive where two are given."""
    excluded: dict[str, str] = {}
    for name, value in parsed.items():
        word = all_settings()[name].option.exclusive
        if not word or value == all_settings()[name].default:
            continue
        if name in excluded:
            raise Exclusive(excluded[name], name)
        excluded |= {other: name for other, one in all_settings().items() if one.option.exclusive == word}
        del excluded[name]
    return excluded


def _same(value: Any) -> Any:
    return value
