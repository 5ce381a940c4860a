"""The user's configuration file: settings by name, and sections `[profile.NAME]` that hold some of them again."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgcam.realtime.errors import UsageError
from bgcam.realtime.settings.change import BLUR, known_name, parse_value
from bgcam.realtime.settings.table import all_settings
from bgcam.realtime.spelling import closest

VARIABLE = "BGCAM_CONFIG"
PROFILE = "profile"
# Their values may name files: "~" is the user's home, and what lies beside the configuration is found there.
_PATHS = ("input", "background", "output", "model")


@dataclass(frozen=True)
class Section:
    """The values of one section, as in `Settings`, and the line in which each is given."""

    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """A configuration file. path: where it is or would be; None for a user without a home folder."""

    path: Path | None
    top: Section = Section()
    profile: Section = Section()


def config_path() -> Path | None:
    """Where the configuration is kept: $BGCAM_CONFIG, or the user's folder for it; None without a home folder."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    import platformdirs

    try:
        return platformdirs.user_config_path("bgcam", appauthor=False) / "config.toml"
    except RuntimeError:
        return None


def read_config(path: Path | None, *, profile: str | None = None) -> Config:
    """The settings of a file, and those of one profile in it. A file that does not exist is an empty one.

    Raises UsageError with file and line for what cannot be read or makes no sense, and for an unknown profile.
    """
    text = _text_of(path)
    if path is None or text is None:
        if profile is not None:
            raise UsageError(f"there is no profile {profile!r}, because there is no {path or 'home folder'}")
        return Config(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_about_syntax(path, text, str(error))) from None
    lines = key_lines(text)
    profiles = table.pop(PROFILE, {})
    top = _section(table, (), lines, path)
    if not isinstance(profiles, dict) or not all(isinstance(one, dict) for one in profiles.values()):
        raise UsageError(f"{_place(path, lines.get((PROFILE,)))}: profiles are sections: [{PROFILE}.work]")
    if profile is None:
        return Config(path, top)
    if profile not in profiles:
        meant = closest(profile, profiles)
        there = f"it has {', '.join(profiles)}" if profiles else f"it has none; begin one with [{PROFILE}.{profile}]"
        raise UsageError(f"{path} has no profile {profile!r}; {f'did you mean {meant}?' if meant else there}")
    return Config(path, top, _section(profiles[profile], (PROFILE, profile), lines, path))


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line, from 1, in which each key of a TOML text first stands, by its sections and name."""
    found: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([^\[\]]+)\]", line):
            section = name = _parts(header[1])
        elif key := re.match(r"\s*([\w\"'. -]+?)\s*=", line):
            name = (*section, *_parts(key[1]))
        else:
            continue
        for length in range(1, len(name) + 1):
            found.setdefault(name[:length], number)
    return found


def _section(
    table: Mapping[str, Any], where: tuple[str, ...], lines: Mapping[tuple[str, ...], int], path: Path
) -> Section:
    values: dict[str, Any] = {}
    places: dict[str, int] = {}
    for given, value in table.items():
        line = lines.get((*where, given), 0)
        try:
            name, parsed = _setting(given, value, path.parent)
            if name in values:
                raise UsageError(f"{name} is given twice; give it once")
        except UsageError as error:
            raise UsageError(f"{_place(path, line)}: {error}") from None
        values[name], places[name] = parsed, line
    return Section(values, places)


def _setting(given: str, value: Any, folder: Path) -> tuple[str, Any]:
    """The name and value of one line. Raises UsageError."""
    if isinstance(value, dict):
        raise UsageError(f"unknown section [{given}]; the sections are [{PROFILE}.NAME]")
    name = known_name(given)
    if name == BLUR:
        raise UsageError(f'the strength of the blur belongs to the background: background = "blur:{value}"')
    parsed = parse_value(all_settings()[name], value)
    if name in _PATHS:
        parsed = tuple(_local(one, folder) for one in parsed) if isinstance(parsed, tuple) else _local(parsed, folder)
    return name, parsed


def _local(word: str, folder: Path) -> str:
    """The path that a word may mean."""
    if word.startswith("~"):
        return os.path.expanduser(word)
    beside = folder / word
    return str(beside.absolute()) if not os.path.isabs(word) and os.path.exists(beside) else word


def _text_of(path: Path | None) -> str | None:
    """None where there is no such file. Raises UsageError."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except PermissionError as error:
        if not _is_reachable(path.parent):  # another user's home, as HOME says after `sudo -u`
            return None
        raise UsageError(f"{path}: cannot be read ({error.strerror}); correct it, or move it away") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path}: cannot be read ({reason}); correct it, or move it away") from None


def _is_reachable(folder: Path) -> bool:
    try:
        folder.stat()
    except OSError:
        return False
    return True


def _about_syntax(path: Path, text: str, message: str) -> str:
    """ "Invalid value (at line 3, column 5)" with the line where all errors have it."""
    at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", message)
    line = int(at[1]) if at and at[1] else len(text.splitlines()) or 1
    what = message.replace(at[0], "") if at else message
    return f'{_place(path, line)}: {what[:1].lower()}{what[1:]}; a line is NAME = VALUE, and a text has "quotes"'


def _place(path: Path, line: int | None) -> str:
    return f"{path}:{line}" if line else str(path)


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
