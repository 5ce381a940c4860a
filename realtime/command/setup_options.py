"""The options of the commands that set a machine up: doctor, install-..., uninstall-service, uninstall."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from bgcam.realtime.command.arguments import add_option, add_shared
from bgcam.realtime.settings.option import Option
from bgcam.realtime.settings.table import option_of

FIX = Option(flags=("--fix",), help="offer to run the commands that fix what was found, one by one")
YES = Option(flags=("--yes",), help="do it without asking")
JSON = Option(flags=("--json",), help="for bug reports: print JSON, without names of users, homes and machines")
UNDO = Option(flags=("--undo",), help="undo what install-camera did")
UNDO_DESKTOP = Option(flags=("--undo",), help="undo what install-desktop did")
# What doctor is to examine; the same as before the command's name.
EXAMINED = (
    replace(option_of("camera"), help="the camera to examine; default: the first"),
    replace(option_of("model"), help="the model to run; default: the best that is shipped", metavar="X"),
    replace(option_of("backend"), help="the backend to run; default: each that bgcam would try", metavar="X"),
)

# Command: its help, and its options.
COMMANDS: dict[str, tuple[str, tuple[Option, ...]]] = {
    "doctor": ("find what keeps bgcam or calls from working, and fix it", (FIX, YES, JSON, *EXAMINED)),
    "install-camera": ("create the virtual camera, now and at every boot", (YES, UNDO)),
    "install-service": ("start bgcam at every log-in: install-service -- --background beach", (YES,)),
    "install-desktop": ("put bgcam into the desktop's menu: it opens the control page", (YES, UNDO_DESKTOP)),
    "uninstall-service": ("no longer start bgcam at log-in", (YES,)),
    "uninstall": ("remove what bgcam wrote outside its package: service, menu entry, cache, last choice", (YES,)),
}


def add_setup_commands(commands: Any) -> None:
    """Add them to what `add_subparsers` gave."""
    for name, (about, options) in COMMANDS.items():
        parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        for option in options:
            # Its own default would hide a value given before the command's name.
            add_option(parser, option, keep=option in EXAMINED)
        if name == "install-service":
            words = "bgcam's own options, after --; the virtual camera is the output unless one is given"
            parser.add_argument("service_options", nargs="*", metavar="-- OPTION", help=words)
        add_shared(parser, ["debug"], keep=True)
