"""A function as a program of its own: forked from the tests' process, since imports take long under emulation."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

# Emulation is some 20 to 50 times slower than the machine, which may be busy too.
PATIENCE_S = 180.0


class Program:
    """`work` in a process of its own, called `name`; what it prints goes to `log`. It gives the exit code."""

    def __init__(self, work: Callable[[], int], *, name: str, log: Path, uid: int = 0):
        self._log = log
        self._code: int | None = None
        log.touch()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            _live(work, name=name, log=log, uid=uid)

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def code(self) -> int | None:
        """The exit code, minus the number of the signal that killed it, None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def says(self, text: str, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until it has printed this. Raises AssertionError when it ends before."""
        end_s = time.monotonic() + patience_s
        while text not in self.text:
            assert self.code is None, f"ended with code {self._code} before it said {text!r}:\n{self.text}"
            assert time.monotonic() < end_s, f"did not say {text!r} in {patience_s:g} s:\n{self.text}"
            time.sleep(0.05)

    def ends(self, *, patience_s: float = PATIENCE_S) -> int:
        """Wait for its exit code."""
        end_s = time.monotonic() + patience_s
        while self.code is None:
            assert time.monotonic() < end_s, f"did not end in {patience_s:g} s:\n{self.text}"
            time.sleep(0.05)
        assert self._code is not None
        return self._code

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.ends()

    def kill(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.ends()


def _live(work: Callable[[], int], *, name: str, log: Path, uid: int) -> None:
    """What the forked process does, to its end."""
    code = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 1)
        os.dup2(1, 2)
        os.closerange(3, 4096)  # the tests' own devices: they would stay in use
        for number, stream in enumerate(("stdin", "stdout", "stderr")):
            setattr(sys, stream, os.fdopen(number, "w" if number else "r", buffering=1))
        Path("/proc/self/comm").write_text(name)
        if uid:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
