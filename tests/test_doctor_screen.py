"""What `bgcam doctor` shows: no names in its JSON, lines that fit, colours for terminals."""

from __future__ import annotations

import getpass
import json
import platform
from pathlib import Path

import pytest

from bgcam.realtime.command.doctor import screen
from bgcam.realtime.command.doctor.checks import Examined
from bgcam.realtime.command.doctor.finding import OK, PROBLEM, WARNING, Finding


def test_json_names_no_user_home_or_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "jane.doe")
    monkeypatch.setattr(Path, "home", lambda: Path("/srv/people/jane.doe"))
    monkeypatch.setattr(platform, "node", lambda: "janes-laptop")
    secrets = (
        "/srv/people/jane.doe/.cache/bgcam of jane.doe@janes-laptop; /home/else/x; /Users/other/y; "
        "C:\\Users\\third\\z; jane.doeful"
    )
    finding = Finding("cache", PROBLEM, secrets, command="chown jane.doe /home/else/bgcam", advice="jane.doe")
    text = screen.as_json(Examined({"network": [finding]}, False))
    told = json.loads(text)["checks"][0]
    assert told["found"].startswith("~/.cache/bgcam of USER@MACHINE; ~/x; ~/y; ")
    assert told["command"] == "chown USER ~/bgcam"
    assert told["advice"] == "USER"
    for word in ("else", "other", "third", "janes-laptop"):
        assert word not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("video0 (Anna's iPhone Camera)", "video0 (USER's iPhone Camera)"),
        ("hanna, anna2 and ANNA_x", "hanna, anna2 and USER_x"),
        ("annas-laptop or Annas-Laptop.example.org", "MACHINE or MACHINE"),
        ("/run/media/otto/stick, /media/otto/stick", "/run/media/USER/stick, /media/USER/stick"),
        ("/var/home/otto/x, c:\\users\\otto\\x", "~/x, ~\\x"),
        ("chown Bert cache", "chown USER cache"),
        ("/srv/homes/anna is 'anna'", "~ is 'USER'"),
        ("root's, at localhost", "root's, at localhost"),
    ],
)
def test_names_are_found_in_every_form(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "anna")
    monkeypatch.setattr(Path, "home", lambda: Path("/srv/homes/anna"))
    monkeypatch.setattr(platform, "node", lambda: "annas-laptop.example.org")
    monkeypatch.setenv("SUDO_USER", "bert")
    assert screen.anonymous(text) == shown


def nobody() -> str:
    raise KeyError("getpwuid(): uid not found: 54321")


def test_a_user_without_name_and_home_has_nothing_to_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert screen.anonymous("/home/else/x") == "~/x"


def test_a_narrow_screen_wraps_words_and_leaves_commands_whole() -> None:
    finding = Finding("camera", WARNING, "a b c d " * 12, command="sudo " + "x" * 80, advice="e f g h " * 12)
    lines = screen.as_text(Examined({"camera": [finding]}, True), width=60).splitlines()
    assert [line for line in lines if len(line) > 60] == [" " * 27 + f"$ {finding.command}"]


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert screen.wants_colour(True)
    assert not screen.wants_colour(False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not screen.wants_colour(True)
    examined = Examined({"camera": [Finding("camera", OK, "here")]}, True)
    assert screen.as_text(examined, width=80, colour=True).replace("\033[32m", "").replace(
        "\033[0m", ""
    ) == screen.as_text(examined, width=80)
