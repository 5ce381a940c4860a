"""What a check found, and how bad it is."""

from __future__ import annotations

from dataclasses import dataclass

# A problem keeps `bgcam` from running at all; a warning is anything else that the user may want to fix.
OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the screen. what: what was looked at. command: the shell's line that mends it, or "". advice: what
    no command can do, or what the command needs besides, or "".
    """

    what: str
    verdict: str
    found: str
    command: str = ""
    advice: str = ""
