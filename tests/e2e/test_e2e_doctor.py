"""What `bgcam doctor` finds, with each fault brought about in a real driver."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import lab
import pytest
from programs import Program

from bgcam.realtime.command.cli import main
from bgcam.realtime.command.doctor import camera_checks, loopback_checks, model_checks, module_checks
from bgcam.realtime.command.doctor.checks import CHECKS
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING, Finding
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import System

Start = Callable[..., Program]
# Of "virtual camera", those that apply where the driver is loaded.
OF_A_LOOPBACK = {
    "v4l2loopback",
    "loaded",
    "version",
    "virtual camera",
    "exclusive_caps",
    "name",
    "number",
    "written to",
}


def machine() -> Machine:
    return Machine(System())


@pytest.fixture
def loopback() -> Iterator[Callable[..., None]]:
    """Loads v4l2loopback with other parameters, for one test. To be asked for first."""
    lab.need_kernel()
    yield lab.load_loopback
    lab.load_loopback()


def test_doctor_finds_the_devices_fine(program: Start, camera: str, output: str, tiny_model: Path) -> None:
    def doctor() -> int:
        model_checks.BACKEND_TIMEOUT_S = 1  # drawing the demo's frame alone takes minutes under emulation
        return main(["doctor", "--json", "--backend", "openvino", "--model", str(tiny_model)])

    run = program(doctor, "doctor")
    code = run.ends()
    told = json.loads(run.text)
    print(json.dumps(told, indent=1))
    found = {finding["what"]: finding for finding in told["checks"]}
    assert camera in found["camera"]["found"]
    assert output in found["virtual camera"]["found"]
    for what in ("v4l2loopback", "loaded", "exclusive_caps", "name", "number", "written to", "permission", "in use"):
        assert found[what]["verdict"] == OK, found[what]
    assert (code, told["ready"], told["output"]) == (1, False, "virtual camera")  # for the network, of which no answer


def test_a_loopback_as_it_should_be_is_fine(output: str) -> None:
    findings = [check(machine()) for check in CHECKS["virtual camera"]]
    told = {finding.what: finding.verdict for finding in findings if isinstance(finding, Finding)}
    assert told == dict.fromkeys(OF_A_LOOPBACK, OK), findings


def test_wrong_parameters_are_found(loopback: Callable[..., None]) -> None:
    loopback("video_nr=70")
    for check, found in (
        (loopback_checks.check_exclusive_caps, "off"),
        (loopback_checks.check_number, "70"),
        (loopback_checks.check_label, "Dummy video device"),
    ):
        finding = check(machine())
        assert finding is not None
        assert finding.verdict == WARNING, finding
        assert found in finding.found


def test_a_module_that_is_not_loaded_is_found(loopback: Callable[..., None]) -> None:
    lab.unload("v4l2loopback")
    finding = module_checks.check_loaded(machine())
    assert finding is not None
    assert (finding.verdict, finding.found) == (WARNING, "no")
    assert finding.command
    finding = module_checks.check_installed(machine())
    assert finding is not None
    assert finding.verdict == OK


def test_another_writer_is_named(program: Start, output: str) -> None:
    from bgcam.realtime.sinks._loopback import LoopbackWriter

    def write() -> int:
        import time

        import numpy as np

        writer = LoopbackWriter(160, 120, 5, output)
        while True:
            writer.send(np.zeros((180, 160), np.uint8))
            print("writing", flush=True)
            time.sleep(0.2)

    other = program(write, "othercam")
    other.says("writing")
    finding = loopback_checks.check_writer(machine())
    assert finding is not None
    assert finding.verdict == WARNING  # bgcam takes the other one meanwhile
    assert f"othercam (pid {other.pid})" in finding.found
    assert "160x120 YU12" in finding.found


def test_a_busy_camera_is_found_with_who_uses_it(program: Start, camera: str) -> None:
    def hold() -> int:
        viewer = lab.Viewer(camera)
        while viewer.read() is not None:
            print("streams", flush=True)
        return 1

    free = camera_checks.check_busy(machine())
    assert free is not None
    assert free.verdict == OK
    other = program(hold, "videocall")
    other.says("streams")
    finding = camera_checks.check_busy(machine())
    assert finding is not None
    assert finding.verdict == PROBLEM
    assert f"videocall (pid {other.pid})" in finding.found


def test_a_user_who_may_not_use_the_devices_is_told(program: Start, camera: str) -> None:
    lab.need_kernel()
    os.chmod(camera, 0o660)

    def look() -> int:
        os.setgroups([])
        os.setgid(lab.NOBODY)
        os.setuid(lab.NOBODY)
        print(camera_checks.check_permission(machine()))
        return 0

    run = program(look, "doctor")
    assert run.ends() == 0, run.text
    assert camera in run.text
    assert PROBLEM in run.text
    assert "usermod -aG video" in run.text


def test_a_virtual_camera_that_may_not_be_used_is_no_webcam(program: Start, camera: str, output: str) -> None:
    lab.need_kernel()
    os.chmod(camera, 0o666)
    os.chmod(output, 0o660)

    def look() -> int:
        os.setgroups([])
        os.setgid(lab.NOBODY)
        os.setuid(lab.NOBODY)
        found = machine()
        locked = {device.path for device in found.virtual_cameras if device.locked}
        print(camera_checks.check_permission(found), loopback_checks.check_there(found))
        return 0 if output in locked and [device.path for device in found.cameras] == [camera] else 1

    run = program(look, "doctor")
    assert run.ends() == 0, run.text
    assert f"this user has no permission to open {output}" in run.text or f", {output}" in run.text


def test_no_camera_is_found(loopback: Callable[..., None]) -> None:
    lab.unload("vivid")
    try:
        finding = camera_checks.check_camera(machine())
        assert finding is not None
        assert (finding.verdict, finding.found) == (PROBLEM, "none found")
    finally:
        lab.load_vivid()
