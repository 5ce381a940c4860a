"""`bgcam install-service`: its options are checked first, and the unit says what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
from argparse import Namespace
from pathlib import Path

import pytest
from clips import write_clip, write_picture
from fake_system import FakeSystem

from bgcam.realtime.command import cli
from bgcam.realtime.command.install import service
from bgcam.realtime.command.install.files import MARK
from bgcam.realtime.command.install.service import install_service, service_command, uninstall_service
from bgcam.realtime.command.install.unit import FILE_BOUNDS, FORBIDDING, quoted, unit_text, why_no_namespaces
from bgcam.realtime.command.options import build_parser
from bgcam.realtime.command.system import Ran
from bgcam.realtime.errors import BackgroundError, BgcamError, ModelError, SinkError, SourceError, UsageError

VERBS = ("daemon-reload", "enable bgcam.service", "restart bgcam.service", "disable --now bgcam.service")


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    """A machine with systemd, as a user."""
    system = FakeSystem(tmp_path / "machine")
    system.path("/run/systemd/system").mkdir(parents=True)
    system.commands = {("systemctl", "--user", *verb.split()): Ran(0) for verb in VERBS}
    return system


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    return tmp_path / "units" / service.UNIT


@pytest.fixture
def nothing_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests' own folders, which are under /tmp, pass for a home."""
    monkeypatch.setattr(service, "TEMPORARY", ("/no/such/folder",))


def options(*words: str) -> Namespace:
    return build_parser().parse_args(list(words))


def install(system: FakeSystem, unit: Path, *words: str) -> int:
    return install_service(options("install-service", "--yes", "--", *words), system=system, folder=unit.parent)


def exec_start(unit: Path) -> str:
    return next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))


def test_it_writes_the_unit_and_starts_it(system: FakeSystem, unit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(system, unit, "--background", "beach", "--fps=24") == 0
    assert exec_start(unit).endswith('bgcam" "--background" "beach" "--fps=24" "--output" "virtual"')
    assert system.ran == [f"systemctl --user {verb}" for verb in VERBS[:3]]
    text = unit.read_text()
    for line in (
        "Restart=on-failure",
        "RestrictAddressFamilies=AF_UNIX AF_INET",
        "WantedBy=default.target",
        *FILE_BOUNDS,
    ):
        assert f"\n{line}\n" in text
    assert text.replace("\n", "\n    ").strip() in capsys.readouterr().out


def test_on_demand_is_a_fair_option(system: FakeSystem, unit: Path) -> None:
    assert install(system, unit, "--on-demand") == 0
    assert exec_start(unit).endswith('"--on-demand" "--output" "virtual"')


def test_without_a_yes_nothing_is_written(system: FakeSystem, unit: Path) -> None:
    assert install_service(options("install-service"), system=system, folder=unit.parent) == 1
    assert (unit.exists(), system.ran, len(system.asked)) == (False, [], 1)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--background", "no-such.jpg"), BackgroundError),
        (("--model", "no-such"), ModelError),
        (("--backend", "no-such"), UsageError),
        (("--output", "talk.mp4"), UsageError),
        (("devices",), UsageError),
        (("--on-demand", "--output", "null"), UsageError),
        (("--input", "no-such.mp4"), SourceError),
        (("--input=file://no-such.mp4",), SourceError),
        (("--input", os.devnull), SourceError),
        (("--output", "virtual", "--output", "virtual"), UsageError),
    ],
)
def test_options_are_checked_before_anything_is_written(
    system: FakeSystem, unit: Path, words: tuple[str, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        install(system, unit, *words)
    assert not unit.exists()
    assert system.ran == []


def test_an_option_that_is_none_is_refused(system: FakeSystem, unit: Path) -> None:
    with pytest.raises(UsageError, match="bgcam does not accept --no-such-option"):
        install(system, unit, "--no-such-option")
    assert not unit.exists()


@pytest.mark.usefixtures("nothing_is_temporary")
def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "my beach.png")
    command, _ = service_command(["--background", "my beach.png"])
    assert command[1:3] == ["--background", str(tmp_path / "my beach.png")]
    command, _ = service_command(["--background=my beach.png", "--output", "web"])
    assert command[1:] == [f"--background={tmp_path / 'my beach.png'}", "--output", "web"]


@pytest.mark.usefixtures("nothing_is_temporary")
def test_a_shipped_name_stays_one_beside_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "office").mkdir()
    write_picture(tmp_path / "office" / "a.png")
    assert service_command(["--background", "office"])[0][1:3] == ["--background", "office"]
    assert service_command(["--background", "./office"])[0][1:3] == ["--background", str(tmp_path / "office")]


def test_a_service_may_show_a_key_colour() -> None:
    command, _ = service_command(["--background", "transparent", "--key-colour", "magenta"])
    assert command[1:] == ["--background", "transparent", "--key-colour", "magenta", "--output", "virtual"]
    with pytest.raises(UsageError, match="key_colour: 'grass' is not a colour"):
        service_command(["--background", "transparent", "--key-colour", "grass"])


@pytest.mark.usefixtures("nothing_is_temporary")
@pytest.mark.parametrize(
    "words", [("--input", "my clip.mp4"), ("--input=my clip.mp4",), ("--input=file://my clip.mp4",)]
)
def test_an_input_becomes_absolute(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_clip(tmp_path / "my clip.mp4")
    command, _ = service_command([*words, "--output", "web"])
    assert "=".join(command[1:-2]) == f"--input={path}"


def test_an_address_may_answer_later() -> None:
    command, _ = service_command(["--input", "rtsp://cam.invalid/1", "--output", "web"])
    assert command[1:3] == ["--input", "rtsp://cam.invalid/1"]


def test_a_temporary_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TEMPORARY", (str(tmp_path),))
    write_picture(tmp_path / "beach.png")
    with pytest.raises(UsageError, match="may be gone at the next boot"):
        service_command(["--background", str(tmp_path / "beach.png")])


@pytest.mark.parametrize(
    ("output", "families"),
    [("virtual", "AF_UNIX AF_INET"), ("web", "AF_UNIX AF_INET AF_INET6"), ("web:9000", "AF_UNIX AF_INET AF_INET6")],
)
def test_only_the_web_page_gets_the_network(system: FakeSystem, unit: Path, output: str, families: str) -> None:
    install(system, unit, "--output", output)
    assert f"\nRestrictAddressFamilies={families}\n" in unit.read_text()


@pytest.mark.parametrize(
    ("backend", "forbidden"), [("auto", "no"), ("openvino", "no"), ("torch", "no"), ("onnxruntime", "yes")]
)
def test_machine_code_of_their_own_is_left_to_those_who_need_it(backend: str, forbidden: str) -> None:
    text = unit_text(["/bin/bgcam"], backend=backend, web=False, namespaces="")
    assert f"\nMemoryDenyWriteExecute={forbidden}\n" in text


@pytest.mark.parametrize(("path", "value"), FORBIDDING.items())
def test_where_users_have_no_namespaces_the_unit_says_so(system: FakeSystem, unit: Path, path: str, value: str) -> None:
    system.write(path, f"{value}\n")
    why = why_no_namespaces(system)
    assert why.endswith(f"={value}")
    install(system, unit)
    text = unit.read_text()
    assert f"({why})" in text
    assert not any(f"\n{line}\n" in text for line in FILE_BOUNDS)
    assert "\nNoNewPrivileges=yes\n" in text


def test_on_demand_sees_who_watches(system: FakeSystem, unit: Path) -> None:
    """From a user namespace it could not read what other processes have open."""
    install(system, unit, "--on-demand")
    text = unit.read_text()
    assert not any(f"\n{line}\n" in text for line in FILE_BOUNDS)
    assert "--on-demand could not see who watches" in text


@pytest.mark.parametrize(
    ("argument", "word"),
    [("a b", '"a b"'), ('say "hi"', r'"say \"hi\""'), ("100%", '"100%%"'), ("$HOME", '"$$HOME"'), ("a\\b", r'"a\\b"')],
)
def test_any_argument_is_one_word(argument: str, word: str) -> None:
    assert quoted(argument) == word


def test_a_unit_of_somebody_else_is_left_alone(system: FakeSystem, unit: Path) -> None:
    unit.parent.mkdir()
    unit.write_text("[Service]\n")
    with pytest.raises(SinkError, match="was not written by bgcam"):
        install(system, unit)
    with pytest.raises(SinkError, match="was not written by bgcam"):
        uninstall_service(options("uninstall-service", "--yes"), system=system, folder=unit.parent)
    assert unit.read_text() == "[Service]\n"


def test_a_service_that_does_not_start_is_told(system: FakeSystem, unit: Path) -> None:
    system.commands["systemctl", "--user", "daemon-reload"] = Ran(1, err="Failed to connect to bus\n")
    with pytest.raises(SinkError, match=r"`systemctl --user daemon-reload` failed \(Failed to connect to bus\)"):
        install(system, unit)


def test_where_there_is_no_systemd(tmp_path: Path, unit: Path) -> None:
    with pytest.raises(SinkError, match="needs systemd"):
        install(FakeSystem(tmp_path), unit)


def test_root_has_no_service(system: FakeSystem, unit: Path) -> None:
    system._is_root = True
    with pytest.raises(SinkError, match="without sudo"):
        install(system, unit)


def test_uninstall(system: FakeSystem, unit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(system, unit)
    system.ran.clear()
    assert uninstall_service(options("uninstall-service"), system=system, folder=unit.parent) == 1
    assert unit.exists()
    assert uninstall_service(options("uninstall-service", "--yes"), system=system, folder=unit.parent) == 0
    assert not unit.exists()
    assert system.ran == ["systemctl --user disable --now bgcam.service", "systemctl --user daemon-reload"]
    assert uninstall_service(options("uninstall-service", "--yes"), system=system, folder=unit.parent) == 0
    assert "no service" in capsys.readouterr().out


def test_options_after_the_dashes_are_bgcams_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Namespace] = []
    monkeypatch.setattr(
        "bgcam.realtime.command.install.service.install_service", lambda options: seen.append(options) or 0
    )
    assert cli.main(["install-service", "--", "--background", "#336699", "--yes"]) == 0
    assert (seen[0].service_options, seen[0].yes) == (["--background", "#336699", "--yes"], False)


def test_a_mistake_in_what_is_configured_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BGCAM_CONFIG", str(tmp_path / "config.toml"))
    for line in ('background = "nosuch"', 'model = "nosuch"', 'backend = "nosuch"', "on_demand = true"):
        (tmp_path / "config.toml").write_text(f'output = ["web"]\n{line}\n')
        with pytest.raises(BgcamError, match=r"^config\.toml:2: "):
            service_command([])


def test_what_is_configured_is_the_services_too(
    system: FakeSystem, unit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("BGCAM_CONFIG", str(config))
    config.write_text('output = ["web"]\n[profile.film]\noutput = ["out.mp4"]\n')
    assert install(system, unit) == 0
    assert "--output" not in exec_start(unit)
    assert "AF_INET" in unit.read_text()
    with pytest.raises(UsageError, match=r"--output out.mp4 would be overwritten at every start"):
        install(system, unit, "--profile", "film")


def test_options_before_the_command_are_not_lost_in_silence(system: FakeSystem, unit: Path) -> None:
    words = ("--background", "beach", "install-service", "--yes")
    with pytest.raises(UsageError, match=r"options last: bgcam install-service -- --background"):
        install_service(options(*words), system=system, folder=unit.parent)
    assert not unit.exists()


def test_the_users_own_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert service.unit_folder() == tmp_path / "systemd" / "user"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert service.unit_folder() == tmp_path / ".config" / "systemd" / "user"


def test_a_user_without_a_home_has_no_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cli.main(["uninstall-service", "--yes"]) == 1
    said = "bgcam: this user has no home folder, where services are kept; set HOME and run this again\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("namespaces", ["", "kernel.unprivileged_userns_clone=0"])
def test_systemd_takes_the_unit(tmp_path: Path, namespaces: str) -> None:
    program = tmp_path / "with space" / "bgcam"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    words = [str(program), "--background", '50% $HOME "x" \\ y']
    unit = tmp_path / "bgcam.service"
    unit.write_text(unit_text(words, backend="auto", web=True, namespaces=namespaces))
    assert unit.read_text().startswith(MARK)
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)

    def verified() -> subprocess.CompletedProcess[str]:
        command = ["systemd-analyze", "--user", "verify", str(unit)]
        environment = os.environ | {"XDG_RUNTIME_DIR": str(runtime)}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)

    ran = verified()
    assert (ran.returncode, ran.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("Restart=", "Rstart="))
    assert "Rstart" in verified().stderr, "the check sees what systemd does not know"
