"""A file that can be finished on a full disk: a video file is unusable until its index is written, at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from bgcam.realtime.atomic_write import NewFile
from bgcam.realtime.errors import SinkError
from bgcam.realtime.sinks._files import is_full

# For what the encoder still holds, and the index: about 20 bytes a frame, so that of a day's recording fits.
RESERVE_BYTES = 16 << 20
# This much may be unwritten in memory: at the end, all of it has to reach the disk.
WAITING_BYTES = 8 << 20
# With less free space than this a recording would end as soon as it begins.
LEAST_FREE_BYTES = 2 * RESERVE_BYTES


def check_room(path: Path) -> None:
    """Raise SinkError unless there is space for a video at `path` and its reserve."""
    free = shutil.disk_usage(path.parent).free
    if free < LEAST_FREE_BYTES:
        raise SinkError(
            f"{path}: only {free >> 20} MB are free there, and a video needs {LEAST_FREE_BYTES >> 20} MB at its start; "
            "free some space, or choose another folder"
        )


class ReservedFile:
    """A `NewFile` to write and seek in, for PyAV. full: the error of the write that filled the disk, None before.

    That write and later ones use the reserve: space held until then by an unnamed file in the same folder, which the
    system frees if the process is killed. Raises OSError if there is no space for the reserve; writes do when it is
    used up. `close` frees the reserve, and leaves the file open for its owner.
    """

    def __init__(self, file: NewFile) -> None:
        self.full: OSError | None = None
        self.closed = False  # asked by PyAV, which writes no container's end to a closed file
        self._reserve: BinaryIO | None = _reserve(file.part.parent)
        self._file = file.raw
        self._waiting = 0

    def write(self, data: bytes) -> int:
        at = 0
        while at < len(data):
            try:
                at += self._file.write(data[at:])
            except OSError as error:
                if self.full is not None or not is_full(error):
                    raise
                self.full = error
                self._free()
        self._waiting += len(data)
        if self._waiting >= WAITING_BYTES:
            self._waiting = 0
            self._send_off()
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self.closed = True
        self._free()

    def _send_off(self) -> None:
        """Make the system start writing unwritten data, without waiting for it (Linux, mm/fadvise.c)."""
        with contextlib.suppress(AttributeError, OSError):
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _free(self) -> None:
        if self._reserve is not None:
            self._reserve.close()
            self._reserve = None


def _reserve(folder: Path) -> BinaryIO:
    """An unnamed file of RESERVE_BYTES. Raises OSError."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
        try:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except (AttributeError, OSError) as error:  # not supported by every system and file system
            if is_full(error):
                raise
            with open(file.fileno(), "wb", closefd=False) as writer:  # unlike a raw file, it writes all or raises
                writer.write(bytes(RESERVE_BYTES))
        stack.pop_all()
        return file
