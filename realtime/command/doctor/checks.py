"""The table of checks, in the order of the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bgcam.realtime.command.doctor import (
    camera_checks,
    loopback_checks,
    model_checks,
    module_checks,
    recording_checks,
    service_check,
)
from bgcam.realtime.command.doctor.finding import PROBLEM, Finding
from bgcam.realtime.command.machine import Machine

Check = Callable[[Machine], Finding | list[Finding] | None]

CHECKS: dict[str, tuple[Check, ...]] = {
    "camera": (
        camera_checks.check_camera,
        camera_checks.check_permission,
        camera_checks.check_busy,
        camera_checks.check_format,
        camera_checks.check_picture,
    ),
    "virtual camera": (
        module_checks.check_installed,
        module_checks.check_secure_boot,
        module_checks.check_loaded,
        module_checks.check_version,
        loopback_checks.check_there,
        loopback_checks.check_exclusive_caps,
        loopback_checks.check_label,
        loopback_checks.check_number,
        loopback_checks.check_writer,
        model_checks.check_web_page,
    ),
    "network": (
        model_checks.check_model,
        model_checks.check_backends,
        model_checks.check_compiled,
        model_checks.check_cache,
        model_checks.check_matte,
    ),
    "service": (service_check.check_service,),
    "recordings": (recording_checks.check_left_behind,),
}


@dataclass(frozen=True)
class Examined:
    """What all checks found, by section; and whether there is a virtual camera."""

    sections: dict[str, list[Finding]]
    has_virtual_camera: bool

    @property
    def findings(self) -> list[Finding]:
        return [finding for section in self.sections.values() for finding in section]

    @property
    def ready(self) -> bool:
        """Whether `bgcam` would run: camera, model, and a virtual camera or the web page."""
        return not any(finding.verdict == PROBLEM for finding in self.findings)


def examine(machine: Machine) -> Examined:
    """Run all checks."""
    sections: dict[str, list[Finding]] = {}
    for section, checks in CHECKS.items():
        found = sections.setdefault(section, [])
        for check in checks:
            told = check(machine)
            found += told if isinstance(told, list) else [told] if told else []
    told_of = {section: found for section, found in sections.items() if found}
    return Examined(told_of, machine.virtual_camera is not None)
