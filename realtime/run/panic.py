"""The panic switch: SIGUSR1 turns it on, SIGUSR2 off, and the key `p` in the terminal that bgcam runs in toggles it."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TextIO

KEY = b"p"
# A key that was typed for the program in front of us is not ours; so long until we look again.
NOT_OURS_S = 0.5
HINT = (
    "press p to show the placeholder instead of you, p again to show yourself; `bgcam ui` opens the control page; "
    "Ctrl-C quits"
)


# Whether each of them turns panic on. Windows has neither.
SIGNALS = {signal.Signals[name]: on for name, on in (("SIGUSR1", True), ("SIGUSR2", False)) if hasattr(signal, name)}
# What the signals asked for that arrived before the switch, of which a process has one, was ready.
_early: list[bool] = []


@contextmanager
def presses_kept() -> Iterator[None]:
    """While inside, the signals are kept for a later `panic_switch`; otherwise they would end the process."""
    _early.clear()
    with _on_signals(_early.append):
        yield


@contextmanager
def panic_switch(
    set_panic: Callable[[bool], None], toggle: Callable[[], None], *, keys: TextIO | None = None
) -> Iterator[None]:
    """While inside, the signals call `set_panic`, which must be safe in a signal handler, and the key calls `toggle`.

    Signals kept by `presses_kept` count now.
    keys: where the key is read; default: standard input. Without a terminal there is no key; Windows has neither.
    """
    with ExitStack() as stack:
        stack.enter_context(_on_signals(set_panic))
        terminal = _terminal(keys)
        if terminal is not None:
            stack.enter_context(_on_key(toggle, terminal))
        while _early:
            set_panic(_early.pop(0))
        yield


def key_hint(*, keys: TextIO | None = None) -> str:
    """The hint about the key if `panic_switch` reads it now; "" otherwise."""
    terminal = _terminal(keys)
    return "" if terminal is None or not _in_front(terminal) else HINT


def _terminal(keys: TextIO | None) -> int | None:
    """The descriptor that the key is read from; None without a terminal."""
    stream = keys or sys.stdin
    if sys.platform == "win32" or stream is None or stream.closed or not stream.isatty():
        return None
    return stream.fileno()


@contextmanager
def _on_signals(set_panic: Callable[[bool], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        set_panic(SIGNALS[signal.Signals(number)])

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _on_key(toggle: Callable[[], None], terminal: int) -> Iterator[None]:
    import termios
    import tty

    if not _in_front(terminal):  # changing the terminal would stop a background job
        yield
        return
    before = termios.tcgetattr(terminal)
    ended, end = os.pipe()

    def listen() -> None:
        while True:
            try:
                ready = select.select([terminal, ended], [], [])[0]
                if ended in ready:
                    return
                if not _in_front(terminal):
                    select.select([ended], [], [], NOT_OURS_S)
                    continue
                typed = os.read(terminal, 1)
                if not typed:  # hung up
                    return
                if typed.lower() == KEY:
                    toggle()
            except OSError:
                return

    thread = threading.Thread(target=listen, name="bgcam-keys", daemon=True)
    tty.setcbreak(terminal, termios.TCSANOW)
    thread.start()
    try:
        yield
    finally:
        os.write(end, b"\n")
        thread.join(1)
        for descriptor in (ended, end):
            os.close(descriptor)
        if _in_front(terminal):
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def _in_front(terminal: int) -> bool:
    """Whether this process may use its terminal now; a background process would be stopped."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # not our controlling terminal: nothing stops us
        return True
