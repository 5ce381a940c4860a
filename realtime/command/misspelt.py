"""Arguments that no option or command takes: what was meant, so that the error is about the word that is wrong.

argparse takes any word that it has no place for as the command's name, and blames that.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bgcam.realtime.backgrounds.colours import colour_of
from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.errors import UsageError
from bgcam.realtime.settings.option import Option
from bgcam.realtime.sources.base import PICTURE_SUFFIXES
from bgcam.realtime.spelling import closest

# What other programs call it.
OTHER_NAMES = {
    "--bg": "--background",
    "--cam": "--camera",
    "--device": "--camera",
    "--webcam": "--camera",
    "--file": "--input",
    "--video": "--input",
    "--image": "--input",
    "--out": "--output",
    "--resolution": "--size",
    "--framerate": "--fps",
    "--flip": "--mirror",
    "--blur": "--background blur",
    "--color": "--background",
    "--colour": "--background",
}
VIDEOS = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif", ".m4v", ".ts")
WRITTEN = (".mp4", ".mkv", ".webm", ".png", ".jpg", ".jpeg", ".webp")
HELP = ("-h", "--help", "--version")


def arrange(
    arguments: Sequence[str], options: Sequence[Option], *, commands: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The arguments before a command's name, and the rest with it.

    Before it, each word after the first that follows --input gets an --input of its own, as `--input *.jpg` gives them;
    and a short option is parted from a value that sticks to it. Raises UsageError for an option or word that has no
    place there.
    """
    flags = {flag: option for option in options for flag in option.flags}
    own: list[str] = []
    given: dict[str, str] = {}
    last: Option | None = None  # the option whose value came just before
    words = [*arguments]
    while words:
        word = words.pop(0)
        if word == "--" or word in commands:
            return own, [word, *words]
        if word.startswith("-") and word != "-":
            name, equals, value = word.partition("=")
            if name not in flags and word[:2] in flags and flags[word[:2]].takes_value:
                name, equals, value = word[:2], " ", word[2:]
            if name not in flags and name not in HELP:
                raise UsageError(unknown_option(name, [*flags, *HELP], prog="bgcam"))
            last = flags.get(name)
            if equals == " ":
                own += [name, value]
            else:
                own.append(word)
                if last is not None and last.takes_value and not equals and words and not _is_option(words[0]):
                    value = words.pop(0)
                    own.append(value)
            if last is not None:
                given[last.flags[0]] = value
            last = last if last is not None and last.takes_value else None
            continue
        parted = last is not None and os.path.exists(f"{given[last.flags[0]]} {word}")
        if last is not None and last.flags[0] == "--input" and _may_be_read(word) and not parted:
            own += ["--input", word]
            continue
        raise UsageError(_stray(word, last, given, commands))
    return own, []


def check_options(
    arguments: Sequence[str], command: str, options_of: Mapping[str, Sequence[Option]], *, main: Iterable[Option]
) -> None:
    """Raise UsageError for an option that this command does not have. arguments: those after its name."""
    flags = {flag: option for option in options_of[command] for flag in option.flags}
    of_main = {flag for option in main for flag in option.flags}
    words = [*arguments]
    while words:
        word = words.pop(0)
        if word == "--":
            return
        if not _is_option(word):
            continue
        name, equals, _ = word.partition("=")
        if name in flags:
            if flags[name].takes_value and not equals and words:
                words.pop(0)
        elif name not in HELP:
            if command == "install-service" and name in of_main:
                raise UsageError(f"give the service's options last: bgcam install-service -- {name} ...")
            raise UsageError(unknown_option(name, [*flags, "--help"], prog=f"bgcam {command}"))


def unknown_option(name: str, flags: Sequence[str], *, prog: str) -> str:
    """The message about an option that is not in `flags`. prog: the command's name."""
    meant = OTHER_NAMES.get(name.replace("_", "-"))
    if meant is None or meant.split()[0] not in flags:
        starts = [flag for flag in flags if flag.startswith(name)] if len(name) > 2 else []
        starts = [flag for flag in starts if not any(flag.startswith(f"{other}-") for other in starts)]
        meant = " or ".join(starts) or (closest(name.replace("_", "-"), flags) if len(name) > 2 else None)
    question = f"; did you mean {meant}?" if meant else ""
    return f"{prog} does not accept {name}{question or ';'} see {prog} --help"


def _stray(word: str, last: Option | None, given: Mapping[str, str], commands: Sequence[str]) -> str:
    """What is wrong with a word that stands where a command's name might."""
    suffix = Path(word).suffix.lower()
    if suffix not in (*PICTURE_SUFFIXES, *VIDEOS) and not os.path.exists(word):
        if options := _background_too(word, given):
            return _meant(word, options)
        if command := closest(word, commands):
            return f"unknown command {word!r}; did you mean bgcam {command}?"
    name = last.flags[0] if last is not None else ""
    joined = f"{given.get(name)} {word}"
    if name and os.path.exists(joined):
        return f"quote a name with spaces: {name} {shlex.quote(joined)}"
    if name and name != "--input" and _same_kind(word, given[name]):
        if last is not None and last.several:
            return f"{word} follows {name} {given[name]}; give each its own: {name} {given[name]} {name} {word}"
        advice = ", or give a folder of pictures for a slideshow" if name == "--background" else ""
        return f"{name} takes one value, but {word} follows {given[name]}; quote a name with spaces{advice}"
    if options := _options_for(word, given):
        return _meant(word, options)
    if last is not None and (last.parse is None or last.several):
        return f"{name} takes one value, but {word} follows {given[name]}; quote a name with spaces"
    return f"unknown command {word!r}; the commands are {', '.join(commands)}; see bgcam --help"


def _options_for(word: str, given: Mapping[str, str]) -> list[str]:
    """The options that could take a file, those that were not given yet."""
    suffix = Path(word).suffix.lower()
    wanted: list[str] = []
    if "://" in word:
        wanted = ["--input"]
    elif word in shipped_backgrounds():
        wanted = ["--background"]
    elif suffix in WRITTEN and not os.path.exists(word) and ("--input" in given or "--camera" in given):
        wanted = ["--output"]
    elif suffix in VIDEOS:
        wanted = ["--input", "--background"]
    elif suffix in PICTURE_SUFFIXES or os.path.isdir(word):
        wanted = ["--background", "--input"]
    if "--camera" in given:
        wanted = [option for option in wanted if option != "--input"]
    return [option for option in wanted if option not in given] or wanted[:1]


def _background_too(word: str, given: Mapping[str, str]) -> list[str]:
    """ "beach" alone was meant for a background."""
    names = {path.stem for path in shipped_backgrounds().values()} | {"blur", "none"}
    fits = word.partition(":")[0].lower() in names or colour_of(word) is not None
    return ["--background"] if fits and "--background" not in given else []


def _meant(word: str, options: Sequence[str]) -> str:
    shown = word if word.isprintable() and " " not in word else repr(word)
    each = " or ".join(f"{option} {shown}" for option in options)
    return f"{shown} has no option before it; did you mean {each}?"


def _same_kind(word: str, before: str) -> bool:
    """Whether both are pictures or both videos, as when the shell puts several names in the place of one."""
    suffixes = Path(word).suffix.lower(), Path(before).suffix.lower()
    return any(all(suffix in kind for suffix in suffixes) for kind in (PICTURE_SUFFIXES, VIDEOS))


def _may_be_read(word: str) -> bool:
    """Whether it can be one more input: anything but a file that is yet to be written."""
    return "://" in word or os.path.exists(word)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-" and not word[1:2].isdigit() and word[1:2] != "."
