"""What `bgcam doctor` says of the camera: each verdict, with the fault that it is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_system import ALONE, GOOD_PICTURE, FakeSystem, judged, mint, one

from bgcam.realtime.command.doctor import camera_checks, controls
from bgcam.realtime.command.doctor.checks import CHECKS, Check
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import TIMED_OUT, Ran
from bgcam.realtime.devices.v4l2 import Mode

AUTO = controls.EXPOSURE_MAY_SLOW_DOWN
MANUAL = {controls.EXPOSURE_AUTO: ("Auto Exposure", 1), controls.EXPOSURE_TIME: ("Exposure Time, Absolute", 666)}


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    return mint(tmp_path)


def slow(system: FakeSystem) -> None:
    system.webcam(picture=GOOD_PICTURE | {"seen_fps": 15.0})


def webcam_with(**picture: Any) -> Callable[[FakeSystem], Any]:
    return lambda system: system.webcam(picture=GOOD_PICTURE | picture)


def exposing(values: dict[int, tuple[str, int]], *, v4l2_ctl: bool = True) -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        slow(system)
        system.values = values
        if v4l2_ctl:
            system.commands["v4l2-ctl", "--version"] = Ran(0)

    return bring_about


def slow_but_by_itself(system: FakeSystem) -> None:
    exposing({controls.EXPOSURE_AUTO: ("Auto Exposure", 3), controls.EXPOSURE_TIME: ("Exposure Time", 666)})(system)


def used_by(name: str, *, streams: bool = True, line: str = "") -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        path = system.webcam()
        system.busy.add(path)
        system.hold(path, pid=812, name=name, streams=streams, line=line)

    return bring_about


def locked(*, groups: str, next_groups: str) -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        system.plug_in(0, ALONE, name="Locked Camera")
        system.commands["id", "-un"] = Ran(0, "jo\n")
        system.commands["id", "-nG"] = Ran(0, groups)
        system.commands["id", "-nG", "jo"] = Ran(0, next_groups)

    return bring_about


def busy_unseen(system: FakeSystem) -> None:
    system.busy.add(system.webcam())


# check, what is brought about, verdict, what must be said, what must be in the command ("" for none)
VERDICTS: list[tuple[Check, Callable[[FakeSystem], Any], str, str, str]] = [
    (camera_checks.check_camera, lambda system: None, PROBLEM, "none found", ""),
    (camera_checks.check_camera, lambda system: system.webcam(), OK, "video0 (HD Webcam)", ""),
    (camera_checks.check_permission, lambda system: system.webcam(), OK, "has access to it", ""),
    (camera_checks.check_permission, locked(groups="jo", next_groups="jo"), PROBLEM, "video0", "usermod -aG video"),
    (camera_checks.check_permission, locked(groups="jo", next_groups="jo video"), PROBLEM, "video0", ""),
    (camera_checks.check_busy, lambda system: system.webcam(), OK, "by nobody", ""),
    (camera_checks.check_busy, used_by("zoom"), PROBLEM, "by zoom (pid 812)", ""),
    (camera_checks.check_busy, used_by("wireplumber", streams=False), PROBLEM, "by wireplumber (pid 812)", ""),
    (camera_checks.check_busy, used_by("bgcam"), OK, "by bgcam itself", ""),
    (camera_checks.check_busy, used_by("python", line="python -m bgcam"), OK, "by bgcam itself", ""),
    (camera_checks.check_busy, busy_unseen, PROBLEM, "another user", ""),
    (camera_checks.check_format, lambda system: system.webcam(), OK, "MJPG, up to 1280x720", ""),
    (
        camera_checks.check_format,
        lambda system: system.webcam(modes=(Mode("YUYV", (1280, 720), 10.0), Mode("YUYV", (640, 480), 30.0))),
        WARNING,
        "no MJPG, only YUYV:",
        "",
    ),
    (
        camera_checks.check_format,
        lambda system: system.webcam(modes=tuple(Mode(name, (640, 480), 30.0) for name in ("YUYV", *"ABCD"))),
        WARNING,
        "only YUYV, A, B and 2 more:",
        "",
    ),
    (camera_checks.check_picture, lambda system: system.webcam(), OK, "1280x720, 30 frames a second", ""),
    (camera_checks.check_picture, webcam_with(brightest=9), WARNING, "all black", ""),
    (camera_checks.check_picture, slow, WARNING, "15 frames a second instead of 30", ""),
    (
        camera_checks.check_picture,
        exposing({AUTO: ("Exposure, Dynamic Framerate", 1)}),
        WARNING,
        "15 frames a second instead of 30: the camera exposes for longer",
        "video0 -c exposure_dynamic_framerate=0",
    ),
    (camera_checks.check_picture, exposing({AUTO: ("X", 1)}, v4l2_ctl=False), WARNING, "exposes for longer", ""),
    (camera_checks.check_picture, exposing(MANUAL), WARNING, "set to 66.6 ms", "-c exposure_time_absolute=333"),
    (camera_checks.check_picture, exposing({AUTO: ("X", 0)}), WARNING, "instead of 30", ""),
    (camera_checks.check_picture, slow_but_by_itself, WARNING, "15 frames a second instead of 30", ""),
    (
        camera_checks.check_picture,
        lambda system: system.webcam(picture={"error": "HD Webcam: gives no picture"}),
        PROBLEM,
        "gives no picture",
        "",
    ),
    (camera_checks.check_picture, lambda system: system.webcam(picture=Ran(TIMED_OUT)), PROBLEM, "no answer", ""),
]


@pytest.mark.parametrize(("check", "bring_about", "verdict", "says", "command"), VERDICTS)
def test_verdict(
    system: FakeSystem, check: Check, bring_about: Callable[[FakeSystem], Any], verdict: str, says: str, command: str
) -> None:
    bring_about(system)
    judged(one(check, system), verdict, says=says, command=command)


def test_every_check_has_a_verdict_here() -> None:
    assert {check for check, *_ in VERDICTS} == set(CHECKS["camera"])


def test_a_busy_camera_is_not_opened(system: FakeSystem) -> None:
    used_by("zoom")(system)
    assert camera_checks.check_picture(Machine(system)) is None


def test_who_streams_is_told_and_not_who_looks_on(system: FakeSystem) -> None:
    used_by("zoom")(system)
    system.hold(str(system.path("/dev/video0")), pid=5, name="wireplumber", streams=False)
    assert one(camera_checks.check_busy, system).found == "by zoom (pid 812)"


def test_the_camera_that_is_asked_for(system: FakeSystem) -> None:
    system.webcam()
    assert one(camera_checks.check_camera, system, camera="webcam").verdict == OK
    found = one(camera_checks.check_camera, system, camera="logitech")
    assert (found.verdict, "no device matches 'logitech'" in found.found) == (PROBLEM, True)


def test_a_second_camera_that_is_locked_is_no_problem(system: FakeSystem) -> None:
    system.webcam()
    system.plug_in(2, ALONE)
    assert one(camera_checks.check_permission, system).verdict == WARNING
