"""The panic switch: the signals, and the key in a terminal, which is left as it was."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.command import cli
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.run.panic import key_hint, panic_switch, presses_kept

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither the signal nor such terminals")


class Count:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def unasked(on: bool) -> None:
    raise AssertionError("the key set it")


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.002)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)]


def never() -> None:
    raise AssertionError("a signal toggled")


def test_one_signal_turns_it_on_and_the_other_off_and_the_old_handlers_come_back() -> None:
    before, asked = handlers(), list[bool]()
    with panic_switch(asked.append, never):
        for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR2, signal.SIGUSR1):
            count = len(asked)
            os.kill(os.getpid(), number)
            until(lambda count=count: len(asked) > count)
    assert asked == [True, True, False, False, True]
    assert handlers() == before


def test_panic_that_is_set_twice_is_set() -> None:
    watch = OutputGuard(SafeBackground(Still("blue", np.zeros((1, 1, 3), np.uint8)), (4, 2)))
    for on in (True, True, False, False, True):
        watch.set_panic(on)
        assert watch.panic is on
        assert watch.notice == ("PANIC: background only, until p, SIGUSR2 or bgcam resume" if on else "")


def test_the_key_toggles_without_return_and_the_terminal_is_as_before() -> None:
    import pty
    import termios

    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal, "r") as keys, os.fdopen(keyboard, "wb", buffering=0) as typing:
        before, toggled = termios.tcgetattr(terminal), Count()
        with panic_switch(unasked, toggled, keys=keys):
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
        with panic_switch(unasked, toggled, keys=keys):
            time.sleep(0.1)
        assert toggled.times == 0
        assert keys.read(1) == "p"


@pytest.mark.parametrize("pressed", [[], [True], [True, True], [True, False], [False, True]])
def test_a_press_while_bgcam_starts_counts_when_it_runs(pressed: list[bool]) -> None:
    before, asked = handlers(), list[bool]()
    with presses_kept():
        for on in pressed:
            os.kill(os.getpid(), signal.SIGUSR1 if on else signal.SIGUSR2)
        with panic_switch(asked.append, never):
            assert asked == pressed
    assert handlers() == before


@pytest.mark.parametrize("command", ["matte", "devices", "doctor"])
def test_other_commands_take_no_harm_of_it(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(options: object) -> int:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        return 0

    monkeypatch.setitem(cli.COMMANDS, command, pressed)
    assert cli.main([command, *(("in.png", "out.png") if command == "matte" else ())]) == 0
