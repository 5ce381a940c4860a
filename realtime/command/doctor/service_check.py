"""Check of the service that starts bgcam at log-in."""

from __future__ import annotations

from bgcam.realtime.command.doctor.finding import OK, WARNING, Finding
from bgcam.realtime.command.machine import Machine

# What `systemctl is-active` says of a service that works, or will in a moment.
RUNNING = ("active", "activating", "reloading")


def check_service(machine: Machine) -> Finding | None:
    """Whether it runs, and will at the next log-in; None where it was not installed."""
    from bgcam.realtime.command.install.service import UNIT, unit_folder

    try:
        if not (unit_folder() / UNIT).exists():
            return None
    except (OSError, RuntimeError):  # a user without a home has none
        return None
    asked = ("is-active", "is-enabled")
    active, enabled = (machine.system.run("systemctl", "--user", verb, UNIT).out.strip() for verb in asked)
    if active not in RUNNING:
        found = f"{UNIT} is {active or 'unknown to systemd'}"
        advice = f"journalctl --user -u {UNIT} says why"
        return Finding("service", WARNING, found, f"systemctl --user restart {UNIT}", advice)
    if enabled != "enabled":
        return Finding("service", WARNING, "it runs, but does not start at log-in", f"systemctl --user enable {UNIT}")
    return Finding("service", OK, f"{UNIT} runs, and starts at log-in")
