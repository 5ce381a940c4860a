"""Finds the processes that have a device open, in /proc: only on Linux; elsewhere none is found."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """A process that has the device open.

    maps: it has mapped the device's buffers into its memory, so it streams pictures.
    reads: it has opened the device for reading only.
    """

    pid: int
    name: str
    maps: bool = False
    reads: bool = False

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


@dataclass(frozen=True)
class Holders:
    """The processes that have the device open.

    found: by process id.
    unseen: some processes may not be inspected, so there may be more.
    """

    found: tuple[Holder, ...] = ()
    unseen: bool = False

    def __str__(self) -> str:
        return ", ".join(map(str, self.found))

    @property
    def writers(self) -> str:
        """The programs that may be writing to the device; "" if none. Most viewers also open it for writing."""
        names = [str(holder) for holder in self.found if not holder.reads]
        return f"one of {', '.join(names)}" if len(names) > 1 else "".join(names)


def find_holders(path: str, *, proc: Path = _PROC) -> Holders:
    """The processes, without this one, that have the device at `path` open. Takes some milliseconds.

    Without root, only the user's own processes can be inspected, and not all of these.
    """
    real = os.path.realpath(path)
    found, unseen = [], False
    for number in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()):
        if number == os.getpid():
            continue
        folder = proc / str(number)
        try:
            opened = [name for name, file in _open_files(folder / "fd") if file == real]
            if opened:
                reads = all(_reads(folder / "fdinfo" / name) for name in opened)
                found.append(Holder(number, _name(folder), _maps(folder, real), reads))
        except PermissionError:
            unseen = True
        except OSError:  # it has ended meanwhile
            continue
    return Holders(tuple(found), unseen)


def count_open(paths: Collection[str], *, proc: Path = _PROC) -> int:
    """How often these devices are open in the processes that can be inspected, including this one."""
    real, count = {os.path.realpath(path) for path in paths}, 0
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended, or may not be inspected
                count += sum(file in real for _, file in _open_files(entry / "fd"))
    return count


def busy_line(path: str, *, proc: Path = _PROC) -> str:
    """Which programs have the device at `path` open and what to do, as the second half of an error message."""
    try:
        holders = find_holders(path, proc=proc)
    except OSError:  # no /proc
        holders = Holders(unseen=True)
    if holders.found:
        return f"{holders} {'have' if len(holders.found) > 1 else 'has'} it open: close that program"
    if holders.unseen:
        return f"another user's program may have it open: `sudo fuser -v {path}` shows which; close it"
    return "no other program has it open: unplug it and plug it back in"


def _open_files(descriptors: Path) -> Iterator[tuple[str, str]]:
    """Each descriptor's number and its file."""
    for descriptor in os.listdir(descriptors):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield descriptor, os.readlink(descriptors / descriptor)


def _reads(info: Path) -> bool:
    """Whether a descriptor was opened for reading only (proc(5), /proc/PID/fdinfo: the flags are octal)."""
    flags = re.search(r"^flags:\s*([0-7]+)", _read(info), re.MULTILINE)
    return flags is not None and int(flags[1], 8) & os.O_ACCMODE == os.O_RDONLY


def _name(folder: Path) -> str:
    name = _read(folder / "comm").strip() or "a program"
    runs_bgcam = name.startswith("python") and _runs_bgcam(_read(folder / "cmdline").split("\0"))
    return "bgcam" if runs_bgcam else name


def _runs_bgcam(words: Sequence[str]) -> bool:
    """Whether a Python command line is `python -m bgcam` or `python /a/path/bgcam`, with or without options."""
    rest = iter(words[1:])
    for word in rest:
        if word in ("-X", "-W"):
            next(rest, "")
        elif not word.startswith("-"):
            return os.path.basename(word) == "bgcam"
        elif word.endswith(("m", "c")):  # -m, -Im: what follows is not an option of Python's
            return word.endswith("m") and next(rest, "") == "bgcam"
    return False


def _maps(folder: Path, real: str) -> bool:
    return any(line.endswith(f" {real}") for line in _read(folder / "maps").splitlines())


def _read(path: Path) -> str:
    """A file's text; "" when it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
