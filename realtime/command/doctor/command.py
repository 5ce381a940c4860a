"""`bgcam doctor`: the screen, `--json`, and `--fix`, which runs the commands that fix what was found."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace

from bgcam.realtime.command.doctor.checks import Examined, examine
from bgcam.realtime.command.doctor.finding import OK, Finding
from bgcam.realtime.command.doctor.screen import as_json, as_text, wants_colour
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import System
from bgcam.realtime.model.backends import check_backend_name

MAX_WIDTH = 110


def doctor(options: Namespace, *, system: System | None = None) -> int:
    """Examine and show, and fix if asked to. Returns 0 if `bgcam` would run with the same options, else 1.

    Raises UsageError, as `bgcam` does, for a backend that there is not.
    """
    check_backend_name(options.backend)
    system = system or System(stdout_is_data=options.json)
    examined = _examine(options, system)
    if options.fix:
        examined = _fix(options, system, examined)
    if options.json:
        print(as_json(examined))
    else:
        _show(examined)
    return 0 if examined.ready else 1


def _fix(options: Namespace, system: System, examined: Examined) -> Examined:
    """Offer each command once, and check again after each: one fix may reveal what else is missing."""
    offered: set[str] = set()
    while finding := _next(examined, offered):
        offered.add(finding.command)
        out = sys.stderr if options.json else sys.stdout
        print(f"{finding.what}: {finding.found}\n  $ {finding.command}", file=out)
        if finding.advice:
            print(f"  {finding.advice}", file=out)
        if not options.yes and not system.ask("Run it?"):
            continue
        ran = system.run_in_sight(finding.command)
        print("  done" if ran.code == 0 else f"  it failed with exit code {ran.code}", end="\n\n", file=out)
        examined = _examine(options, system, load_error=ran.err)
    return examined


def _next(examined: Examined, offered: set[str]) -> Finding | None:
    open_ones = (finding for finding in examined.findings if finding.verdict != OK)
    return next((finding for finding in open_ones if finding.command and finding.command not in offered), None)


def _examine(options: Namespace, system: System, *, load_error: str = "") -> Examined:
    machine = Machine(
        system, camera=options.camera, model=options.model, backend=options.backend, load_error=load_error
    )
    return examine(machine)


def _show(examined: Examined) -> None:
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    print(as_text(examined, width=max(width, 60), colour=wants_colour(sys.stdout.isatty())))
