"""Files appear whole or not at all: a file grows under a hidden name beside its target, and takes its name at the end.

The hidden name cannot be guessed, and the file under it is always a new one (O_EXCL, O_NOFOLLOW): a link, a pipe or
another user's file that lies in the way is neither followed nor waited for nor written to. Until it is whole, only this
user may read it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import sys
from pathlib import Path

# `.talk.mp4.0123456789abcdef.part` for `talk.mp4`
HIDDEN = re.compile(r"\.(?P<name>.+)\.(?P<token>[0-9a-f]{16})\.part", re.DOTALL)
_TOKEN_BYTES = 8
# With what is added, a name stays below the 255 bytes of most file systems.
_MOST_NAME_BYTES = 220
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL
for _name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT"):
    _FLAGS |= getattr(os, _name, 0)
# What file systems say that cannot do it; the data is then as safe as it gets there.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


def write_whole(path: Path, *pieces: bytes | memoryview, durable: bool = True, mode: int | None = None) -> None:
    """Write a file of these pieces; after an error there is what was there before. Raises OSError.

    durable: it survives a power cut from here on, which costs some milliseconds. mode: its rights, such as 0o644;
    None: as the user's umask says.
    """
    file = NewFile(path)
    try:
        for piece in pieces:
            file.write(piece)
        if durable:
            file.sync()
        file.commit(mode=mode)
    finally:
        file.discard()


def hidden_stem(name: str) -> str:
    """How a file name stands in its hidden name: as it is, unless that would get too long."""
    return name.encode(errors="surrogateescape")[:_MOST_NAME_BYTES].decode(errors="ignore")


class NewFile:
    """A new file that grows hidden beside `path`, for `commit` to give it its name, or for `discard`.

    part: its hidden path. raw: the file, unbuffered, open for reading and writing. Making it raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f".{hidden_stem(path.name)}.{secrets.token_hex(_TOKEN_BYTES)}.part")
        self.raw: io.FileIO = os.fdopen(_above_standard(os.open(self.part, _FLAGS, 0o600)), "w+b", buffering=0)

    def write(self, data: bytes | memoryview) -> None:
        """All of it. Raises OSError."""
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.raw.write(rest) :]

    def sync(self) -> None:
        """Return when the disk has what was written. Raises OSError."""
        try:
            os.fsync(self.raw.fileno())
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise

    def commit(self, path: Path | None = None, *, mode: int | None = None) -> None:
        """Give it its name, or another one of the same folder, in place of what has that name. Raises OSError."""
        path = path or self.path
        there, ours = os.lstat(self.part), os.fstat(self.raw.fileno())
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            raise FileExistsError(errno.EEXIST, "another file was put in its place", str(self.part))
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # file systems without rights
                os.fchmod(self.raw.fileno(), 0o666 & ~_umask() if mode is None else mode)
        else:  # renames no open file
            self.close()
        os.replace(self.part, path)
        self.close()
        _sync_folder(path.parent)

    def commit_new(self, path: Path) -> None:
        """Give it a name that no file has. Raises FileExistsError where one has it, or OSError."""
        os.close(os.open(path, _FLAGS, 0o600))
        try:
            self.commit(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Let go of it, under the name that it has."""
        self.raw.close()

    def discard(self) -> None:
        """Remove it if it still has its hidden name; an error on the way out must not hide the one before it."""
        self.close()
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)


def _above_standard(descriptor: int) -> int:
    """Not where standard input, output or error would be, had they not been closed: libraries write there."""
    if descriptor > 2 or sys.platform == "win32":
        return descriptor
    import fcntl

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Which rights new files do not get."""
    with contextlib.suppress(OSError):  # the call would change the rights of other threads' files for a moment
        told = re.search(r"^Umask:\s*([0-7]+)$", Path("/proc/self/status").read_text(errors="replace"), re.MULTILINE)
        if told:
            return int(told[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Names survive a power cut too, where that can be asked for."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
