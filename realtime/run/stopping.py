"""Signals that end a run or stop it for a while: Ctrl-C, `kill`, a closed terminal; and Ctrl-Z."""

from __future__ import annotations

import atexit
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGHUP, which Windows lacks, is a terminal that was closed.
END_SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def stop_on_signal(stop: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal call `stop`, each time; from the second on they also interrupt, unless
    `stop` returns something true: then the run ends by itself, and interrupting it would lose data.

    Only the main thread receives signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in END_SIGNALS}
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        again, asked = asked, True
        if not stop() and again:
            raise KeyboardInterrupt

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if asked:  # a second Ctrl-C while Python exits would change the exit code
            atexit.register(_ignore_all)


def _ignore_all() -> None:
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def placeholder_while_stopped(rest: Callable[[bool], None]) -> Iterator[None]:
    """Ctrl-Z calls `rest(True)`, which returns when the placeholder is shown, stops the process, and calls
    `rest(False)` when it continues.

    Viewers of a stopped process see its last picture for as long as it is stopped.
    """
    if not hasattr(signal, "SIGTSTP") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        rest(True)
        signal.raise_signal(signal.SIGSTOP)  # to this thread, so that it stops right here
        rest(False)

    before = signal.getsignal(signal.SIGTSTP)
    if before == signal.SIG_DFL:  # if it was ignored, it stays ignored
        signal.signal(signal.SIGTSTP, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)
