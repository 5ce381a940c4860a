"""Whether a path is a file that ends, before anything reads it: no signal stops a read that waits in FFmpeg."""

from __future__ import annotations

import stat
from pathlib import Path

from bgcam.realtime.errors import SourceError


def ordinary_bytes(path: Path, kind: str) -> int:
    """The file's length. Raises SourceError for a pipe, a device and an empty file, OSError where there is none.

    kind: what it should be, for people. Files of the kernel's (/proc/kmsg) that give what will come are empty ones.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(f"{path}: no ordinary file; give a {kind} file")
    if not found.st_size:
        raise SourceError(f"{path}: the file is empty; give a {kind} file")
    return found.st_size
