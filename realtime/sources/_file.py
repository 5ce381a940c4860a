"""Checks that a path is a finite file before anything reads it: no signal stops a read that waits in FFmpeg."""

from __future__ import annotations

import stat
from pathlib import Path

from bgcam.realtime.errors import SourceError


def ordinary_bytes(path: Path, kind: str) -> int:
    """The file's length. Raises SourceError if there is no file, and for a pipe, a device and an empty file.

    kind: what it should be, for the message. The kernel's endless files (/proc/kmsg) have the length 0.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise SourceError(f"{path}: no such {kind}; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise SourceError(f"{path}: cannot read the {kind} ({error})") from error
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(f"{path}: not a regular file; give a {kind} file")
    if not found.st_size:
        raise SourceError(f"{path}: the file is empty; give a {kind} file")
    return found.st_size
