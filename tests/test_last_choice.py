"""`--background last`: what was chosen in a call is kept in bgcam's own file, and never the room."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from command import Run, one_line

from bgcam.realtime.settings import Settings
from bgcam.realtime.settings.last_choice import last_background, remember, state_path, with_last_background

LAST = Settings(background="last")


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return state_path()


def test_the_last_choice_is_remembered(state: Path) -> None:
    remember("beach")
    remember("blur:8")
    assert last_background() == "blur:8"
    assert with_last_background(LAST).background == "blur:8"
    assert with_last_background(Settings(background="green")).background == "green"
    if sys.platform != "win32":
        assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_a_files_path_is_remembered_for_any_folder(tmp_path: Path) -> None:
    (tmp_path / "office.jpg").touch()
    remember("office.jpg")
    assert last_background() == str(tmp_path / "office.jpg")
    (tmp_path / "office").mkdir()
    remember("office")  # the shipped one: a bare name is no path
    assert last_background() == "office"
    remember("./office")
    assert last_background() == str(tmp_path / "office")


@pytest.mark.parametrize("background", ["none", " None ", "last", "transparent", "", "x" * 5000, "a\0b"])
def test_what_is_never_remembered(background: str) -> None:
    remember("beach")
    remember(background)
    assert last_background() == "beach"


def test_without_a_choice_it_is_the_default_and_a_line(state: Path) -> None:
    lines: list[str] = []
    assert with_last_background(LAST, say=lines.append).background == Settings().background
    assert lines == ["bgcam: no background has been chosen during a call yet; the background is blur"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"background": 3}',
        b'{"background": "none"}',
        b"[" * 10_000,
        b'"' + b"x" * 99_999,
    ],
)
def test_a_damaged_file_is_ignored_with_one_line(state: Path, content: bytes) -> None:
    state.parent.mkdir(parents=True)
    state.write_bytes(content)
    lines: list[str] = []
    assert with_last_background(LAST, say=lines.append).background == Settings().background
    assert len(lines) == 1
    assert f"{state} is damaged or cannot be read" in lines[0]
    assert "\n" not in lines[0]
    assert len(lines[0]) < 400
    remember("beach")
    assert with_last_background(LAST).background == "beach"


def test_a_file_that_is_gone_does_not_keep_bgcam_from_starting(tmp_path: Path) -> None:
    remember(str(tmp_path / "stick" / "office.jpg"))
    lines: list[str] = []
    assert with_last_background(LAST, say=lines.append).background == Settings().background
    assert lines == [
        f"bgcam: {tmp_path}/stick/office.jpg, which was chosen last, is not there any more; the background is blur"
    ]


def test_a_choice_does_not_fail_where_it_cannot_be_kept(state: Path) -> None:
    state.parent.parent.write_text("no folder")
    remember("beach")
    assert with_last_background(LAST, say=lambda line: None).background == Settings().background


def test_the_command_takes_it(in_tmp: Path, bgcam: Run) -> None:
    remember("green")
    code, out, err = bgcam("-i", "photo.png", "-b", "last", "-o", "null")
    assert (code, err) == (0, "")
    assert "background: green" in out
    state_path().write_text("damaged")
    code, out, err = bgcam("-i", "photo.png", "-b", "last", "-o", "null")
    assert code == 0
    assert "is ignored; the background is blur" in one_line(err)
