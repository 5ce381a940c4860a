"""The options of the commands that set a machine up: doctor, install-camera, install-service, uninstall-service."""

from __future__ import annotations

import argparse
from typing import Any

from bgcam.realtime.command.option_table import DEBUG, Option

FIX = Option(("--fix",), "offer the commands that fix what was found, one by one")
YES = Option(("--yes",), "ask nothing, do it")
JSON = Option(("--json",), "for bug reports: as JSON, without names of users, homes and machines")
UNDO = Option(("--undo",), "take back what install-camera did")
# What doctor is to examine; the same as before the command's name.
EXAMINED = (
    Option(("--camera", "-c"), "the camera to examine; default: the first", metavar="X"),
    Option(("--model",), "the model to run; default: the best that is shipped", metavar="X"),
    Option(("--backend",), "the backend to run; default: each that bgcam would try", metavar="X"),
)

# Command: its help, and its options.
COMMANDS: dict[str, tuple[str, tuple[Option, ...]]] = {
    "doctor": ("look for what keeps bgcam or calls from working, and fix it", (FIX, YES, JSON, *EXAMINED)),
    "install-camera": ("make the virtual camera, now and at every start of the machine", (YES, UNDO)),
    "install-service": ("start bgcam at every log-in: install-service -- --background beach", (YES,)),
    "uninstall-service": ("start it no more", (YES,)),
}


def add_setup_commands(commands: Any) -> None:
    """Add them to what `add_subparsers` gave."""
    for name, (about, options) in COMMANDS.items():
        parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        for option in options:
            # Its own default would hide a value given before the command's name.
            option.add_to(parser, keep=option in EXAMINED)
        if name == "install-service":
            words = "bgcam's own options, after --; the virtual camera is the output unless one is given"
            parser.add_argument("service_options", nargs="*", metavar="-- OPTION", help=words)
        DEBUG.add_to(parser, keep=True)
