"""The one door between doctor and installers and the machine: tests put their own in its place."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from bgcam.realtime.devices.listing import Capability, held_output_format, opened, query_capability
from bgcam.realtime.devices.v4l2 import HeldFormat, Mode, list_modes
from bgcam.realtime.sinks.claims import left_behind

NOT_THERE, TIMED_OUT = 127, 124


@dataclass(frozen=True)
class Ran:
    """How a command went. code: its exit code, negative for a signal, or one of the two above. out, err: its words."""

    code: int
    out: str = ""
    err: str = ""


class System:
    """This machine. root: where its files are; paths are given as on the machine itself ("/sys/module").

    stdout_is_data: a program reads standard output, so questions and what commands say go to standard error.
    """

    def __init__(self, root: Path = Path("/"), *, platform: str = sys.platform, stdout_is_data: bool = False):
        self.root, self.platform, self._stdout_is_data = root, platform, stdout_is_data

    @property
    def is_root(self) -> bool:
        """Whether this process may do all (Linux: effective user 0)."""
        return hasattr(os, "geteuid") and os.geteuid() == 0

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def run(self, *argv: str, timeout_s: float = 10) -> Ran:
        """Run a program without anybody seeing it; never raises."""
        try:
            ran = subprocess.run(
                argv, capture_output=True, text=True, errors="replace", timeout=timeout_s, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return Ran(TIMED_OUT)
        except OSError as error:
            return Ran(NOT_THERE, err=str(error))
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def run_in_sight(self, command: str) -> Ran:
        """Run a shell's line in the user's terminal, where it may ask for a password. out stays empty."""
        # stderr is read too, because it says why a module does not load; sudo asks on the terminal itself.
        out = sys.__stderr__ if self._stdout_is_data else None
        ran = subprocess.run(["sh", "-c", command], stdout=out, stderr=subprocess.PIPE, text=True, errors="replace")
        print(ran.stderr, end="", file=sys.stderr, flush=True)
        return Ran(ran.returncode, err=ran.stderr)

    def ask(self, question: str) -> bool:
        """Ask for a yes; the end of the input is a no."""
        with redirect_stdout(sys.stderr if self._stdout_is_data else sys.stdout):
            try:
                return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
            except EOFError:
                print()
                return False

    def read(self, name: str) -> str:
        """A file's text without the white space around it; "" when it cannot be read."""
        try:
            return self.path(name).read_text(errors="replace").strip()
        except OSError:
            return ""

    def read_bytes(self, name: str) -> bytes:
        """A file's bytes; none when it cannot be read."""
        try:
            return self.path(name).read_bytes()
        except OSError:
            return b""

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; empty when it cannot be read."""
        try:
            return sorted(os.listdir(self.path(folder)))
        except OSError:
            return []

    def link(self, name: str) -> str:
        """Where a link points; "" when it cannot be read."""
        try:
            return os.readlink(self.path(name))
        except OSError:
            return ""

    def capability(self, path: str) -> Capability:
        """See `query_capability`. Raises OSError."""
        return query_capability(path)

    def held_format(self, path: str) -> HeldFormat:
        """See `held_output_format`. Raises OSError."""
        return held_output_format(path)

    def modes(self, path: str) -> list[Mode]:
        """See `list_modes`. Raises OSError."""
        with opened(path) as descriptor:
            return list_modes(descriptor)

    def ioctl(self, path: str, request: int, buffer: bytearray) -> None:
        """One ioctl on a device, which writes its answer into the buffer. Raises OSError."""
        import fcntl

        with opened(path) as descriptor:
            fcntl.ioctl(descriptor, request, buffer)

    def why_not_writable(self, folder: Path) -> str:
        """Why no file can be made there, after making the folder; "" when one can."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"bgcam")
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def left_behind(self) -> list[tuple[Path, int]]:
        """The hidden files that killed runs have left, here or where it was noted, and their sizes in bytes."""
        found = []
        for part in left_behind([Path.cwd()]):
            with contextlib.suppress(OSError):
                found.append((part, part.lstat().st_size))
        return found

    def port_is_free(self, port: int) -> bool:
        """Whether a page can be shown at this port of 127.0.0.1."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True
