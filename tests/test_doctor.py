"""Each verdict of `bgcam doctor`, with the fault that it is for, on a machine that is not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_system import CAPTURE, GOOD_MATTE, GOOD_PICTURE, OUTPUT, FakeSystem
from platformdirs import user_cache_path

from bgcam.realtime import models
from bgcam.realtime.devices import Capability
from bgcam.realtime.doctor import camera_checks, controls, loopback_checks, model_checks, module_checks
from bgcam.realtime.doctor.checks import CHECKS, Check, examine
from bgcam.realtime.doctor.finding import OK, PROBLEM, WARNING, Finding
from bgcam.realtime.doctor.machine import Machine
from bgcam.realtime.doctor.system import TIMED_OUT, Ran
from bgcam.realtime.v4l2 import HeldFormat, Mode

ALONE = PermissionError(13, "Permission denied")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    """A machine with Debian on it, no devices, and OpenVINO."""
    monkeypatch.setattr(model_checks, "auto_order", lambda: ["openvino", "onnxruntime"])
    system = FakeSystem(tmp_path)
    system.write("/etc/os-release", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n')
    system.kernel()
    system.networks("openvino")
    return system


def one(check: Check, system: FakeSystem, **options: Any) -> Finding:
    """What the check finds, which must be one line."""
    found = check(Machine(system, **options))
    assert isinstance(found, Finding)
    return found


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


def used_by(name: str, *, streams: bool = True) -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        path = system.webcam()
        system.busy.add(path)
        system.hold(path, pid=812, name=name, streams=streams)

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


def installed_with(*, keys: str = "", secure: bool = True, dmesg: str = "") -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        system.install()
        system.write(module_checks.SECURE_BOOT, b"\x06\0\0\0" + bytes([secure]))
        system.commands["dmesg",] = Ran(0, dmesg)
        if keys:
            system.write(keys, b"key")
            system.commands["mokutil", "--test-key", keys] = Ran(1, f"{keys} is not enrolled\n")

    return bring_about


def dkms_for_other_kernels(system: FakeSystem) -> None:
    system.write("/var/lib/dkms/v4l2loopback/0.12.7/6.0.9/x86_64/log", "")
    system.write("/var/lib/dkms/v4l2loopback/kernel-6.0.9-x86_64", "")


def says_no_version(system: FakeSystem) -> None:
    dkms_for_other_kernels(system)
    system.write("/sys/module/v4l2loopback/refcnt", "0")


def no_modules(system: FakeSystem) -> None:
    system.write("/proc/sys/kernel/osrelease", "6.9.9\n")


def unknown_system(system: FakeSystem) -> None:
    system.write("/etc/os-release", "ID=plan9\n")


def fedora(system: FakeSystem) -> None:
    system.write("/etc/os-release", "ID=fedora\n")


def written_to(*, name: str = "", other: str = "") -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        path = system.loopback(state="capture")
        system.held[path] = HeldFormat((640, 480), "YUYV")
        if name:
            system.hold(path, pid=99, name=name)
        if other:
            system.loopback(11, label="Second", state=other)

    return bring_about


def old_driver(shown: str) -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        path = system.loopback(state="")
        system.write(f"/sys/class/video4linux/{Path(path).name}/format", shown)
        system.hold(path, pid=99, name="ffmpeg")

    return bring_about


def slow_but_by_itself(system: FakeSystem) -> None:
    exposing({controls.EXPOSURE_AUTO: ("Auto Exposure", 3), controls.EXPOSURE_TIME: ("Exposure Time", 666)})(system)


def locked_loopback(system: FakeSystem) -> None:
    system.load("0.13.2")
    system.plug_in(10, ALONE, name="bgcam")
    system.write("/sys/class/video4linux/video10/max_openers", "10")


def matte(name: str, told: dict[str, Any] | Ran) -> Callable[[FakeSystem], Any]:
    def bring_about(system: FakeSystem) -> None:
        system.probes["backend", name] = told

    return bring_about


def no_port(system: FakeSystem) -> None:
    system.free_port = False


def roots_cache(system: FakeSystem) -> None:
    system.unwritable = "Permission denied"
    user_cache_path("bgcam", appauthor=False).mkdir(parents=True, exist_ok=True)


def full_disk(system: FakeSystem) -> None:
    system.unwritable = "No space left on device"


AUTO = controls.EXPOSURE_MAY_SLOW_DOWN
MANUAL = {controls.EXPOSURE_AUTO: ("Auto Exposure", 1), controls.EXPOSURE_TIME: ("Exposure Time, Absolute", 666)}
MOK = "/var/lib/shim-signed/mok/MOK.der"
SUDO_APT = "sudo apt install v4l2loopback-dkms"

# check, what is brought about, verdict, what must be said, what must be in the command ("" for none)
VERDICTS: list[tuple[Check, Callable[[FakeSystem], Any], str, str, str]] = [
    (camera_checks.check_camera, lambda system: None, PROBLEM, "none found", ""),
    (camera_checks.check_camera, lambda system: system.webcam(), OK, "video0 (HD Webcam)", ""),
    (camera_checks.check_permission, lambda system: system.webcam(), OK, "may use it", ""),
    (camera_checks.check_permission, locked(groups="jo", next_groups="jo"), PROBLEM, "video0", "usermod -aG video"),
    (camera_checks.check_permission, locked(groups="jo", next_groups="jo video"), PROBLEM, "video0", ""),
    (camera_checks.check_busy, lambda system: system.webcam(), OK, "by nobody", ""),
    (camera_checks.check_busy, used_by("zoom"), PROBLEM, "by zoom (pid 812)", ""),
    (camera_checks.check_busy, used_by("wireplumber", streams=False), PROBLEM, "by wireplumber (pid 812)", ""),
    (camera_checks.check_busy, used_by("bgcam"), OK, "by bgcam itself", ""),
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
        "15 frames a second instead of 30: the camera exposes longer",
        "video0 -c exposure_dynamic_framerate=0",
    ),
    (camera_checks.check_picture, exposing({AUTO: ("X", 1)}, v4l2_ctl=False), WARNING, "exposes longer", ""),
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
    (module_checks.check_installed, lambda system: None, WARNING, "not installed", SUDO_APT),
    (module_checks.check_installed, lambda system: system.install(), OK, "installed", ""),
    (module_checks.check_installed, dkms_for_other_kernels, WARNING, "not built for", "sudo dkms autoinstall"),
    (module_checks.check_installed, no_modules, WARNING, "no folder of modules", ""),
    (module_checks.check_installed, unknown_system, WARNING, "not installed", ""),
    (module_checks.check_installed, fedora, WARNING, "not installed", "sudo dnf install akmod-v4l2loopback"),
    (module_checks.check_loaded, lambda system: system.install(), WARNING, "no", "install-camera --yes"),
    (module_checks.check_loaded, lambda system: system.load("0.13.2"), OK, "yes", ""),
    (module_checks.check_version, lambda system: system.load("0.12.7"), OK, "0.12.7", ""),
    (module_checks.check_version, says_no_version, OK, "0.12.7", ""),
    (module_checks.check_version, lambda system: system.load("0.15.1"), OK, "one program at a time", ""),
    (module_checks.check_version, lambda system: system.load("0.12.5"), WARNING, "older than 0.12.7", ""),
    (module_checks.check_secure_boot, installed_with(), OK, "whether the module's key is trusted shows", ""),
    (module_checks.check_secure_boot, installed_with(keys=MOK), WARNING, "does not trust", f"mokutil --import {MOK}"),
    (
        module_checks.check_secure_boot,
        installed_with(dmesg="[3.1] Loading of module with unavailable key is rejected\n"),
        WARNING,
        "Key was rejected by service",
        "",
    ),
    (loopback_checks.check_there, lambda system: system.loopback(), OK, "video10 (bgcam)", ""),
    (loopback_checks.check_there, lambda system: system.load("0.13.2"), WARNING, "none, though", "install-camera"),
    (loopback_checks.check_there, locked_loopback, WARNING, "none that this user may open", ""),
    (loopback_checks.check_exclusive_caps, lambda system: system.loopback(), OK, "on", ""),
    (
        loopback_checks.check_exclusive_caps,
        lambda system: system.loopback(bits=CAPTURE | OUTPUT),
        WARNING,
        "Chrome, Zoom and Teams",
        "install-camera",
    ),
    (loopback_checks.check_exclusive_caps, lambda system: system.loopback(bits=CAPTURE), OK, "on", ""),
    (loopback_checks.check_label, lambda system: system.loopback(), OK, "bgcam", ""),
    (loopback_checks.check_label, lambda system: system.loopback(label="OBS Camera"), OK, "pick that name", ""),
    (
        loopback_checks.check_label,
        lambda system: system.loopback(label="Dummy video device (0x0000)"),
        WARNING,
        "nobody finds",
        "install-camera",
    ),
    (loopback_checks.check_number, lambda system: system.loopback(63), OK, "63", ""),
    (loopback_checks.check_number, lambda system: system.loopback(64), WARNING, "64: Firefox", "install-camera"),
    (loopback_checks.check_writer, lambda system: system.loopback(), OK, "by nobody", ""),
    (loopback_checks.check_writer, written_to(name="bgcam"), OK, "by bgcam itself", ""),
    (loopback_checks.check_writer, written_to(name="ffmpeg"), PROBLEM, "ffmpeg (pid 99), 640x480 YUYV", ""),
    (loopback_checks.check_writer, written_to(name="ffmpeg", other="capture"), PROBLEM, "ffmpeg", ""),
    (loopback_checks.check_writer, written_to(name="ffmpeg", other="output"), WARNING, "ffmpeg", ""),
    (loopback_checks.check_writer, old_driver("YUYV:320x240@30"), PROBLEM, "ffmpeg (pid 99)", ""),
    (loopback_checks.check_writer, old_driver(""), OK, "by nobody", ""),
    (loopback_checks.check_writer, written_to(), PROBLEM, "keep_format", "modprobe -r v4l2loopback && sudo modprobe"),
    (model_checks.check_web_page, lambda system: None, OK, "free", ""),
    (model_checks.check_web_page, no_port, PROBLEM, "taken", ""),
    (model_checks.check_cache, lambda system: None, OK, "bgcam", ""),
    (model_checks.check_cache, full_disk, WARNING, "No space left on device", ""),
    (model_checks.check_cache, roots_cache, WARNING, "Permission denied", 'sudo chown -R "$USER"'),
    (model_checks.check_model, lambda system: None, OK, "fast", ""),
]


@pytest.mark.parametrize(("check", "bring_about", "verdict", "says", "command"), VERDICTS)
def test_verdict(
    system: FakeSystem, check: Check, bring_about: Callable[[FakeSystem], Any], verdict: str, says: str, command: str
) -> None:
    bring_about(system)
    found = one(check, system)
    assert found.verdict == verdict
    assert says in found.found
    assert command in found.command
    assert bool(found.command) == bool(command)
    assert found.verdict == OK or found.command or found.advice, "a fault without a word on what to do"


def test_every_check_has_a_verdict_here() -> None:
    of_lists = {model_checks.check_backends}
    tabled = {check for checks in CHECKS.values() for check in checks} - of_lists
    assert tabled == {check for check, *_ in VERDICTS}


def test_what_does_not_apply_is_left_out(system: FakeSystem) -> None:
    found = examine(Machine(system))
    assert [line.what for line in found.sections["camera"]] == ["camera"]
    assert [line.what for line in found.sections["virtual camera"]] == ["v4l2loopback", "web page"]


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
    assert (found.verdict, "no device fits 'logitech'" in found.found) == (PROBLEM, True)


def test_a_second_camera_that_is_locked_is_no_problem(system: FakeSystem) -> None:
    system.webcam()
    system.plug_in(2, ALONE)
    assert one(camera_checks.check_permission, system).verdict == WARNING


def test_a_virtual_camera_that_is_locked_is_no_webcam_and_the_page_is_taken(system: FakeSystem) -> None:
    locked_loopback(system)
    machine = Machine(system)
    assert (machine.cameras, machine.virtual_camera) == ([], None)
    assert one(camera_checks.check_camera, system).found == "none found"
    found = one(camera_checks.check_permission, system)
    assert (found.verdict, found.command) == (WARNING, 'sudo usermod -aG video "$USER"')


def test_modprobe_itself_tells_of_a_rejected_key(system: FakeSystem) -> None:
    installed_with(secure=False)(system)
    assert module_checks.check_secure_boot(Machine(system)) is None
    said = "modprobe: ERROR: could not insert 'v4l2loopback': Key was rejected by service"
    assert one(module_checks.check_secure_boot, system, load_error=said).verdict == WARNING


def test_a_rejected_module_has_to_be_there(system: FakeSystem) -> None:
    system.write(module_checks.SECURE_BOOT, b"\x06\0\0\0\x01")
    assert module_checks.check_secure_boot(Machine(system)) is None


def test_a_loaded_module_is_trusted(system: FakeSystem) -> None:
    installed_with(keys=MOK)(system)
    system.load("0.13.2")
    assert module_checks.check_secure_boot(Machine(system)) is None


def test_root_needs_no_sudo(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path, is_root=True)
    system.kernel()
    system.write("/etc/os-release", "ID=debian\n")
    assert one(module_checks.check_installed, system).command == "apt install v4l2loopback-dkms"


def backends(system: FakeSystem, **options: Any) -> list[tuple[str, str]]:
    return [(found.what, found.verdict) for found in model_checks.check_backends(Machine(system, **options))]


@pytest.mark.parametrize(
    ("told", "verdict", "says"),
    [
        (GOOD_MATTE, OK, "OpenVINO CPU, int8: 8.0 ms a matte"),
        (GOOD_MATTE | {"error_mean": 0.3}, PROBLEM, "does not find the person"),
        ({"error": "openvino cannot load it"}, PROBLEM, "openvino cannot load it"),
        (Ran(-4, err="Illegal instruction\n"), PROBLEM, "ended with code -4 (Illegal instruction)"),
        (Ran(TIMED_OUT), PROBLEM, "no answer in 120 s"),
    ],
)
def test_a_backend_is_run(system: FakeSystem, told: Any, verdict: str, says: str) -> None:
    matte("openvino", told)(system)
    (found,) = (line for line in model_checks.check_backends(Machine(system)) if line.what == "openvino")
    assert found.verdict == verdict
    assert says in found.found
    assert verdict == OK or found.command or found.advice, "a fault without a word on what to do"


def test_one_backend_that_works_is_enough(system: FakeSystem) -> None:
    system.networks("onnxruntime")
    matte("openvino", {"error": "openvino cannot load it"})(system)
    assert backends(system) == [("openvino", WARNING), ("onnxruntime", OK)]


def test_one_that_is_not_installed_is_no_fault_where_another_works(system: FakeSystem) -> None:
    assert backends(system) == [("openvino", OK)]


def test_a_wrong_one_that_is_not_taken(system: FakeSystem) -> None:
    matte("onnxruntime", GOOD_MATTE | {"error_mean": 0.3})(system)
    assert backends(system) == [("openvino", OK), ("onnxruntime", WARNING)]


def test_none_at_all_is_a_problem_with_pips_line(system: FakeSystem) -> None:
    system.probes.clear()
    found = model_checks.check_backends(Machine(system))
    assert {line.verdict for line in found} == {PROBLEM}
    assert found[0].command == "pip install openvino"


def test_the_backend_that_is_asked_for_has_to_work(system: FakeSystem) -> None:
    assert backends(system, backend="torch") == [("torch", PROBLEM)]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"description": "OpenVINO CPU, int8", "matte_ms": 8.0}, "not on the card yet"),
        ({"description": "PyTorch NVIDIA H100, fp16", "matte_ms": 30.0}, "slower than the processor by openvino"),
    ],
)
def test_a_card_that_is_not_used(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(model_checks, "auto_order", lambda: ["torch", "openvino"])
    matte("torch", GOOD_MATTE | told)(system)
    by_name = {found.what: found for found in model_checks.check_backends(Machine(system))}
    assert by_name["openvino"].verdict == OK
    assert (by_name["torch"].verdict, says in by_name["torch"].found) == (WARNING, True)


def test_a_model_that_is_not_as_it_was_shipped(
    system: FakeSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MODELS_FOLDER", tmp_path)
    sums = []
    for name in ("fast", "resnet50_half"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
        sums.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}.onnx\n")
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    assert one(model_checks.check_model, system) == Finding("model", OK, "fast, resnet50_half")
    (tmp_path / "resnet50_half.onnx").write_bytes(b"damaged")
    found = one(model_checks.check_model, system)
    assert (found.verdict, "not the file that was shipped" in found.found) == (PROBLEM, True)
    assert "install bgcam again" in found.advice
    assert one(model_checks.check_model, system, model="fast").verdict == WARNING
    assert one(model_checks.check_model, system, model="resnet50_half").verdict == PROBLEM


def test_a_model_that_is_not_there(system: FakeSystem) -> None:
    assert one(model_checks.check_model, system, model="nope").verdict == PROBLEM
    assert model_checks.check_backends(Machine(system, model="nope")) == []


def test_another_system_than_linux(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path, platform="darwin")
    assert "Linux alone" in one(camera_checks.check_camera, system).found
    assert module_checks.check_installed(Machine(system)) is None


def test_ready_means_a_camera_a_network_and_an_output(system: FakeSystem) -> None:
    assert not examine(Machine(system)).ready
    path = system.webcam()
    assert examine(Machine(system)).ready  # on the web page
    system.free_port = False
    assert not examine(Machine(system)).ready
    system.loopback()
    assert examine(Machine(system)).ready
    system.capabilities[path] = Capability("uvcvideo", "HD Webcam", OUTPUT)
    assert not examine(Machine(system)).ready
