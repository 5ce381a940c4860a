"""Which bgcam runs: a folder of the user's alone, with a lock and a socket for each instance name."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
import warnings
from pathlib import Path

from bgcam.realtime.errors import BgcamError, SinkError, UsageError

DEFAULT_NAME = "default"
NOT_ON_WINDOWS = "commands to a running bgcam are not supported on Windows yet; use its control page"
# sockaddr_un has room for 108 bytes on Linux and 104 elsewhere, one of them the final zero.
_PATH_BYTES = 103
_LOCK_TRIES = 5
_LOCK_WAIT_S = 0.02


class AlreadyRuns(BgcamError):
    """Another process is the instance of this name."""


def check_name(name: str) -> str:
    """The name, if an instance can have it. Raises UsageError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", name):
        raise UsageError(
            f"{name!r} is not a valid instance name; give up to 32 letters and digits, such as {DEFAULT_NAME}"
        )
    return name


def folder_path() -> Path:
    """Where sockets are: $XDG_RUNTIME_DIR/bgcam, or this system's place for such. Not made."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(base):
        return Path(base) / "bgcam"
    import platformdirs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that there is no XDG_RUNTIME_DIR
        return platformdirs.user_runtime_path("bgcam", appauthor=False)


def make_folder(folder: Path) -> None:
    """Make it, for this user alone. Raises SinkError, also for one that is there and is not safe."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        pass  # something else has the name: `check_folder` says so
    except OSError as error:
        raise SinkError(f"{folder} cannot be made for bgcam's socket ({error.strerror})") from error
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Raise SinkError unless the folder is this user's and closed to all others."""
    try:
        found = folder.lstat()
    except OSError as error:
        raise SinkError(f"{folder} cannot be used for bgcam's socket ({error.strerror})") from error
    if not stat.S_ISDIR(found.st_mode):
        raise SinkError(f"{folder} is not a folder, but bgcam's socket belongs there; remove it")
    if found.st_uid != os.geteuid():
        raise SinkError(
            f"{folder} belongs to another user (uid {found.st_uid}); set XDG_RUNTIME_DIR to your own folder"
        )
    if found.st_mode & 0o077:
        raise SinkError(
            f"{folder} is open to other users (mode {stat.S_IMODE(found.st_mode):o}); run: chmod 700 {folder}"
        )


def socket_path(name: str) -> Path:
    """Where the instance's socket is. Raises UsageError, and SinkError where the path would be too long."""
    path = folder_path() / f"{check_name(name)}.sock"
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise SinkError(f"{path} is too long for a socket ({_PATH_BYTES} bytes); set XDG_RUNTIME_DIR to a shorter one")
    return path


class Instance:
    """Makes this process the instance of a name until `close`, or until it ends in whatever way.

    The lock is the kernel's: a process that was killed leaves none, and its socket is known to be stale. Raises
    AlreadyRuns, SinkError for a folder that is not safe, UsageError for a wrong name.
    """

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        if sys.platform == "win32":
            raise SinkError(NOT_ON_WINDOWS)
        self.path = socket_path(name)
        make_folder(self.path.parent)
        self._lock = os.open(_lock_path(self.path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if not _take(self._lock, _LOCK_TRIES):
                raise AlreadyRuns(_runs_already(self._lock, name))
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()} {time.time():.0f}\n".encode(), 0)
            self.path.unlink(missing_ok=True)  # of one that was killed
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Remove the socket, and let others have the name."""
        if self._lock >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def runs_already(name: str = DEFAULT_NAME) -> str:
    """ "bgcam is already running (process 123, since 10:42): ..." if an instance of this name runs; else ""."""
    if sys.platform == "win32":
        return ""
    try:
        lock = os.open(_lock_path(socket_path(name)), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return "" if _take(lock, 1, shared=True) else _runs_already(lock, name)
    finally:
        os.close(lock)


def _lock_path(socket: Path) -> Path:
    return socket.with_suffix(".lock")


def _take(lock: int, tries: int, *, shared: bool = False) -> bool:
    """Lock the file. More than one try, because `runs_already` of another process takes it for a moment."""
    if sys.platform == "win32":
        return False
    import fcntl

    for left in reversed(range(tries)):
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if left:
                time.sleep(_LOCK_WAIT_S)
    return False


def _runs_already(lock: int, name: str) -> str:
    which = "" if name == DEFAULT_NAME else f" --instance {name}"
    found = re.fullmatch(rb"(\d+) (\d+)\s*", os.pread(lock, 100, 0))
    who = f" (process {int(found[1])}, since {_clock(int(found[2]))})" if found else ""
    return f"bgcam is already running{who}: bgcam set{which} ..., bgcam ui{which}, bgcam quit{which}"


def _clock(since_s: int) -> str:
    then, now = time.localtime(since_s), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)
