"""`bgcam completion SHELL`: the script by which a shell completes bgcam's commands, options and values."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.command.misspelt import VIDEOS, WRITTEN
from bgcam.realtime.settings import setting_infos
from bgcam.realtime.settings.table import option_of
from bgcam.realtime.sources.base import PICTURE_SUFFIXES

SHELLS = ("bash", "zsh", "fish", "tcsh")


@dataclass(frozen=True)
class Values:
    """What may follow an option. words: returns the values that are no files. suffixes: of the files, without the dot;
    None for no files at all, empty for folders alone.
    """

    words: Callable[[], Iterable[str]] = tuple
    suffixes: tuple[str, ...] | None = None


def print_completion(parser: argparse.ArgumentParser, shell: str) -> None:
    """Print the script for one of SHELLS, made from the command's own parser."""
    import shtab

    _describe(parser)
    lists = (set_words(), (info.name for info in setting_infos()))
    functions = (_bash_function(name, values) for name, values in VALUES.items())
    preamble: Any = {
        "bash": "\n".join([_BASH % tuple(shlex.quote(" ".join(words)) for words in lists), *functions]),
    }
    # shtab's own type lacks this form of a preamble.
    print(shtab.complete(parser, shell=shell, preamble=preamble))


def background_words() -> Iterator[str]:
    """What `--background` takes that is no file."""
    yield from ("blur", "none", "transparent", "last")
    yield from (path.stem for path in shipped_backgrounds().values())


def model_words() -> Iterator[str]:
    """What `--model` takes that is no file."""
    from bgcam.realtime.model.find import shipped_models

    yield from ("auto", *shipped_models())


def backend_words() -> Iterator[str]:
    """What `--backend` takes."""
    from bgcam.realtime.model.backends import BACKENDS

    yield from ("auto", *BACKENDS)


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
        elif info.name == "model":
            values = tuple(model_words())
        yield from (f"{info.name}={value}" for value in values or ("",))


def _without_dots(*suffixes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(suffix.removeprefix(".") for suffix in suffixes))


_READ = _without_dots(*PICTURE_SUFFIXES, *VIDEOS)
# By an option's long flag, or an argument's name. Options with `choices` alone need no line.
VALUES: dict[str, Values] = {
    "--background": Values(background_words, _READ),
    "--input": Values(suffixes=_READ),
    "--output": Values(lambda: ("virtual", "web", "null"), _without_dots(*WRITTEN)),
    "--model": Values(model_words, ("onnx",)),
    "--backend": Values(backend_words),
    "--presenter": Values(lambda: option_of("presenter").choices),
    "--trace": Values(suffixes=("json",)),
    "matte_input": Values(suffixes=_READ),
    "matte_output": Values(suffixes=_without_dots(*WRITTEN)),
    "batch_source": Values(suffixes=()),
    "batch_target": Values(suffixes=()),
}

# Names of settings end in "=", after which bash would otherwise begin another word.
_BASH = """
_bgcam_set_words() {
  COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
  compgen -W %s -- "$1"
}
_bgcam_get_words() {
  compgen -W %s -- "$1"
}
"""
# {command: the function that completes its words}
_WORDS = {"set": "_bgcam_set_words", "get": "_bgcam_get_words"}


def _describe(parser: argparse.ArgumentParser) -> None:
    """Say which values each option takes, and which words `set` takes."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                _describe(command)
                if name in _WORDS:
                    _words_of(command).complete = {"bash": _WORDS[name]}  # type: ignore[attr-defined]
        for name in {*action.option_strings, action.dest} & {*VALUES}:
            action.complete = _completers(name, VALUES[name])  # type: ignore[attr-defined]


def _completers(name: str, values: Values) -> dict[str, Any]:
    """By shell. Only bash gets words and files together, and files by their kind."""
    import shtab

    others: dict[str, Any]
    if values.suffixes is None:
        words = " ".join(values.words())
        others = {"zsh": f"({words})", "tcsh": f"({words})", "fish": words}
    else:
        others = {**(shtab.FILE if values.suffixes else shtab.DIRECTORY)}
    return {**others, "bash": _function_name(name, values)}


def _function_name(name: str, values: Values) -> str:
    """shtab has bash add a slash to folders where the name contains "_file"."""
    kind = "words" if values.suffixes is None else "files"
    return f"_bgcam_{name.strip('-').replace('-', '_')}_{kind}"


def _bash_function(name: str, values: Values) -> str:
    lines = []
    if words := " ".join(values.words()):
        lines.append(f'  compgen -W {shlex.quote(words)} -- "$1"')
    if values.suffixes is not None:
        lines.append('  compgen -d -- "$1"')
    if values.suffixes:
        lines.append(f"  compgen -f -- \"$1\" | grep -iE '\\.({'|'.join(values.suffixes)})$'")
    return "\n".join([f"{_function_name(name, values)}() {{", *lines, "}"])


def _words_of(command: argparse.ArgumentParser) -> argparse.Action:
    return next(action for action in command._actions if action.dest == "words")
