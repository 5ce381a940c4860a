"""The panic button: the signal, and the key in a terminal, which is left as it was."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from bgcam.realtime.command import cli
from bgcam.realtime.run.panic import key_hint, panic_button, presses_kept

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither the signal nor such terminals")


class Count:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.002)


def test_each_signal_toggles_and_the_old_handler_comes_back() -> None:
    before, toggled = signal.getsignal(signal.SIGUSR1), Count()
    with panic_button(toggled):
        for times in (1, 2):
            os.kill(os.getpid(), signal.SIGUSR1)
            until(lambda times=times: toggled.times == times)
    assert signal.getsignal(signal.SIGUSR1) == before


def test_the_key_toggles_without_return_and_the_terminal_is_as_before() -> None:
    import pty
    import termios

    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal, "r") as keys, os.fdopen(keyboard, "wb", buffering=0) as typing:
        before, toggled = termios.tcgetattr(terminal), Count()
        with panic_button(toggled, keys=keys):
            assert not termios.tcgetattr(terminal)[3] & termios.ICANON
            assert "press p" in key_hint(keys=keys)
            typing.write(b"xp")
            until(lambda: toggled.times == 1)
            typing.write(b"P")
            until(lambda: toggled.times == 2)
        assert termios.tcgetattr(terminal) == before


def test_without_a_terminal_the_key_is_not_mentioned() -> None:
    reads, writes = os.pipe()
    os.close(writes)
    with os.fdopen(reads, "r") as keys:
        assert key_hint(keys=keys) == ""


def test_without_a_terminal_nothing_is_read() -> None:
    reads, writes = os.pipe()
    os.write(writes, b"p")
    with os.fdopen(reads) as keys, os.fdopen(writes, "w"):
        toggled = Count()
        with panic_button(toggled, keys=keys):
            time.sleep(0.1)
        assert toggled.times == 0
        assert keys.read(1) == "p"


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_press_while_bgcam_starts_counts_when_it_runs(times: int) -> None:
    toggle = Count()
    before = signal.getsignal(signal.SIGUSR1)
    with presses_kept():
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGUSR1)
        with panic_button(toggle):
            assert toggle.times == times
    assert signal.getsignal(signal.SIGUSR1) is before


@pytest.mark.parametrize("command", ["matte", "devices", "doctor"])
def test_other_commands_take_no_harm_of_it(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(options: object) -> int:
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0

    monkeypatch.setitem(cli.COMMANDS, command, pressed)
    assert cli.main([command, *(("in.png", "out.png") if command == "matte" else ())]) == 0
