"""The commands that drive a bgcam which runs: those of COMMANDS."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bgcam.realtime.command.arguments import add_option, add_shared
from bgcam.realtime.control.instance import DEFAULT_NAME
from bgcam.realtime.errors import BgcamError, UsageError, about_setting
from bgcam.realtime.settings.option import Option
from bgcam.realtime.settings.table import all_settings
from bgcam.realtime.spelling import closest

INSTANCE = Option(
    flags=("--instance",), help=f"which bgcam, where several run; default: {DEFAULT_NAME}", metavar="NAME"
)
CONFIRM_ROOM = Option(flags=("--confirm-room",), help="show the room to others; without it, such a change is refused")
JSON = Option(flags=("--json",), help="print JSON")
FORGET = Option(flags=("--forget",), help="forget the room that was learnt")
PRINT = Option(flags=("--print",), help="only print the address, open no browser")

# Command: its help, its options, and its words as argparse takes them.
COMMANDS: dict[str, tuple[str, tuple[Option, ...], dict[str, Any] | None]] = {
    "set": (
        "change the running bgcam: set background=office.jpg mirror=on",
        (CONFIRM_ROOM, INSTANCE),
        {"nargs": "+", "metavar": "NAME=VALUE", "help": "a setting, see bgcam get; a list's name may be repeated"},
    ),
    "get": (
        "print the settings of the running bgcam, or some of them",
        (JSON, INSTANCE),
        {"nargs": "*", "metavar": "NAME", "help": "a setting; default: all"},
    ),
    "status": ("print what the running bgcam is doing", (JSON, INSTANCE), None),
    "next": ("go on to the next picture of a folder, or else the next background", (INSTANCE,), None),
    "previous": ("go back to the picture or background before", (INSTANCE,), None),
    "learn-room": (
        "learn the empty room while you step out of the picture, to tell furniture from you",
        (FORGET, INSTANCE),
        None,
    ),
    "panic": ("show the placeholder instead of you, until bgcam resume", (INSTANCE,), None),
    "resume": ("show yourself again, after bgcam panic", (INSTANCE,), None),
    "quit": ("end the running bgcam", (INSTANCE,), None),
    "ui": ("open the control page in the browser; starts bgcam if none runs", (PRINT, INSTANCE), None),
}
# How often a command asks whether the room is learnt.
LOOK_EVERY_S = 0.2
# Settings whose value may be a file of the caller's, whose working directory is another than the running bgcam's.
FILE_SETTINGS = ("background", "model", "input")


def add_remote_commands(commands: Any) -> None:
    """Add them to what `add_subparsers` gave."""
    for name, (about, options, words) in COMMANDS.items():
        parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        if words is not None:
            parser.add_argument("words", **words)
        for option in options:
            add_option(parser, option, default=DEFAULT_NAME if option is INSTANCE else None)
        add_shared(parser, ["debug"], keep=True)


def remote(options: argparse.Namespace) -> int:
    """Do the command of these options. Gives the exit code; raises BgcamError."""
    from bgcam.realtime.control.client import Client
    from bgcam.realtime.control.instance import check_name

    return _DO[options.command](Client(check_name(options.instance)), options)


def _set(client: Any, options: argparse.Namespace) -> int:
    from bgcam.realtime.control.protocol import ConfirmationNeeded

    wanted = parse_values(options.words)
    try:
        values = client.change(wanted, confirm_room=options.confirm_room)
    except ConfirmationNeeded as error:
        raise UsageError(f"{error}: add --confirm-room") from None
    for name in wanted:
        print(f"{name} = {as_text(values.get(name))}")
    return 0


def _get(client: Any, options: argparse.Namespace) -> int:
    values = client.values()
    for name in options.words:
        if name not in values:
            meant = closest(name, values)
            raise UsageError(f"unknown setting {name!r}; " + (f"did you mean {meant}?" if meant else "see bgcam get"))
    chosen = {name: values[name] for name in options.words or values}
    if options.json:
        print(json.dumps(chosen, indent=2))
    elif len(options.words) == 1:  # for scripts
        print(as_text(*chosen.values()))
    else:
        for name, value in chosen.items():
            print(f"{name} = {as_text(value)}")
    return 0


def _status(client: Any, options: argparse.Namespace) -> int:
    from dataclasses import asdict

    status = client.status()
    if options.json:
        print(json.dumps(asdict(status), indent=2))
        return 0
    values = client.values()
    visible = ", and your room is visible" if status.state == "live" and _shows_room(values) else ""
    notice = status.notice.removeprefix("PANIC: ")  # the state says it
    print(f"{status.state}{visible}{f': {notice}' if notice else ''}")
    known = ((status.fps, ".1f", "fps"), (status.latency_ms, ".0f", "ms latency"), (status.cpu_percent, ".0f", "% CPU"))
    rates = [f"{value:{form}} {unit}" for value, form, unit in known if value is not None]
    print(", ".join([*rates, f"{status.frames} frames, {status.dropped} dropped"]))
    background = as_text(values.get("background"))
    background += f" ({status.slide})" if status.slide else ""
    print(f"source: {status.source}; background: {background}; model: {status.model} on {status.backend}")
    doubt = "" if status.matte_doubt is None else f"; doubt about the matte {status.matte_doubt:.0%}"
    print(f"empty room: {status.room.state}{doubt}")
    print(f"outputs: {', '.join(status.outputs)}")
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.since_s))
    print(f"bgcam {status.version}, process {status.pid}, since {since}")
    return 0


def _shows_room(values: Mapping[str, Any]) -> bool:
    return str(values.get("background")).lower() == "none" or values.get("view") == "side-by-side"


def _next(client: Any, options: argparse.Namespace) -> int:
    return _tell_shown(client, client.next_background())


def _previous(client: Any, options: argparse.Namespace) -> int:
    return _tell_shown(client, client.previous_background())


def _tell_shown(client: Any, values: Mapping[str, Any]) -> int:
    """Say what is shown now: the slide, or another background."""
    print(client.status().slide or f"background = {as_text(values.get('background'))}")
    return 0


def _learn_room(client: Any, options: argparse.Namespace) -> int:
    room = client.learn_room(forget=options.forget)
    if options.forget:
        print("the room is forgotten")
        return 0
    print("step out of the picture: the room is learnt once nobody is in it for two seconds", flush=True)
    while room.state == "learning":
        time.sleep(LOOK_EVERY_S)
        room = client.status().room
    if room.failed:
        raise BgcamError(room.failed)
    print("the room is learnt")
    return 0


def _panic(client: Any, options: argparse.Namespace) -> int:
    client.panic(True)
    print("the placeholder is shown; bgcam resume shows you again")
    return 0


def _resume(client: Any, options: argparse.Namespace) -> int:
    client.panic(False)
    print("you are shown again")
    return 0


def _quit(client: Any, options: argparse.Namespace) -> int:
    client.quit()
    return 0


def _ui(client: Any, options: argparse.Namespace) -> int:
    from bgcam.realtime.command.control_page import open_in_browser, page_address

    address = page_address(client, options.instance)
    print(f"control page: {address}", flush=True)
    if not options.print:
        open_in_browser(address)
    return 0


_DO: dict[str, Callable[[Any, argparse.Namespace], int]] = {
    "set": _set,
    "get": _get,
    "status": _status,
    "next": _next,
    "previous": _previous,
    "learn-room": _learn_room,
    "panic": _panic,
    "resume": _resume,
    "quit": _quit,
    "ui": _ui,
}


def parse_values(words: Sequence[str]) -> dict[str, str | list[str]]:
    """["mirror=on", "edge=shrink", "edge=sharp"] to {"mirror": "on", "edge": ["shrink", "sharp"]}. Raises UsageError.

    Values stay texts: the running bgcam knows what each has to be. Names of files become absolute.
    """
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        if not equals or not name:
            raise UsageError(f"{word!r} is not NAME=VALUE; quote values with spaces; an example: bgcam set mirror=on")
        if name in found and name in all_settings() and not all_settings()[name].option.several:
            raise UsageError(f"{name} is given twice; give it once")
        found.setdefault(name, []).append(_sent(name, value))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _sent(name: str, value: str) -> str:
    """The value as the running bgcam has to get it. Raises BackgroundError for a background that is not here."""
    if name not in FILE_SETTINGS:
        return value
    sent = absolute(value, may_be_name=name == "model")
    if name == "background" and value and sent == value and not (os.path.isabs(value) or _is_word(value)):
        # A folder of the running bgcam's may have a file of that name.
        from bgcam.realtime.backgrounds import no_such_background

        if "://" not in value:
            with about_setting("background"):
                raise no_such_background(value)
    return sent


def absolute(value: str, *, may_be_name: bool = False) -> str:
    """The value with its file's whole path; as it is if it names no file.

    A file that is not there is named in full as well if it can only be a file, so that the running bgcam does not take
    one of its own working directory for it. A background that comes with bgcam goes before a file of its bare name.
    may_be_name: a word that is also a file's name here stays a word.
    """
    path = os.path.expanduser(value)
    if not value or "://" in value or _is_word(value):
        return value
    shipped = _shipped_file(value)
    if shipped and not os.path.exists(path):
        return shipped
    is_path = os.sep in path or Path(path).suffix or (os.path.exists(path) and not may_be_name)
    return os.path.abspath(path) if is_path else value


def _is_word(value: str) -> bool:
    """Whether it is a background that is no file; for `open_background` these come before files too."""
    from bgcam.realtime.backgrounds.camera_name import camera_named
    from bgcam.realtime.backgrounds.colours import colour_of, is_meant
    from bgcam.realtime.backgrounds.shipped import shipped_backgrounds

    word = value.partition(":")[0].lower()
    if word in ("blur", "none", "transparent", "last", "auto") or camera_named(value) is not None:
        return True
    if colour_of(value) is not None or is_meant(value):
        return True
    return value.lower() in {path.stem.lower() for path in shipped_backgrounds().values()}


def _shipped_file(value: str) -> str:
    """The name of the shipped background whose file is called so, "" for none."""
    from bgcam.realtime.backgrounds.shipped import shipped_backgrounds

    found = shipped_backgrounds().get(value)
    return found.stem if found else ""


def as_text(value: Any) -> str:
    """A value as `bgcam set` takes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ",".join(map(as_text, value))
    return "" if value is None else str(value)
