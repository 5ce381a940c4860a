"""`bgcam doctor` as a whole: its screen, its JSON, its exit code, and that `--fix` runs what it shows and no more."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from fake_system import CAPTURE, OUTPUT, FakeSystem

from bgcam.realtime.command import cli
from bgcam.realtime.command.doctor import model_checks, probe
from bgcam.realtime.command.doctor.checks import examine
from bgcam.realtime.command.doctor.command import doctor
from bgcam.realtime.command.doctor.finding import WARNING
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.options import build_parser
from bgcam.realtime.command.system import NOT_THERE, TIMED_OUT, Ran, System
from bgcam.realtime.devices.listing import Capability

APT = "sudo apt install v4l2loopback-dkms"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    """Debian with a webcam and OpenVINO, without a virtual camera."""
    monkeypatch.setattr(model_checks, "auto_order", lambda: ["openvino"])
    system = FakeSystem(tmp_path)
    system.write("/etc/os-release", "ID=debian\n")
    system.kernel()
    system.webcam()
    system.networks("openvino")
    return system


def options(*words: str) -> Namespace:
    return build_parser().parse_args(["doctor", *words])


def load_command(system: FakeSystem) -> str:
    return Machine(system).install_camera


def test_the_screen(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(options(), system=system) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "camera"
    assert f"  warning  v4l2loopback    not installed\n{' ' * 27}$ {APT}\n" in out
    assert "  ok       openvino        OpenVINO CPU, int8: 8.0 ms per matte" in lines
    assert "only to a web page" in out.replace("\n", " ")
    assert len(lines) <= 24, "one screen"
    assert system.ran == []


def test_the_exit_code_is_1_without_a_camera(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(iter(system.capabilities))
    system.capabilities[path] = Capability("uvcvideo", "HD Webcam", OUTPUT)
    assert doctor(options(), system=system) == 1
    assert "see the problem under camera;" in capsys.readouterr().out


def test_all_is_well(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    system.loopback()
    assert doctor(options(), system=system) == 0
    out = capsys.readouterr().out
    assert "bgcam is ready" in out
    assert "$" not in out
    assert "warning" not in out


def test_fix_goes_on_until_nothing_is_left(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    system.answers = [True, True]
    system.after = {APT: system.install, load_command(system): system.loopback}
    assert doctor(options("--fix"), system=system) == 0
    assert system.ran == [APT, load_command(system)]
    assert len(system.asked) == 2
    out = capsys.readouterr().out
    assert out.index(f"$ {APT}") < out.index("done") < out.index("bgcam is ready")


def test_fix_runs_nothing_without_a_yes(system: FakeSystem) -> None:
    doctor(options("--fix"), system=system)
    assert system.asked == ["Run it?"]
    assert system.ran == []


def test_fix_with_yes_asks_nothing_and_tries_each_once(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    system.commands[APT,] = Ran(100)
    doctor(options("--fix", "--yes"), system=system)
    assert system.asked == []
    assert system.ran == [APT]
    assert "it failed with exit code 100" in capsys.readouterr().out


def test_fix_tells_a_rejected_key_from_other_failures(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    system.install()
    system.write("/var/lib/dkms/mok.pub", "key")
    command = load_command(system)
    system.commands[command,] = Ran(1, err="modprobe: ERROR: Key was rejected by service\n")
    doctor(options("--fix", "--yes"), system=system)
    assert [line for line in system.ran if not line.startswith(("dmesg", "journalctl", "mokutil --test"))] == [
        command,
        "sudo mokutil --import /var/lib/dkms/mok.pub",
    ]


def test_a_backend_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--backend", "nix"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bgcam: unknown backend 'nix'; choose one of: auto, openvino")


def test_json(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(options("--json"), system=system) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ready"], told["output"]) == (True, "web page")
    line = next(line for line in told["checks"] if line["what"] == "v4l2loopback")
    assert line == {
        "section": "virtual camera",
        "what": "v4l2loopback",
        "verdict": WARNING,
        "found": "not installed",
        "command": APT,
        "advice": "",
    }


JSON_WHILE_IT_MENDS = """
from bgcam.realtime.command.doctor import command
from bgcam.realtime.command.doctor.checks import Examined
from bgcam.realtime.command.doctor.finding import WARNING, Finding
from bgcam.realtime.command.options import build_parser

broken = [Finding("a", WARNING, "broken", "echo from the command"), Finding("b", WARNING, "broken", "echo unasked")]
command.examine = lambda machine: Examined({"camera": broken}, True)
raise SystemExit(command.doctor(build_parser().parse_args(["doctor", "--json", "--fix"])))
"""


def test_json_stays_json_while_it_mends() -> None:
    """By the real questions and commands; the input ends at the second question."""
    command = [sys.executable, "-c", JSON_WHILE_IT_MENDS]
    ran = subprocess.run(command, input="y\n", capture_output=True, text=True, timeout=60)
    assert [line["what"] for line in json.loads(ran.stdout)["checks"]] == ["a", "b"]
    assert (ran.returncode, ran.stderr.count("Run it?")) == (0, 2)
    assert "from the command" in ran.stderr.replace("$ echo from the command", "")
    assert "unasked" not in ran.stderr.replace("$ echo unasked", "")


def test_a_command_for_several_faults_is_shown_once(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    system.loopback(64, label="Dummy video device (0x0040)", bits=CAPTURE | OUTPUT)
    assert doctor(options(), system=system) == 0
    out = capsys.readouterr().out
    assert (out.count("install-camera"), out.count("-> as above")) == (1, 2)
    assert "would run, but see the warnings;" in out.replace("\n", " ")


def test_the_real_machine_can_be_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "probe", lambda *arguments, **more: {"error": "left out"})
    assert examine(Machine(System())).findings


def test_commands_that_are_not_there_hang_or_say_something() -> None:
    system = System()
    assert system.run("bgcam-no-such-program").code == NOT_THERE
    assert system.run("sleep", "5", timeout_s=0.1).code == TIMED_OUT
    assert system.run("sh", "-c", "echo out; echo err >&2; exit 3") == Ran(3, "out\n", "err\n")
    assert system.read("/no/such/file") == system.link("/no/such/link") == ""
    assert system.names("/no/such/folder") == []


def test_a_command_in_sight_tells_its_errors(capfd: pytest.CaptureFixture[str]) -> None:
    assert System().run_in_sight("echo seen; echo heard >&2; exit 4") == Ran(4, err="heard\n")
    assert capfd.readouterr() == ("seen\n", "heard\n")


def test_writable_folders_and_free_ports(tmp_path: Path) -> None:
    import socket

    system = System()
    assert system.why_not_writable(tmp_path / "new") == ""
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").touch()
    assert system.why_not_writable(tmp_path / "file")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not system.port_is_free(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("typed", "yes"), [("y\n", True), ("Yes\n", True), ("\n", False), ("no\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes(typed: str, yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert System().ask("Sure?") is yes


def test_the_probe_finds_the_demos_person_and_takes_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    probe.main(["backend", "onnxruntime", "auto"])
    told = json.loads(capsys.readouterr().out)
    assert told["error_mean"] < model_checks.WRONG_ABOVE / 2
    assert told["matte_ms"] > 0
    assert told["description"].startswith("ONNX Runtime")


def test_the_probe_tells_an_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    probe.main(["backend", "onnxruntime", "no-such-model"])
    assert "unknown model" in json.loads(capsys.readouterr().out)["error"]
    probe.main(["camera", "/dev/no-such-camera"])
    assert "no camera at" in json.loads(capsys.readouterr().out)["error"]


def test_the_probe_is_a_process_of_its_own() -> None:
    told = Machine(System()).probe("camera", "/dev/no-such-camera", timeout_s=60)
    assert "no camera at" in told["error"]


def test_the_command_is_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    monkeypatch.setattr("bgcam.realtime.command.doctor.command.doctor", lambda options: seen.append(options) or 0)
    assert cli.main(["--camera", "logitech", "doctor", "--fix", "--yes"]) == 0
    assert (seen[0].camera, seen[0].fix, seen[0].yes, seen[0].json) == ("logitech", True, True, False)


@pytest.mark.parametrize(
    "words", [("doctor", "--camera", "c9", "--model", "fast"), ("--camera", "c9", "--model", "fast", "doctor")]
)
def test_its_options_go_before_and_after_its_name(words: tuple[str, ...]) -> None:
    told = build_parser().parse_args(words)
    assert (told.camera, told.model, told.backend) == ("c9", "fast", "auto")


def test_commands_are_for_a_shell(system: FakeSystem) -> None:
    system.loopback(64, label="Dummy video device (0x0040)", bits=CAPTURE | OUTPUT)
    for finding in examine(Machine(system)).findings:
        shlex.split(finding.command)
