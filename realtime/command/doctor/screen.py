"""Doctor's output: a screen for the user, JSON for bug reports."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import re
import textwrap
from pathlib import Path

from bgcam import __version__
from bgcam.realtime.command.doctor.checks import Examined
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING, Finding

_COLOURS = {OK: "\033[32m", WARNING: "\033[33m", PROBLEM: "\033[31m"}
_INDENT = 11
_NAMES = 16
_NAME = r"[/\\][^/\\\s'\"]+"
_HOMES = re.compile(rf"(/var/home|/home|/Users|[A-Z]:\\Users){_NAME}", re.IGNORECASE)
_MEDIA = re.compile(rf"((?:/run)?/media){_NAME}")


def as_text(examined: Examined, *, width: int, colour: bool = False) -> str:
    """The screen, lines of at most `width` columns but for commands, which stay whole to be copied."""
    lines = []
    shown: set[str] = set()
    for title, findings in examined.sections.items():
        lines += [title, *(line for finding in findings for line in _lines(finding, width, colour, shown)), ""]
    return "\n".join([*lines, *textwrap.wrap(summary(examined), width)])


def summary(examined: Examined) -> str:
    """One sentence: would it run, and what next."""
    mendable = any(finding.command for finding in examined.findings if finding.verdict != OK)
    fix = "; `bgcam doctor --fix` goes through the commands, and asks before each" if mendable else ""
    places = [name for name, found in examined.sections.items() if any(each.verdict == PROBLEM for each in found)]
    if places:
        return f"bgcam would not run yet: see the problem under {' and '.join(places)}{fix}."
    if not examined.has_virtual_camera:
        return f"bgcam would run, but only to a web page: calls need the virtual camera{fix}."
    if any(finding.verdict == WARNING for finding in examined.findings):
        return f"bgcam would run, but see the warnings{fix}."
    return "bgcam is ready: start it, then pick the virtual camera in the call."


def as_json(examined: Examined) -> str:
    """The same for programs, without names of users, homes and machines."""
    told = {
        "bgcam": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "ready": examined.ready,
        "output": "virtual camera" if examined.has_virtual_camera else "web page",
        "checks": [
            {"section": section} | {key: anonymous(text) for key, text in vars(finding).items()}
            for section, findings in examined.sections.items()
            for finding in findings
        ],
    }
    return json.dumps(told, indent=1, ensure_ascii=False)


def anonymous(text: str) -> str:
    """The text without this user's name, home folder and machine's name, or anybody's home or folder of sticks."""
    with contextlib.suppress(RuntimeError):  # a user without a home
        text = text.replace(str(Path.home()), "~") if str(Path.home()) != "/" else text
    text = _MEDIA.sub(r"\1/USER", _HOMES.sub("~", text))
    stand_ins = dict.fromkeys((_user(), os.environ.get("SUDO_USER", "")), "USER")
    stand_ins |= dict.fromkeys((platform.node(), platform.node().partition(".")[0]), "MACHINE")
    # The longest first: a machine is often named after its user.
    for name in sorted(stand_ins, key=len, reverse=True):
        if name and name not in ("root", "localhost"):
            word = rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
            text = re.sub(word, stand_ins[name], text, flags=re.IGNORECASE)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""


def wants_colour(is_terminal: bool) -> bool:
    """Whether the screen may have colours (https://no-color.org)."""
    return is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _lines(finding: Finding, width: int, colour: bool, shown: set[str]) -> list[str]:
    indent = " " * (_INDENT + _NAMES)
    verdict = f"  {finding.verdict:<{_INDENT - 2}}"
    found = textwrap.wrap(finding.found, width - len(indent)) or [""]
    lines = [f"{finding.what:<{_NAMES - 1}} {found[0]}", *(indent + line for line in found[1:])]
    lines[0] = (f"{_COLOURS[finding.verdict]}{verdict}\033[0m" if colour else verdict) + lines[0]
    if finding.command in shown:
        return [*lines, f"{indent}-> as above"]
    if finding.command:
        shown.add(finding.command)
        lines.append(f"{indent}$ {finding.command}")
    advice = textwrap.wrap(f"-> {finding.advice}", width - len(indent), subsequent_indent="   ")
    return lines + [indent + line for line in advice if finding.advice]
