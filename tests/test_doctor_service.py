"""What `bgcam doctor` says of the service: each verdict, with the fault that it is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_system import judged, mint

from bgcam.realtime.command.doctor.checks import CHECKS
from bgcam.realtime.command.doctor.finding import OK, WARNING
from bgcam.realtime.command.doctor.service_check import check_service
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import Ran

UNIT = "bgcam.service"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    unit = tmp_path / "systemd" / "user" / UNIT
    unit.parent.mkdir(parents=True)
    unit.touch()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("active", "enabled", "verdict", "says", "command"),
    [
        ("active", "enabled", OK, "starts at log-in", ""),
        ("activating", "enabled", OK, "starts at log-in", ""),
        ("failed", "enabled", WARNING, "is failed", "systemctl --user restart bgcam.service"),
        ("inactive", "disabled", WARNING, "is inactive", "systemctl --user restart bgcam.service"),
        ("", "", WARNING, "unknown to systemd", "systemctl --user restart bgcam.service"),
        ("active", "disabled", WARNING, "does not start at log-in", "systemctl --user enable bgcam.service"),
    ],
)
def test_verdict(tmp_path: Path, active: str, enabled: str, verdict: str, says: str, command: str) -> None:
    system = mint(tmp_path / "root")
    for verb, state in (("is-active", active), ("is-enabled", enabled)):
        system.commands["systemctl", "--user", verb, UNIT] = Ran(0, f"{state}\n")
    found = check_service(Machine(system))
    assert found is not None
    judged(found, verdict, says=says, command=command)


def test_without_a_service_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert check_service(Machine(mint(tmp_path / "root"))) is None
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert check_service(Machine(mint(tmp_path / "root"))) is None


def test_doctor_asks() -> None:
    assert check_service in CHECKS["service"]
