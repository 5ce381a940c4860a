"""A file that can be finished on a full disk: a container is no video until its index is written, at its end."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from bgcam.realtime.sinks._files import is_full

# For what the encoder still holds, and the index: about 20 bytes a frame, so that of a day's recording fits.
RESERVE_BYTES = 16 << 20


class ReservedFile:
    """A new file to write and seek in, for PyAV. full: the error of the write that filled the disk, None before.

    That write and those that follow use the reserve: space that a nameless file beside this one holds until then. It is
    nobody's when the process is killed. Where not even the reserve finds room, writes raise OSError.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)  # FFmpeg reads the file by this name when it moves the index to the front
        self.full: OSError | None = None
        self._file = path.open("wb", buffering=0)
        self._reserve = _reserve(path.parent)

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
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._free()
        self._file.close()

    def _free(self) -> None:
        if self._reserve is not None:
            self._reserve.close()
            self._reserve = None


def _reserve(folder: Path) -> BinaryIO | None:
    """A nameless file of RESERVE_BYTES; None where there is no room for it: then a full disk leaves no video."""
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        file = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        else:
            file.write(bytes(RESERVE_BYTES))
        stack.pop_all()
        return file
    return None
