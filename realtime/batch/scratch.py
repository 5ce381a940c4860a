"""A folder for files in progress, and the removal of what killed batches have left in such folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bgcam.realtime.atomic_write import NewFile
from bgcam.realtime.batch.store import AGAIN, StoreRefused
from bgcam.realtime.errors import SinkError

_PREFIX = "bgcam-batch-"
_LOCK = "lock"


class Scratch:
    """A folder of this process in the system's temporary folder, which only this user may read.

    It holds copies of what was fetched, and so may show a room: a killed batch's is removed by the next one.
    """

    def __init__(self) -> None:
        # Another process must not find it without its lock, and take it for a killed one's.
        made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
        self._lock = _locked(made / _LOCK)
        self.path = made.rename(made.with_name(made.name.removeprefix(".")))
        for other in self.path.parent.glob(f"{_PREFIX}*"):
            if other != self.path and _is_left(other):
                shutil.rmtree(other, ignore_errors=True)

    def close(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def only_batch(folder: Path | None, target: str) -> Iterator[None]:
    """While inside, no other batch of this machine writes to the target. Raises SinkError if one does.

    folder: of the target, for files in progress; None if it has none. What killed batches have left there is removed.
    """
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        NewFile(folder / "try").discard()
        lock = _locked(folder.parent / _LOCK)
    except OSError as error:
        raise StoreRefused(f"{target}: cannot be written ({error.strerror}); when that is solved, {AGAIN}") from error
    if lock is None and sys.platform != "win32":
        raise SinkError(f"{target}: another bgcam batch is writing to it; give another folder, or wait for that")
    try:
        clear(folder)
        yield
    finally:
        clear(folder)
        if lock is not None:
            os.close(lock)


def clear(folder: Path) -> None:
    """Remove the files in a folder, which stays. Errors are ignored."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                path.unlink()


def _is_left(folder: Path) -> bool:
    """Whether it is this user's, and its process is gone."""
    try:
        if (
            not (folder / _LOCK).exists()
            or folder.is_symlink()
            or (hasattr(os, "geteuid") and folder.lstat().st_uid != os.geteuid())
        ):
            return False
    except OSError:
        return False
    lock = _locked(folder / _LOCK)
    if lock is None:
        return False
    os.close(lock)
    return True


def _locked(path: Path) -> int | None:
    """A file that is locked until it is closed, or its process ends; None if another process has it. Raises OSError."""
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # a network's file system without locks
        pass
    return descriptor
