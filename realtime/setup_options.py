"""The options of the commands that set a machine up: doctor, install-camera, install-service, uninstall-service."""

from __future__ import annotations

import argparse
from typing import Any

# (command, its help, its options: those of FLAGS)
COMMANDS = (
    ("doctor", "look for what keeps bgcam or calls from working, and mend it", ("fix", "yes", "json")),
    ("install-camera", "make the virtual camera, now and at every start of the machine", ("yes", "undo")),
    ("install-service", "start bgcam at every log-in: install-service -- --background beach", ("yes",)),
    ("uninstall-service", "start it no more", ("yes",)),
)
FLAGS = {
    "fix": "offer the commands that mend what was found, one by one",
    "yes": "ask nothing, do it",
    "json": "for bug reports: as JSON, without names of users, homes and machines",
    "undo": "take back what install-camera did",
}
# What doctor is to examine; the same as before the command's name.
EXAMINED = {
    "camera": "the camera to examine; default: the first",
    "model": "the model to run; default: the best that is shipped",
    "backend": "the backend to run; default: each that bgcam would try",
}


def add_setup_commands(commands: Any) -> list[argparse.ArgumentParser]:
    """Add them to what `add_subparsers` gave. Gives their parsers."""
    parsers = []
    for name, about, flags in COMMANDS:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        for flag in flags:
            parser.add_argument(f"--{flag}", action="store_true", help=FLAGS[flag])
        if name == "doctor":
            for option, words in EXAMINED.items():
                # Its own default would hide a value given before the command's name.
                parser.add_argument(f"--{option}", metavar="X", default=argparse.SUPPRESS, help=words)
        if name == "install-service":
            words = "bgcam's own options, after --; the virtual camera is the output unless one is given"
            parser.add_argument("service_options", nargs="*", metavar="-- OPTION", help=words)
        parsers.append(parser)
    return parsers
