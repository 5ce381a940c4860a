"""The backends' files in the user's cache folder, written and read so that nothing foreign or damaged is run.

A compiled network is code and weights: another one under the right name, or one with a flipped bit, could show the
room. So the folder belongs only to its user (0700), files are read only if they are the user's own, regular and not
writable by others, and each file begins with a checksum over its contents and over the key that it was written for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.cache import cache_folder

MAGIC = b"bgcam-blob 1\n"
DIGEST_BYTES = 64
# Larger files are not bgcam's.
MAX_BYTES = 1 << 30
# Windows has no such owners and modes; a user's folders are private there.
POSIX = hasattr(os, "geteuid")


class CacheRefused(Exception):
    """A cached file or its folder cannot be trusted; says why, in a few words."""


def private_folder(*names: str) -> Path:
    """A folder in the user's cache folder, created if missing, that only this user can open.

    Raises CacheRefused for another user's folder or a link, OSError and RuntimeError if none can be created.
    """
    folder = cache_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for path in (folder, *(folder.joinpath(*names[: at + 1]) for at in range(len(names)))):
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise CacheRefused(f"{path} is a link or not a folder")
        if POSIX and found.st_uid != os.geteuid():
            raise CacheRefused(f"{path} belongs to another user")
        if POSIX and stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o700)
        folder = path
    return folder


def read_private(path: Path) -> bytes:
    """A file of this user's. Raises CacheRefused for any other, and for a link; FileNotFoundError, OSError."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        raise CacheRefused("it is a link")
    if stat.S_ISDIR(kind):  # which `fdopen` refuses without closing it
        raise CacheRefused("it is no regular file")
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise CacheRefused("it is not a regular file")
        if POSIX and found.st_uid != os.geteuid():
            raise CacheRefused("it belongs to another user")
        if POSIX and stat.S_IMODE(found.st_mode) & 0o022:
            raise CacheRefused("other users may write to it")
        if found.st_size > MAX_BYTES:
            raise CacheRefused(f"it has {found.st_size} bytes")
        return file.read(MAX_BYTES + 1)


def seal(key: str, contents: bytes) -> bytes:
    """The contents, preceded by a checksum over them and the key."""
    return MAGIC + _digest(key, contents).encode() + b"\n" + contents


def unseal(key: str, data: bytes) -> bytes:
    """The contents that were sealed. Raises CacheRefused for another key, or if anything changed."""
    begin = len(MAGIC) + DIGEST_BYTES + 1
    if not data.startswith(MAGIC) or len(data) < begin:
        raise CacheRefused("it is not a bgcam file")
    contents = data[begin:]
    if data[len(MAGIC) : begin] != _digest(key, contents).encode() + b"\n":
        raise CacheRefused("its checksum does not match")
    return contents


def load_blob(path: Path, key: str) -> bytes | None:
    """The contents of a sealed file; None if there is no file. Raises CacheRefused, OSError."""
    try:
        contents = unseal(key, read_private(path))
    except FileNotFoundError:
        return None
    with suppress(OSError):  # recently used files stay longest when the cache is pruned by age
        os.utime(path)
    return contents


def keep_blob(path: Path, key: str, contents: bytes) -> None:
    """Write a sealed file atomically, readable only by this user. Raises OSError."""
    write_whole(path, seal(key, contents), mode=0o600)


def _digest(key: str, contents: bytes) -> str:
    # The key's length comes first, so that no key and contents can be mistaken for others.
    name = key.encode()
    found = hashlib.sha256(f"{len(name)} ".encode() + name)
    found.update(contents)
    return found.hexdigest()
