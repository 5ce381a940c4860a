"""Chromium without a window, told what to do through a pipe, as its developer tools do."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
NAMES = ("chromium-headless-shell", "chromium", "google-chrome")


class Browser:
    """A page that is open; `evaluate` gives what a line of JavaScript is there."""

    def __init__(self, reads: int, writes: int):
        self._reads, self._writes = reads, writes
        self._left, self._asked, self._session = b"", 0, ""

    def open(self, url: str) -> None:
        target = self.ask("Target.createTarget", url=url)["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def evaluate(self, line: str) -> Any:
        return self.ask("Runtime.evaluate", expression=line, returnByValue=True)["result"].get("value")

    def until(self, condition: str, *, limit_s: float) -> float:
        """Wait until the condition, in JavaScript, holds; gives the seconds that it took."""
        begun_s = time.monotonic()
        while not self.evaluate(condition):
            assert time.monotonic() - begun_s < limit_s, f"waited in vain for {condition}"
            time.sleep(0.01)
        return time.monotonic() - begun_s

    def ask(self, method: str, **parameters: Any) -> Any:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._left:
                more = os.read(self._reads, 1 << 20)
                if not more:
                    raise BrokenPipeError("the browser has ended")
                self._left += more
            answer, _, self._left = self._left.partition(b"\0")
            found = json.loads(answer)
            if found.get("id") == self._asked:
                assert "error" not in found, found
                return found["result"]


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser, or a skip that says why there is none. profile: a folder for what it keeps."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None or sys.platform == "win32":
        pytest.skip(f"none of {', '.join(NAMES)} is installed on this machine")
    (their_read, write), (read, their_write) = os.pipe(), os.pipe()
    # Chromium reads descriptor 3 and writes 4; those numbers may be taken here.
    program = "import os, sys; os.dup2({}, 98); os.dup2({}, 4); os.dup2(98, 3); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program.format(their_read, their_write), path, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(their_read, their_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_read)
    os.close(their_write)
    try:
        found = Browser(read, write)
        try:
            found.ask("Browser.getVersion")
        except BrokenPipeError:
            pytest.skip(f"{path} does not start on this machine")
        yield found
    finally:
        with contextlib.suppress(OSError, AssertionError):
            found.ask("Browser.close")
        process.kill()
        process.wait(10)
        os.close(read)
        os.close(write)
