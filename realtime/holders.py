"""Who holds a device open, by /proc: Linux alone, elsewhere nobody is found."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """A process that has the device open. maps: it has the device's buffers in its memory, so pictures stream."""

    pid: int
    name: str
    maps: bool = False

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


@dataclass(frozen=True)
class Holders:
    """found: by process number. unseen: some processes may not be looked at, so that there may be more."""

    found: tuple[Holder, ...] = ()
    unseen: bool = False

    def __str__(self) -> str:
        return ", ".join(map(str, self.found))


def find_holders(path: str, *, proc: Path = _PROC) -> Holders:
    """The processes, without this one, that have the device at `path` open. Takes some milliseconds.

    Without root only the user's own processes may be looked at, and not all of these.
    """
    real = os.path.realpath(path)
    found, unseen = [], False
    for number in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()):
        if number == os.getpid():
            continue
        folder = proc / str(number)
        try:
            if real in _open_files(folder / "fd"):
                found.append(Holder(number, _name(folder), _maps(folder, real)))
        except PermissionError:
            unseen = True
        except OSError:  # it has ended meanwhile
            continue
    return Holders(tuple(found), unseen)


def count_open(paths: Collection[str], *, proc: Path = _PROC) -> int:
    """How often these devices are open in the processes that may be looked at, this one included."""
    real, count = {os.path.realpath(path) for path in paths}, 0
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended, or may not be looked at
                count += sum(link in real for link in _open_files(entry / "fd"))
    return count


def busy_line(path: str, *, proc: Path = _PROC) -> str:
    """Who holds the device at `path` and what to do about it, for an error's second half."""
    try:
        holders = find_holders(path, proc=proc)
    except OSError:  # no /proc
        holders = Holders(unseen=True)
    if holders.found:
        return f"{holders} {'hold' if len(holders.found) > 1 else 'holds'} it: close that program"
    if holders.unseen:
        return f"another program may hold it, one that you may not look at: `sudo fuser -v {path}` names it; close it"
    return "no other program holds it: plug it out and in again"


def _open_files(descriptors: Path) -> Iterator[str]:
    for descriptor in os.listdir(descriptors):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield os.readlink(descriptors / descriptor)


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text(errors="replace").strip() or "a program"
    except OSError:
        return "a program"


def _maps(folder: Path, real: str) -> bool:
    try:
        return any(line.endswith(f" {real}") for line in (folder / "maps").read_text(errors="replace").splitlines())
    except OSError:
        return False
