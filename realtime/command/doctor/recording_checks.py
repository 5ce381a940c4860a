"""Check of what runs that were killed have left: hidden files beside the recordings that they were to become."""

from __future__ import annotations

from bgcam.realtime.command.doctor.finding import WARNING, Finding
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.sinks.claims import rescue


def check_left_behind(machine: Machine) -> list[Finding]:
    """Each of them, and the command that renames it; nothing if there is none."""
    advice = "it plays except for its last seconds; remove it if you do not need it"
    return [
        Finding("recording", WARNING, f"a run that was killed left {part} ({size / 1e6:.1f} MB)", rescue(part), advice)
        for part, size in machine.system.left_behind()
    ]
