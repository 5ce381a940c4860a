"""Whether an error concerns one file, which is set aside, or all of them, so that the batch stops."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from bgcam.realtime.batch.store import StoreRefused
from bgcam.realtime.errors import BackendError, BackgroundError, MatteRefused, ModelError, SinkError, UsageError
from bgcam.realtime.sinks._reserve import LEAST_FREE_BYTES

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def stops(error: BaseException, *, folder: Path, loaded: bool) -> bool:
    """Whether to stop.

    folder: where the output was being written. loaded: whether the model has worked on this machine: then a backend's
    error concerns the file, such as a size that does not fit into memory.
    """
    if isinstance(error, StoreRefused | ModelError | BackgroundError | UsageError):
        return True
    if isinstance(error, BackendError) and not isinstance(error, MatteRefused) and not loaded:
        return True
    if any(getattr(one, "errno", None) in _NO_SPACE for one in _chain(error)):
        return True
    return isinstance(error, SinkError | OSError) and is_nearly_full(folder)


def is_nearly_full(folder: Path) -> bool:
    """Whether there is no space for another output."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    except OSError:
        return True


def one_line(error: BaseException) -> str:
    """The error for a report."""
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    known = type(error).__module__.endswith("realtime.errors") or isinstance(error, SinkError)
    return said if known and said else f"unexpected error: {type(error).__name__}: {said}"


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found
