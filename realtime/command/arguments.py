"""The settings, and the commands' own options, as arguments of a parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import groupby
from typing import Any, Protocol

from bgcam.realtime.settings.option import Option
from bgcam.realtime.settings.settings import HELP
from bgcam.realtime.settings.table import Setting, all_settings


class Taker(Protocol):
    """A parser, or a group of one."""

    def add_argument(self, *flags: str, **settings: Any) -> Any: ...


def add_option(taker: Taker, option: Option, *, default: Any = None, keep: bool = False) -> None:
    """keep: without a default, which would hide a value that was given before a command's name."""
    settings: dict[str, Any] = {"help": option.help.replace("%", "%%"), "default": default}
    if option.parse:
        settings["type"] = option.parse
    if option.choices and not option.others:
        settings["choices"] = option.choices
    if option.metavar:
        settings["metavar"] = option.metavar
    if option.several:
        settings |= {"action": "append", "default": [*(default or ())]}
    if not option.takes_value:
        settings |= {"action": "store_true", "default": bool(default)}
    if keep:
        settings["default"] = argparse.SUPPRESS
    taker.add_argument(*option.flags, **settings)


def add_settings(parser: argparse.ArgumentParser, *, keep: bool = False) -> None:
    """All settings in the groups of their tasks, without those of the group of the help. keep: see `add_option`."""
    settings = (one for one in all_settings().values() if one.option.group != HELP)
    for title, members in groupby(settings, key=_group):
        group = parser.add_argument_group(title)
        one_of: dict[str, Taker] = {}
        for one in members:
            taker: Taker = group
            if word := one.option.exclusive:
                taker = one_of[word] = one_of.get(word) or group.add_mutually_exclusive_group()
            add_option(taker, one.option, default=one.default, keep=keep)


def add_shared(taker: Taker, names: Iterable[str], *, keep: bool = False) -> None:
    """The settings of these names. keep: see `add_option`."""
    for name in names:
        one = all_settings()[name]
        add_option(taker, one.option, default=one.default, keep=keep)


def _group(setting: Setting) -> str:
    return setting.option.group
