"""Output files: complete or absent, each written by one run at a time, with one-line errors."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from bgcam.realtime import atomic_write
from bgcam.realtime.errors import SinkError
from bgcam.realtime.sinks.claims import Claim, Taken


def check_writable(path: Path) -> None:
    """Raise SinkError unless a file can be created at `path`."""
    folder = path.parent
    if not folder.is_dir():
        raise SinkError(f"{path}: the folder {folder} does not exist; create it first: mkdir -p {folder}")
    if path.is_dir():
        raise SinkError(f"{path}: is a folder; give a file's name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(
            f"{path}: no permission to write to the folder {folder}; choose another or change its permissions"
        )


def claim(path: Path, *, noted: bool = False) -> Claim:
    """See `Claim`. Raises SinkError, and says who else writes to `path`."""
    try:
        return Claim(path, noted=noted)
    except Taken as error:
        raise SinkError(
            f"{path}: {error.strerror} is writing to it now; give another name, or stop that first"
        ) from error
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({error.strerror}); {advice(error)}") from error


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """See `atomic_write`. Raises SinkError and leaves no file if the disk is full or the folder is gone."""
    try:
        atomic_write.write_whole(path, data, durable=durable)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({error.strerror}); {advice(error)}") from error


def settle(claimed: Claim) -> str:
    """See `Claim.settle`. Returns the file's path as text. Raises SinkError if it stays hidden."""
    try:
        return str(claimed.settle())
    except OSError as error:
        left = claimed.leave()
        why = f"cannot get its name ({error.strerror})"
        raise SinkError(f"{claimed.path}: {why}; what was written is in {left}") from error


def remove(path: Path) -> None:
    """Remove a file if it exists; an error during cleanup must not hide an earlier one."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def is_full(error: BaseException) -> bool:
    """Whether a write failed for lack of space; FFmpeg's errors carry `errno` too."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def advice(error: BaseException) -> str:
    """What to do about a failed write."""
    return "free some space" if is_full(error) else "check the folder and its permissions"
