"""`bgcam ui`: the control page's address, of a bgcam that runs or is started for it, and the browser."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bgcam.realtime.control.client import Client, NotRunning
from bgcam.realtime.control.instance import DEFAULT_NAME, folder_path, make_folder
from bgcam.realtime.errors import BgcamError

START_S = 15.0
_LOOK_S = 0.2


def page_address(client: Client, name: str = DEFAULT_NAME) -> str:
    """The control page's address with its key; bgcam is started if none of this name runs. Raises BgcamError."""
    try:
        return client.page()
    except NotRunning:
        print("no bgcam is running: starting one", flush=True)
    log = folder_path() / f"{name}.log"
    make_folder(log.parent)
    process = start_detached(log, [] if name == DEFAULT_NAME else ["--instance", name])
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        try:
            return client.page()
        except NotRunning:
            if process.poll() is not None:
                raise BgcamError(f"bgcam ended at once: {_last_line(log)}") from None
            time.sleep(_LOOK_S)
    raise BgcamError(f"bgcam was started (process {process.pid}), but does not answer after {START_S:g} s; see {log}")


def start_detached(log: Path, options: list[str], *, command: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Start bgcam so that it outlives this process and its terminal. log: what it prints goes there.

    command: what is run; default: this bgcam.
    """
    with open(log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        return subprocess.Popen(
            [*(command or (sys.executable, "-m", "bgcam")), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def open_in_browser(address: str) -> None:
    """In the default browser, if there is a screen for one; a browser in the terminal could not show the page."""
    import webbrowser

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        print("there is no screen here: open this address in a browser on this machine")
    elif not webbrowser.open(address):
        print("no browser was found: open this address in one")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").split("\n")
    except OSError:
        lines = []
    found = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
    return found.removeprefix("bgcam: ")
