"""Files appear whole or not at all: they grow under a hidden name beside the target and are renamed at the end."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from bgcam.realtime.errors import SinkError


def part_of(path: Path) -> Path:
    """The hidden file beside `path` that is written first."""
    return path.with_name(f".{path.name}.part")


def check_writable(path: Path) -> None:
    """Raise SinkError unless a file can be made at `path`."""
    folder = path.parent
    if not folder.is_dir():
        raise SinkError(f"{path}: there is no folder {folder}; make it first: mkdir -p {folder}")
    if path.is_dir():
        raise SinkError(f"{path}: is a folder; give a file's name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"{path}: you may not write to the folder {folder}; choose another or change its rights")


def write_whole(path: Path, data: bytes) -> None:
    """Write and rename. Raises SinkError and leaves nothing behind when the disk is full or the folder is gone."""
    part = part_of(path)
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        remove(part)
        raise SinkError(f"{path}: cannot be written ({error.strerror}); {advice(error)}") from error


def remove(path: Path) -> None:
    """Remove a file if it is there; an error on the way out must not hide the one before it."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def is_full(error: BaseException) -> bool:
    """Whether a write failed for want of space; FFmpeg's errors carry `errno` too."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def advice(error: BaseException) -> str:
    """What to do about a failed write."""
    return "free some space" if is_full(error) else "check the folder and its rights"
