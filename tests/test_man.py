"""The manual page has every command and option; `make man` writes it anew."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import bgcam
from bgcam.realtime.command.options import build_parser

PAGE = Path(bgcam.__file__).resolve().parent / "docs" / "bgcam.1"


def options_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Each command, with the help of each of its options."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options_of(command)
        elif action.option_strings and action.dest not in ("help", "version"):
            yield action.option_strings[0], (action.help or "").replace("%%", "%")


def test_it_has_every_option_with_its_help() -> None:
    plain = " ".join(PAGE.read_text(encoding="utf-8").replace("\\-", "-").replace("\\(aq", "'").split())
    for flag, about in options_of(build_parser()):
        assert flag in plain, f"{flag}: run make man"
        assert " ".join(about.split()) in plain, f"{flag}: run make man"


@pytest.mark.skipif(shutil.which("man") is None or shutil.which("groff") is None, reason="there is no man or groff")
def test_man_shows_it_without_a_warning() -> None:
    ran = subprocess.run(
        ["man", "--warnings", "-l", str(PAGE)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
    )
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert "replace what a webcam shows" in ran.stdout
