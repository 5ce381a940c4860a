"""`bgcam install-desktop`: an entry that a desktop reads, which starts this bgcam and opens its page; and its end."""

from __future__ import annotations

import configparser
import os
import shutil
import stat
import subprocess
import sys
import xml.etree.ElementTree
from argparse import Namespace
from pathlib import Path

import pytest
from fake_system import FakeSystem

from bgcam.realtime.command.install import desktop
from bgcam.realtime.command.install.desktop import ENTRY, ICON, entry_text, install_desktop
from bgcam.realtime.command.install.uninstall import uninstall
from bgcam.realtime.command.options import build_parser
from bgcam.realtime.command.remote import COMMANDS
from bgcam.realtime.errors import SinkError

PROGRAMS = ["/usr/bin/bgcam", "/home/a b/venv/bin/bgcam", '/o$dd/`100%`/"q"/back\\slash/bgcam']


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    return FakeSystem(tmp_path / "machine")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def options(*words: str, command: str = "install-desktop") -> Namespace:
    return build_parser().parse_args([command, *words])


def read(text: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(text)
    return parsed


def unescaped(value: str) -> str:
    """A string of a desktop entry, as the specification says."""
    out, letters = "", iter(value)
    for letter in letters:
        out += {"n": "\n", "t": "\t", "r": "\r", "s": " ", "\\": "\\"}[next(letters)] if letter == "\\" else letter
    return out


def words_of(exec_line: str) -> list[str]:
    """The program and arguments of an Exec key, as the specification says; no field codes are allowed here."""
    words, word, quoting, letters = [], "", False, iter(unescaped(exec_line))
    for letter in letters:
        if letter == "%":
            assert next(letters) == "%"
            word += "%"
        elif quoting and letter == "\\":
            word += next(letters)
        elif letter == '"':
            quoting = not quoting
        elif letter == " " and not quoting:
            words, word = [*words, word], ""
        else:
            assert quoting or letter not in "'\\<>~|&;$*?#()`", letter
            word += letter
    assert not quoting
    return [*words, word]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_desktop_starts_this_very_program(program: str) -> None:
    entry = read(entry_text(program))
    assert words_of(entry["Desktop Entry"]["Exec"]) == [program, "ui"]
    assert unescaped(entry["Desktop Entry"]["TryExec"]) == program
    actions = entry["Desktop Entry"]["Actions"].strip(";").split(";")
    assert {f"Desktop Action {name}" for name in actions} == set(entry.sections()) - {"Desktop Entry"}
    for name in actions:
        found = words_of(entry[f"Desktop Action {name}"]["Exec"])
        assert found == [program, name]
        assert name in COMMANDS


def test_it_has_what_an_entry_needs() -> None:
    entry = read(entry_text("/usr/bin/bgcam"))["Desktop Entry"]
    assert (entry["Type"], entry["Name"], entry["Icon"], entry["Terminal"]) == (
        "Application",
        "bgcam",
        "bgcam",
        "false",
    )
    for name in ("Categories", "Keywords", "Actions"):
        assert entry[name].endswith(";")
    assert Path(ICON).stem == entry["Icon"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_validator_finds_nothing(tmp_path: Path, program: str) -> None:
    validator = shutil.which("desktop-file-validate")
    if validator is None:
        pytest.skip("desktop-file-validate is not installed on this machine")
    path = tmp_path / "bgcam.desktop"
    path.write_text(entry_text(program))
    ran = subprocess.run([validator, str(path)], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_it_shows_asks_and_writes(system: FakeSystem, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system.answers = [False]
    assert install_desktop(options(), system=system, folder=data) == 1
    assert not data.exists()
    system.answers = [True]
    assert install_desktop(options(), system=system, folder=data) == 0
    out = capsys.readouterr().out
    assert "Exec=" in out
    assert str(data / ICON) in out
    beside = Path(os.path.abspath(sys.executable)).with_name("bgcam")
    if beside.exists():
        assert words_of(read((data / ENTRY).read_text())["Desktop Entry"]["Exec"])[0] == str(beside)
    assert xml.etree.ElementTree.parse(data / ICON).getroot().tag.endswith("svg")
    for name in (ENTRY, ICON):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o644
    assert install_desktop(options("--yes"), system=system, folder=data) == 0  # again, as after an update


def test_undo_removes_both_and_nothing_else(system: FakeSystem, data: Path) -> None:
    assert install_desktop(options("--undo", "--yes"), system=system, folder=data) == 0
    install_desktop(options("--yes"), system=system, folder=data)
    other = (data / ENTRY).with_name("other.desktop")
    other.write_text("[Desktop Entry]\n")
    assert install_desktop(options("--undo"), system=system, folder=data) == 1
    assert (data / ENTRY).exists()
    assert install_desktop(options("--undo", "--yes"), system=system, folder=data) == 0
    assert [path.name for path in data.rglob("*") if path.is_file()] == ["other.desktop"]


def test_an_entry_of_the_users_own_stays(system: FakeSystem, data: Path) -> None:
    (data / ENTRY).parent.mkdir(parents=True)
    (data / ENTRY).write_text("[Desktop Entry]\nName=mine\n")
    with pytest.raises(SinkError, match="was not written by bgcam"):
        install_desktop(options("--yes"), system=system, folder=data)
    assert not (data / ICON).exists()
    assert install_desktop(options("--undo", "--yes"), system=system, folder=data) == 0
    assert (data / ENTRY).read_text() == "[Desktop Entry]\nName=mine\n"


@pytest.mark.usefixtures("empty_cache")
def test_uninstall_removes_it(
    system: FakeSystem, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(data))
    install_desktop(options("--yes"), system=system)
    assert uninstall(options("--yes", command="uninstall"), system=system, units=data / "units") == 0
    assert not [path for path in data.rglob("*") if path.is_file()]
    out = capsys.readouterr().out
    assert f"remove {data / ENTRY}" in out
    assert f"remove {data / ICON}" in out
    assert system.ran == []  # there is no service


def test_not_for_root_nor_elsewhere(tmp_path: Path, data: Path) -> None:
    with pytest.raises(SinkError, match="without sudo"):
        install_desktop(options(), system=FakeSystem(tmp_path, is_root=True), folder=data)
    other = FakeSystem(tmp_path)
    other.platform = "darwin"
    with pytest.raises(SinkError, match="for Linux desktops"):
        install_desktop(options(), system=other, folder=data)


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(desktop.Path, "home", homeless)
    with pytest.raises(SinkError, match="no home folder"):
        desktop.data_folder()
    assert desktop.written() == []
