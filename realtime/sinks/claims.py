"""Tracks which run writes to an output file, and finds the files that killed runs have left.

A hidden file (see `atomic_write`) that is written over a long time is locked while its run lives. So another run to the
same name can detect that there is one, and a file without a lock is a leftover.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shlex
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bgcam.realtime.atomic_write import HIDDEN, NewFile, hidden_stem, write_whole

if sys.platform != "win32":  # there runs cannot detect each other
    import fcntl

_TRIES = 3
# Two that begin at once detect each other, and both retry after a random delay.
_STEP_BACK_S = (0.02, 0.2)
_LOCK_S = 1.0
# An empty file of this age does not belong to another run that is about to lock it.
_OLD_S = 60.0
_MOST_NAMES = 1000

Identity = tuple[int, int, int, int]


class Taken(OSError):
    """Another run writes to this name now."""


class Claim:
    """A hidden file for `path` that no other run of this user writes to meanwhile.

    Raises Taken, or another OSError.

    file: the hidden file.
    left: what killed runs to the same name have left, oldest first.
    noted: whether to record its place in the user's cache folder while it grows, so that `bgcam doctor` finds it.
    """

    def __init__(self, path: Path, *, noted: bool = False) -> None:
        self.path = path
        self.file, self.left = _claimed(path)
        self._before = _identity(path)
        self._note = _note(self.file.part) if noted else None

    def settle(self) -> Path:
        """Give the file its name; if another program has written to that meanwhile, or it is not available, a similar
        one, such as talk-2.mp4. Returns the path. Raises OSError, and then the file stays hidden."""
        try:
            return self._settle()
        finally:
            self._forget()

    def leave(self) -> Path:
        """Release the hidden file as it is. Returns its path."""
        self.file.close()
        return self.file.part

    def drop(self) -> None:
        """Remove the hidden file."""
        self.file.discard()
        self._forget()

    def _settle(self) -> Path:
        failed: OSError | None = None
        if _identity(self.path) == self._before:
            try:
                self.file.commit()
                return self.path
            except OSError as error:
                failed = error
        for number in range(2, _MOST_NAMES):
            beside = self.path.with_stem(f"{self.path.stem}-{number}")
            try:
                self.file.commit_new(beside)
                return beside
            except FileExistsError:
                continue
            except OSError as error:
                raise failed or error from error
        raise failed or FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self.path))

    def _forget(self) -> None:
        if self._note is not None and not self.file.part.exists():
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)


def left_lines(left: Iterable[Path]) -> list[str]:
    """A line for each file that a killed run has left: where it is, and how to recover it."""
    return [f"left behind by a run that was killed: {part}; to keep it: {rescue(part)}\n" for part in left]


def rescue(part: Path) -> str:
    """The shell command that renames a leftover file to an unused name."""
    shape = HIDDEN.fullmatch(part.name)
    assert shape is not None
    name = Path(shape["name"])
    names = (
        f"{name.stem}-rescued{f'-{number}' if number > 1 else ''}{name.suffix}" for number in range(1, _MOST_NAMES)
    )
    free = next(part.with_name(one) for one in names if not part.with_name(one).exists())
    return f"mv -n {shlex.quote(str(part))} {shlex.quote(str(free))}"


def left_behind(folders: Iterable[Path] = ()) -> list[Path]:
    """The hidden files, not empty, of killed runs in these folders, and in those that were noted; oldest first."""
    parts = {part.resolve() for folder in folders for part in _parts(folder)} | set(_noted())
    found = [part for part in parts if _is_left(part) and _size(part)]
    return sorted(found, key=lambda part: (part.stat().st_mtime, part))


def _claimed(path: Path) -> tuple[NewFile, list[Path]]:
    for attempt in range(_TRIES):
        file = NewFile(path)
        try:
            _lock(file)
            beside = [part for part in _parts(path.parent, path.name) if part != file.part]
            taken = [part for part in beside if _is_locked(part)]
            if not taken:
                return file, _tidied(part for part in beside if _is_left(part))
        except BaseException:
            file.discard()
            raise
        file.discard()
        if attempt + 1 < _TRIES:
            time.sleep(random.uniform(*_STEP_BACK_S))
    raise Taken(errno.EBUSY, _who(taken[0]), str(path))


def _who(part: Path) -> str:
    """Who has it open, as text for the user."""
    from bgcam.realtime.devices.users import find_holders

    try:
        return str(find_holders(str(part))) or "another run of bgcam"
    except OSError:  # no /proc
        return "another run of bgcam"


def _tidied(parts: Iterable[Path]) -> list[Path]:
    """Without the empty ones, which are removed if they are old enough to belong to no run."""
    kept = []
    for part in parts:
        with contextlib.suppress(OSError):
            found = part.lstat()
            if found.st_size:
                kept.append((found.st_mtime, part))
            elif time.time() - found.st_mtime > _OLD_S:
                part.unlink()
    return [part for _, part in sorted(kept)]


def _parts(folder: Path, name: str | None = None) -> Iterator[Path]:
    """This user's hidden files in a folder, only those for `name` if it is given. Links and pipes do not count."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            shape = HIDDEN.fullmatch(entry.name)
            if shape and (name is None or hidden_stem(name) == shape["name"]) and _is_ours(folder / entry.name):
                yield folder / entry.name


def _is_ours(part: Path) -> bool:
    try:
        found = part.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


def _is_left(part: Path) -> bool:
    return _is_ours(part) and not _is_locked(part)


def _is_locked(part: Path) -> bool:
    """Whether its run lives; False if that is unknown."""
    if sys.platform == "win32":
        return False
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
    finally:
        os.close(descriptor)
    return False


def _lock(file: NewFile) -> None:
    """Lock it until it is closed. Others that check the lock hold it for a moment."""
    end_s = time.monotonic() + _LOCK_S
    while sys.platform != "win32":
        try:
            fcntl.flock(file.raw.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.005)
        except OSError:  # a network's file system without locks
            return


def _identity(path: Path) -> Identity | None:
    """What distinguishes this file from another, or from itself before a write; None if there is no file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _size(part: Path) -> int:
    try:
        return part.lstat().st_size
    except OSError:
        return 0


def _notes() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("bgcam", appauthor=False) / "recordings"


def _note(part: Path) -> Path | None:
    """Record where it is; None if that fails, which only costs a hint of doctor's."""
    with contextlib.suppress(OSError, RuntimeError):  # a user without a home
        notes = _notes()
        notes.mkdir(parents=True, exist_ok=True)
        note = notes / part.name.split(".")[-2]
        write_whole(note, os.fsencode(part.absolute()), durable=False)
        return note
    return None


def _noted() -> list[Path]:
    """The hidden files that were noted and are still there; notes of others are removed."""
    found = []
    with contextlib.suppress(OSError, RuntimeError):
        for note in sorted(_notes().iterdir()):
            if note.name.startswith(".") or not _is_ours(note):
                continue
            part = Path(os.fsdecode(note.read_bytes()))
            shape = HIDDEN.fullmatch(part.name)
            if shape is None or shape["token"] != note.name:
                continue
            if part.exists():
                found.append(part.resolve())
            elif part.parent.is_dir():  # otherwise its disk may come back
                note.unlink(missing_ok=True)
    return found
