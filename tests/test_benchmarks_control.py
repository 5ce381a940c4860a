"""`python -m bgcam.benchmarks control`: which commands it sends, which gaps count, and when it fails."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bgcam.benchmarks import __main__ as command
from bgcam.benchmarks import control, control_commands
from bgcam.benchmarks.control import LiveClock, Result, own_folder, send
from bgcam.benchmarks.control_commands import LOOKS, WEIGHTS, WRONG, backgrounds, commands
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.control.client import Client
from bgcam.realtime.control.protocol import ConfirmationNeeded
from bgcam.realtime.errors import BgcamError, UsageError
from bgcam.realtime.picture.composed import placeholder
from bgcam.realtime.settings import Settings, changed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no UNIX sockets on Windows")


def test_the_commands_are_of_every_kind_the_same_each_time_and_end_panic() -> None:
    names = [name for name, _, _ in commands(1000, 7)]
    assert len(names) == 1000
    assert names == [name for name, _, _ in commands(1000, 7)]
    assert names != [name for name, _, _ in commands(1000, 8)]
    assert names[-1] == "panic off"
    for kind in WEIGHTS:
        starts = {"look": "set mirror", "background": "set background=beach", "wrong": "set fps"}.get(kind, kind)
        assert sum(name.startswith(starts) for name in names) > 3, kind
    assert 50 < sum(refused for _, _, refused in commands(1000, 7)) < 150


def test_what_it_sends_is_right_or_wrong_as_it_says() -> None:
    for name in backgrounds():
        open_background(name).close()
    for name, choices in LOOKS.items():
        for value in choices:
            changed(Settings(), {name: value}, hot_only=True)
    for values in WRONG:
        if values.get("background") not in ("none", "ofice"):
            with pytest.raises(UsageError):
                changed(Settings(), values, hot_only=True)


def test_every_refusal_is_an_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also that of the room, which asks for a confirmation."""

    def change(self: object, values: dict[str, Any]) -> None:
        if values.get("background") == "none":
            raise ConfirmationNeeded("it would show your room")
        if values in WRONG:
            raise UsageError("wrong")

    for name in ("panic", "status", "values", "next_background"):
        monkeypatch.setattr(Client, name, lambda *given: None)
    monkeypatch.setattr(Client, "change", change)
    assert control_commands.main(["400", "7", "0"]) == 0
    done = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(done) == 400
    assert {one["error"] for one in done} == {"", "ConfirmationNeeded", "UsageError"}
    assert not any(one["unexpected"] for one in done)


def test_only_new_frames_count() -> None:
    sink = LiveClock()
    for number in (0, 1, 1, 1, 2, 0):
        sink.write(placeholder(number, np.zeros((2, 2, 3), np.uint8)))
    assert len(sink.written_s) == 3
    assert sink.live


def test_what_was_in_progress_in_a_gap() -> None:
    def sent(what: str, begin_s: float, end_s: float, **more: Any) -> dict[str, Any]:
        return {"what": what, "begin_s": begin_s, "end_s": end_s, "error": "", "unexpected": False, **more}

    done = [sent("a", 0.0, 1.0), sent("b", 1.1, 1.2), sent("c", 2.0, 3.0, unexpected=True)]
    result = Result(done, np.array([150.0, 100.0]), np.array([0.95, 1.5]), 0)
    assert result.during(0) == ["a"]
    assert result.during(1) == []
    assert result.failed == ["c: not refused"]


def test_the_users_own_bgcam_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with own_folder() as folder:
        assert os.environ["XDG_RUNTIME_DIR"] == str(folder)
        with pytest.raises(BgcamError, match="1 commands failed, the first: panic off: NotRunning"):
            raise_failed(send(1, 7, 0))
    assert "XDG_RUNTIME_DIR" not in os.environ
    assert not folder.exists()


def raise_failed(done: list[dict[str, Any]]) -> None:
    failed = Result(done, np.zeros(1), np.zeros(1), 0).failed
    raise BgcamError(f"{len(failed)} commands failed, the first: {failed[0]}")


def test_a_process_that_ends_early_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control.sys, "executable", "/bin/false")
    with pytest.raises(BgcamError, match="only 0 of 3 commands were sent"):
        send(3, 7, 0)


def test_the_whole_command(tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(control, "WARM_UP_S", 0.5)
    pictures = [np.full((90, 160, 3), level, np.uint8) for level in (30, 200)]
    monkeypatch.setattr(control, "demo_pictures", lambda size: pictures)
    small = ("--size", "160x90", "--commands", "8", "--pause-ms", "0", "--model", str(tiny_model), "--threads", "1")
    assert command.main(["control", *small, "--limit-ms", "0"]) == 1
    out, err = capsys.readouterr()
    assert "8 commands, " in out
    assert ", 0 failed; answers: " in out
    assert " ms during: " in out
    assert "is over 0 ms" in err


def test_gaps_within_the_limit_are_no_error(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    done = [{"what": "next", "begin_s": 0.0, "end_s": 0.1, "error": "", "unexpected": False}]
    monkeypatch.setattr(control, "measure", lambda args: Result(done, np.array([33.0, 99.0]), np.array([0, 0.03]), 4))
    assert command.main(["control"]) == 0
    assert "3 frames in 0 s, 4 dropped; gaps: p50 66 ms, p99 98 ms, longest 99 ms" in capsys.readouterr().out
    assert command.main(["control", "--limit-ms", "98"]) == 1


@pytest.mark.parametrize("words", [("--commands", "0"), ("--fps", "0"), ("--pause-ms", "-1")])
def test_options_that_make_no_sense(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["control", *words]) == 2
    assert "give --commands and --fps above 0" in capsys.readouterr().err
