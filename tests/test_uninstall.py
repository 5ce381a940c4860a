"""`bgcam uninstall` removes what bgcam wrote, nothing of the user's, and shows it first."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from fake_system import FakeSystem

from bgcam.realtime.cache import cache_folder
from bgcam.realtime.command.install.camera import OPTIONS_FILE
from bgcam.realtime.command.install.files import MARK
from bgcam.realtime.command.install.service import UNIT
from bgcam.realtime.command.install.uninstall import uninstall
from bgcam.realtime.command.options import build_parser
from bgcam.realtime.command.system import Ran
from bgcam.realtime.control.library import user_folder
from bgcam.realtime.settings.config import config_path
from bgcam.realtime.settings.last_choice import remember, state_path

pytestmark = pytest.mark.usefixtures("empty_cache")


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    made = FakeSystem(tmp_path / "machine")
    made.commands = {
        ("systemctl", "--user", *verb.split()): Ran(0) for verb in (f"disable --now {UNIT}", "daemon-reload")
    }
    return made


@pytest.fixture
def units(tmp_path: Path) -> Path:
    folder = tmp_path / "units"
    folder.mkdir()
    (folder / UNIT).write_text(f"{MARK}\n[Unit]\n")
    (folder / "other.service").write_text("[Unit]\n")
    return folder


def options(*words: str) -> Namespace:
    return build_parser().parse_args(["uninstall", *words])


def configuration() -> Path:
    path = config_path()
    assert path is not None
    return path


def write_all() -> None:
    (cache_folder("openvino")).mkdir(parents=True)
    (cache_folder("openvino") / "1.blob").write_bytes(b"x")
    remember("beach")
    configuration().parent.mkdir(parents=True, exist_ok=True)
    configuration().write_text("mirror = true\n")


def test_it_removes_its_own_files_and_no_others(system, units, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    write_all()
    user_folder().mkdir(parents=True)
    (user_folder() / "mine.png").write_bytes(b"x")
    system.write(OPTIONS_FILE, f"{MARK}\n")
    assert uninstall(options("--yes"), system=system, units=units) == 0
    assert not cache_folder().exists()
    assert not state_path().exists()
    assert sorted(path.name for path in units.iterdir()) == ["other.service"]
    assert configuration().read_text() == "mirror = true\n"
    assert system.path(OPTIONS_FILE).exists()
    assert any("disable --now" in line for line in system.ran)
    said = capsys.readouterr().out
    assert f"your configuration stays: {configuration()}" in said
    assert f"your backgrounds stay: {user_folder()}" in said
    assert (user_folder() / "mine.png").exists()
    assert "install-camera --undo" in said


def test_it_shows_everything_and_asks_first(system, units, capsys) -> None:
    write_all()
    system.answers = [False]
    assert uninstall(options(), system=system, units=units) == 1
    assert cache_folder().exists()
    assert state_path().exists()
    assert (units / UNIT).exists()
    assert system.ran == []
    said = capsys.readouterr().out
    for path in (cache_folder(), state_path().parent, units / UNIT):
        assert f"remove {path}" in said


def test_a_second_time_there_is_nothing_left(system, units, capsys) -> None:
    uninstall(options("--yes"), system=system, units=units)
    capsys.readouterr()
    assert uninstall(options("--yes"), system=system, units=units) == 0
    assert capsys.readouterr().out.startswith("there is nothing to remove\n")


def test_a_service_of_the_users_own_and_a_linked_cache_stay(system, units, tmp_path) -> None:
    (units / UNIT).write_text("[Unit]\nDescription=my own\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cache_folder().parent.mkdir(parents=True, exist_ok=True)
    cache_folder().symlink_to(elsewhere)
    assert uninstall(options("--yes"), system=system, units=units) == 0
    assert (units / UNIT).exists()
    assert cache_folder().is_symlink()
    assert elsewhere.exists()
