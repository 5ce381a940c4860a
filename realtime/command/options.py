"""The command's parser, made of the table of settings; and what becomes of arguments that it does not know."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from bgcam import __version__
from bgcam.realtime.command.arguments import add_option, add_settings, add_shared
from bgcam.realtime.command.completion import SHELLS
from bgcam.realtime.command.misspelt import arrange, check_options, unknown_option
from bgcam.realtime.command.remote import COMMANDS as REMOTE
from bgcam.realtime.command.remote import add_remote_commands
from bgcam.realtime.command.setup_options import COMMANDS as SETUP
from bgcam.realtime.command.setup_options import add_setup_commands
from bgcam.realtime.errors import UsageError
from bgcam.realtime.settings import values
from bgcam.realtime.settings.option import Option
from bgcam.realtime.settings.table import all_settings, option_of
from bgcam.realtime.spelling import closest

USAGE = "bgcam [OPTIONS]\n       bgcam COMMAND [OPTIONS]"
EXAMPLES = """\
examples:
  bgcam                                       blur the room; output to the virtual camera
  bgcam -b beach                              put yourself on the beach
  bgcam -b beach.jpg -c logitech              your own picture, and the camera with that name
  bgcam -b beach -o web                       see it in the browser
  bgcam -i clip.mp4 -b green -o out.mp4       a video
  bgcam -i photos/*.jpg -b beach -o done/     pictures
  bgcam --edge shrink:2 --light-wrap 3        a tighter edge, and the background's light on it
  bgcam matte photos/ mattes/                 mattes of all pictures in a folder
  bgcam batch talks/ done/ -b office          all videos and pictures of a folder
  bgcam set background=office.jpg mirror=on   change the bgcam that runs; bgcam ui opens its control page

exit code: 0 finished, or a camera stopped with Ctrl-C
           1 it failed, or an output file is incomplete; also if a device is missing, which may be plugged in later
           2 the request is wrong: an option, a setting, an unknown name, or a file or folder that does not exist or is
             not what it should be
"""

# Commands without arguments of their own: help.
PLAIN = {
    "devices": "list cameras and virtual cameras",
    "backgrounds": "list the backgrounds: those shipped with bgcam, and the colours",
}
CLEAR = Option(flags=("--clear",), help="remove all of it; it is rebuilt when needed")
CUTOUT = Option(flags=("--cutout",), help="write the person with transparency (RGBA) instead")
ONLY_MATTE = Option(flags=("--matte",), help="write the mattes, as `bgcam matte` does")
ONLY_CUTOUT = Option(flags=("--cutout",), help="write the people with transparency, as `bgcam matte --cutout` does")
WORKERS = Option(
    flags=("--workers",),
    help="how many files to process at the same time; default: one for each GPU and each remaining processor; 1 "
    "does without Ray",
    metavar="N",
    parse=values.worker_count,
)
ADDRESS = Option(
    flags=("--address",),
    help="run on this Ray cluster: HOST:PORT or auto; bgcam, the background and the model must be there too",
    metavar="ADDRESS",
)
SEGMENT = Option(
    flags=("--segment",),
    help="cut long videos into parts of about this many seconds, so that several workers share one; at key frames, "
    "and joined without a loss; not with --frame follow",
    metavar="SECONDS",
    parse=values.segment,
)
PROFILE = Option(
    flags=("--profile",),
    help="use [profile.NAME] of the configuration file too; see `bgcam config`",
    metavar="NAME",
)
# The settings that `bgcam batch` accepts.
OF_BATCH = (
    *("background", "edge", "light_wrap", "light_match", "frame", "overwrite", "no_audio"),
    *("model", "backend", "threads", "far", "debug"),
)
# The settings that `bgcam matte` accepts.
OF_MATTE = ("overwrite", "no_audio", "model", "backend", "threads", "far", "debug")
COMPLETION = 'For bash: eval "$(bgcam completion bash)" in ~/.bashrc; for fish: bgcam completion fish | source'
_ADDRESSES = "an address such as s3://bucket/talks, gs://, az:// or sftp://"
_OF_BATCH = (
    "Names and folders are kept. What is done already is skipped, so the same command picks up where it was "
    "interrupted. With the extra `batch`, on all processors and GPUs, or on a Ray cluster"
)
_DEMO = "show what bgcam does on a generated clip"


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of bgcam's are."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a word that is none of its choices, and say which there are."""
        if action.choices is None or action.option_strings or isinstance(action, argparse._SubParsersAction):
            super()._check_value(action, value)
        elif value not in action.choices:
            *most, last = map(str, action.choices)
            taken = f"{', '.join(most)} or {last}" if most else last
            meant = closest(str(value), map(str, action.choices))
            self.error(f"{self.prog} takes {taken}, not {value!r}{f'; did you mean {meant}?' if meant else ''}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the options are listed; exit 2."""
        self.exit(2, f"bgcam: {message}{'' if message.endswith('?') else ';'} see {self.prog} --help\n")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, see `build_parser`; `given` has the settings among them that were given, as in `Settings`.

    Raises UsageError, and SystemExit by argparse.
    """
    parsed, left = build_parser(keep=True).parse_known_args(checked(arguments))
    if left:
        raise UsageError(_too_many(parsed.command, left[0]))
    given = {name: value for name, value in vars(parsed).items() if name in all_settings()}
    for name, one in all_settings().items():
        if name not in given:
            setattr(parsed, name, [*one.default] if one.option.several else one.default)
    parsed.given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return parsed


def _too_many(command: str | None, word: str) -> str:
    """The message about a word after all those that a command takes."""
    advice = "give one INPUT and one OUTPUT, and for several pictures their folder; " if command == "matte" else ""
    return f"bgcam {command} does not take {word!r}; {advice}see bgcam {command} --help"


def checked(arguments: Sequence[str]) -> list[str]:
    """The arguments as `build_parser` takes them (see `arrange`). Raises UsageError, which names what was meant."""
    main = [*(one.option for one in all_settings().values()), PROFILE]
    own, rest = arrange(arguments, main, commands=[*_options_of(), "demo"])
    if rest and rest[0] in _options_of():
        check_options(rest[1:], rest[0], _options_of(), main=main)
    return [*own, *rest]


def refuse_unknown(unknown: Sequence[str], parser: argparse.ArgumentParser) -> None:
    """Raise UsageError for the first of the words that `parse_known_args` had no place for."""
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]
        raise UsageError(unknown_option(unknown[0].partition("=")[0], flags, prog=parser.prog))


def build_parser(*, keep: bool = False) -> argparse.ArgumentParser:
    """The parser of `bgcam`; `command` is None or the name of another command, such as "matte".

    keep: settings that are not given are not there, rather than at their defaults.
    """
    parser = OneLineParser(
        prog="bgcam",
        usage=USAGE,
        description="Replace what a webcam shows behind a person, in real time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    add_settings(parser, keep=keep)
    more = parser.add_argument_group("help")
    more.add_argument("-h", "--help", action="help", help="show this help and exit")
    more.add_argument("--version", action="version", version=f"bgcam {__version__}", help="show the version and exit")
    add_option(more, PROFILE)
    add_shared(more, ["debug"], keep=keep)
    _add_commands(parser.add_subparsers(dest="command", metavar="COMMAND", title="other commands", prog="bgcam"))
    return parser


def _add_commands(commands: Any) -> None:
    about = "write the mattes of a picture, folder or video"
    matte = commands.add_parser("matte", help=about, description=about, allow_abbrev=False)
    matte.add_argument("matte_input", metavar="INPUT", help="a picture, a folder of pictures, or a video")
    matte.add_argument(
        "matte_output",
        metavar="OUTPUT",
        help="a folder, or a .png for one picture; a .mp4, .mkv, .webm or .mov for a video; with --cutout a .webm, a "
        ".mov (ProRes 4444) or a folder for a video",
    )
    add_option(matte, CUTOUT)
    add_shared(matte, OF_MATTE, keep=True)
    add_option(matte, PROFILE, keep=True)
    about = "process every video and picture of a folder or bucket"
    batch = commands.add_parser("batch", help=about, description=f"{about}. {_OF_BATCH}", allow_abbrev=False)
    batch.add_argument("batch_source", metavar="SRC", help=f"a folder with folders in it, or {_ADDRESSES}")
    batch.add_argument("batch_target", metavar="DST", help=f"the folder for the outputs, or {_ADDRESSES}")
    what = batch.add_mutually_exclusive_group()
    for option in (ONLY_MATTE, ONLY_CUTOUT):
        add_option(what, option)
    for option in (WORKERS, ADDRESS, SEGMENT):
        add_option(batch, option)
    add_shared(batch, OF_BATCH, keep=True)
    add_option(batch, PROFILE, keep=True)
    for name, about in PLAIN.items():
        plain = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        add_shared(plain, ["debug"], keep=True)
    about = "show what is cached between runs and its size, or remove it"
    cache = commands.add_parser("cache", help=about, description=about, allow_abbrev=False)
    cache.add_argument("what", nargs="?", choices=("clear",), metavar="clear", help="as --clear")
    add_option(cache, CLEAR)
    add_shared(cache, ["debug"], keep=True)
    about = "show each setting and where it comes from, or edit the configuration file"
    config = commands.add_parser("config", help=about, description=about, allow_abbrev=False)
    what = "edit: open the configuration file in $VISUAL or $EDITOR; path: print where it is"
    config.add_argument("what", nargs="?", choices=("edit", "path"), help=what)
    add_option(config, PROFILE, keep=True)
    add_shared(config, ["debug"], keep=True)
    about = "print the script by which a shell completes bgcam's commands, options and values"
    completion = commands.add_parser("completion", help=about, description=f"{about}. {COMPLETION}", allow_abbrev=False)
    completion.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS))
    add_shared(completion, ["debug"], keep=True)
    add_setup_commands(commands)
    add_remote_commands(commands)
    commands.add_parser("demo", help=_DEMO, add_help=False)


def _options_of() -> dict[str, tuple[Option, ...]]:
    """Each command's own options; demo sees to its own."""
    own: dict[str, tuple[Option, ...]] = {"matte": (CUTOUT, PROFILE, *map(option_of, OF_MATTE)), "cache": (CLEAR,)}
    own["batch"] = (ONLY_MATTE, ONLY_CUTOUT, WORKERS, ADDRESS, SEGMENT, PROFILE, *map(option_of, OF_BATCH))
    own |= {"config": (PROFILE,), "completion": (), **dict.fromkeys(PLAIN, ())}
    own |= {name: options for name, (_, options) in SETUP.items()}
    own |= {name: options for name, (_, options, _) in REMOTE.items()}
    return {name: (*options, option_of("debug")) for name, options in own.items()}
