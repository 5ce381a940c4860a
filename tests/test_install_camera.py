"""`bgcam install-camera`: what it shows, writes, loads and takes back, on a machine that is not there."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest
from fake_system import OUTPUT, FakeSystem

from bgcam.realtime.command.install import files
from bgcam.realtime.command.install.camera import LOAD_FILE, OPTIONS_FILE, install_camera
from bgcam.realtime.command.options import build_parser
from bgcam.realtime.command.system import Ran
from bgcam.realtime.devices.listing import LOOPBACK_DRIVER, Capability
from bgcam.realtime.errors import SinkError

LOAD, UNLOAD = "modprobe v4l2loopback", "modprobe -r v4l2loopback"


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    """Debian with the module installed, as root."""
    system = FakeSystem(tmp_path, is_root=True)
    system.write("/etc/os-release", "ID=debian\n")
    system.install()
    system.commands = {tuple(line.split()): Ran(0) for line in (LOAD, UNLOAD)}
    return system


def options(*words: str) -> Namespace:
    return build_parser().parse_args(["install-camera", *words])


def written(system: FakeSystem) -> list[str]:
    return [name for name in (OPTIONS_FILE, LOAD_FILE) if system.path(name).exists()]


def test_it_writes_both_files_and_loads(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    system.answers = [True]
    assert install_camera(options(), system=system) == 0
    line = 'options v4l2loopback devices=1 video_nr=10 exclusive_caps=1 card_label="bgcam"'
    assert system.read(OPTIONS_FILE).splitlines()[1:] == [line]
    assert system.read(LOAD_FILE).splitlines()[1:] == ["v4l2loopback"]
    assert system.ran == [LOAD]
    out = capsys.readouterr().out
    assert str(system.path(OPTIONS_FILE)) in out
    assert line in out
    assert out.index(line) < out.index("done")


def test_without_a_yes_nothing_is_written(system: FakeSystem) -> None:
    assert install_camera(options(), system=system) == 1
    assert (written(system), system.ran) == ([], [])
    assert len(system.asked) == 1


def test_yes_asks_nothing(system: FakeSystem) -> None:
    assert install_camera(options("--yes"), system=system) == 0
    assert system.asked == []
    assert len(written(system)) == 2


def test_a_user_is_shown_all_and_told_how_to_become_root(
    system: FakeSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    system._is_root = False
    with pytest.raises(SinkError, match=r"run: sudo .*bgcam install-camera$"):
        install_camera(options("--yes"), system=system)
    assert "exclusive_caps=1" in capsys.readouterr().out
    assert written(system) == []
    install_files(system)
    with pytest.raises(SinkError, match=r"run: sudo .*bgcam install-camera --undo$"):
        install_camera(options("--undo", "--yes"), system=system)
    assert len(written(system)) == 2


def install_files(system: FakeSystem) -> None:
    for name in (OPTIONS_FILE, LOAD_FILE):
        system.write(name, f"{files.MARK}\n")


def test_a_second_run_changes_nothing(system: FakeSystem) -> None:
    install_camera(options("--yes"), system=system)
    before = system.read(OPTIONS_FILE)
    system.loopback(10)
    install_camera(options("--yes"), system=system)
    assert system.read(OPTIONS_FILE) == before
    assert system.ran == [LOAD, UNLOAD, LOAD]


def test_a_number_that_is_free(system: FakeSystem) -> None:
    system.webcam(10)
    system.plug_in(11, Capability(LOOPBACK_DRIVER, "Dummy", OUTPUT))  # its own number is given up
    install_camera(options("--yes"), system=system)
    assert "video_nr=11 " in system.read(OPTIONS_FILE)


def test_no_number_is_free(system: FakeSystem) -> None:
    for number in range(64):
        system.webcam(number)
    with pytest.raises(SinkError, match="no device number below 64"):
        install_camera(options("--yes"), system=system)


def test_a_module_in_use_counts_from_the_next_start(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    system.loopback(10, label="Dummy")
    system.commands[tuple(UNLOAD.split())] = Ran(1, err="modprobe: FATAL: Module v4l2loopback is in use.")
    assert install_camera(options("--yes"), system=system) == 0
    assert "at the next boot" in capsys.readouterr().out
    assert system.ran == [UNLOAD]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("modprobe: ERROR: Key was rejected by service", "Secure Boot does not trust v4l2loopback .*doctor --fix"),
        ("modprobe: FATAL: Exec format error", "cannot be loaded .*Exec format error.*bgcam doctor"),
    ],
)
def test_a_module_that_does_not_load(system: FakeSystem, said: str, told: str) -> None:
    system.commands[tuple(LOAD.split())] = Ran(1, err=f"{said}\n")
    with pytest.raises(SinkError, match=told):
        install_camera(options("--yes"), system=system)


def test_a_module_that_is_not_installed(system: FakeSystem) -> None:
    system.kernel()
    with pytest.raises(SinkError, match=r"not installed; run `apt install v4l2loopback-dkms`, then run this again"):
        install_camera(options("--yes"), system=system)
    assert written(system) == []


def test_options_of_others_are_not_mixed_with_ours(system: FakeSystem) -> None:
    system.write("/etc/modprobe.d/obs.conf", "# for OBS\noptions v4l2loopback devices=1 card_label='OBS Cam'\n")
    with pytest.raises(SinkError, match=r"/etc/modprobe.d/obs.conf has options for v4l2loopback already"):
        install_camera(options("--yes"), system=system)
    assert written(system) == []


def test_a_file_of_somebody_else_is_left_alone(system: FakeSystem) -> None:
    system.write(LOAD_FILE, "uinput\n")
    with pytest.raises(SinkError, match="was not written by bgcam"):
        install_camera(options("--yes"), system=system)
    assert written(system) == [LOAD_FILE]
    assert system.read(LOAD_FILE) == "uinput"


def test_undo(system: FakeSystem, capsys: pytest.CaptureFixture[str]) -> None:
    install_camera(options("--yes"), system=system)
    system.load("0.13.2")
    system.ran.clear()
    assert install_camera(options("--undo"), system=system) == 1
    assert len(written(system)) == 2
    assert install_camera(options("--undo", "--yes"), system=system) == 0
    assert written(system) == []
    assert system.ran == [UNLOAD]
    assert install_camera(options("--undo", "--yes"), system=system) == 0
    assert "nothing to undo" in capsys.readouterr().out


def test_undo_leaves_the_files_of_others(system: FakeSystem) -> None:
    install_camera(options("--yes"), system=system)
    system.write(LOAD_FILE, "uinput\n")
    install_camera(options("--undo", "--yes"), system=system)
    assert written(system) == [LOAD_FILE]


def test_another_system_than_linux(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="this is win32"):
        install_camera(options(), system=FakeSystem(tmp_path, platform="win32"))


def test_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, new = tmp_path / "a" / "kept.conf", tmp_path / "b" / "new.conf"
    files.write_all({kept: f"{files.MARK}\nold\n"})
    replace = os.replace

    def fail_on_the_second(source: Path, target: Path) -> None:
        if target == new:
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_on_the_second)
    with pytest.raises(
        SinkError, match=r"new.conf: cannot be written \(No space left on device\); nothing was changed"
    ):
        files.write_all({kept: f"{files.MARK}\nnew\n", new: f"{files.MARK}\n"})
    assert kept.read_text() == f"{files.MARK}\nold\n"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["kept.conf"]
