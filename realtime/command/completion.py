"""`bgcam completion SHELL`: the script by which a shell completes bgcam's commands, options and values."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from typing import Any

from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.settings import setting_infos

SHELLS = ("bash", "zsh", "fish", "tcsh")
# Options whose value is a file or folder.
FILES = ("--input", "--output", "--model", "matte_input", "matte_output")


def print_completion(parser: argparse.ArgumentParser, shell: str) -> None:
    """Print the script for one of SHELLS, made from the command's own parser."""
    import shtab

    _describe(parser)
    lists = (set_words(), (info.name for info in setting_infos()), background_words())
    preamble: Any = {"bash": _BASH % tuple(shlex.quote(" ".join(words)) for words in lists)}
    # shtab's own type lacks this form of a preamble.
    print(shtab.complete(parser, shell=shell, preamble=preamble))


def background_words() -> Iterator[str]:
    """What `--background` takes that is no file."""
    yield from ("blur", "none", "transparent", "last")
    yield from (path.stem for path in shipped_backgrounds().values())


def set_words() -> Iterator[str]:
    """What may follow `bgcam set`: NAME=VALUE where the values are known, otherwise NAME=."""
    for info in setting_infos():
        if not info.hot:
            continue
        values: tuple[str, ...] = info.choices
        if info.kind == "switch":
            values = ("on", "off")
        elif info.name == "background":
            values = ("blur", *(path.stem for path in shipped_backgrounds().values()))
        yield from (f"{info.name}={value}" for value in values or ("",))


# Names of settings end in "=", after which bash would otherwise begin another word.
_BASH = """
_bgcam_set_words() {
  COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
  compgen -W %s -- "$1"
}
_bgcam_get_words() {
  compgen -W %s -- "$1"
}
_bgcam_backgrounds() {
  compgen -W %s -- "$1"
  compgen -f -- "$1"
}
"""
# {command: the function that completes its words}
_WORDS = {"set": "_bgcam_set_words", "get": "_bgcam_get_words"}


def _describe(parser: argparse.ArgumentParser) -> None:
    """Say which values are files, and which words `set` takes."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                _describe(command)
                if name in _WORDS:
                    _words_of(command).complete = {"bash": _WORDS[name]}  # type: ignore[attr-defined]
        elif "--background" in action.option_strings:
            action.complete = {"bash": "_bgcam_backgrounds"}  # type: ignore[attr-defined]
        elif {*action.option_strings, action.dest} & {*FILES}:
            action.complete = shtab.FILE  # type: ignore[attr-defined]


def _words_of(command: argparse.ArgumentParser) -> argparse.Action:
    return next(action for action in command._actions if action.dest == "words")
