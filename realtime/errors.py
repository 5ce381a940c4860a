"""Errors that people meet: one line each that says what happened, the value, and what to do.

Exit code 2 means that the request is wrong: an option or setting, an unknown name, a file that does not exist or is not
what it should be. 1 means that bgcam tried and failed, also for lack of a device, which may be plugged in later.

BgcamError                  caught by the command: printed as `bgcam: ...`, exit 1
├── UsageError (ValueError)     an option's value makes no sense: exit 2
├── SourceError (OSError)       a camera, file, picture or folder cannot be read
│   └── SourceWaits                 a camera gives no frames now, and is waited for, however long that takes
├── SinkError (OSError)         an output cannot be opened or written
├── BackgroundError (OSError)   a background cannot be read
├── ModelError (ValueError)     a model file is not one of ours, or damaged: exit 2
└── BackendError (RuntimeError) an inference backend is missing or fails
    ├── GpuFailed                   the GPU failed, not the frame
    └── MatteRefused                a frame's matte cannot be a person's: that frame is not shown, others may be

A SourceError, SinkError or BackgroundError inside `about_setting` exits with 2 too, unless it is about a device; a
ModelError about a damaged file of bgcam's own exits with 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BgcamError(Exception):
    """Base of all errors whose message is for the user.

    exit_code: the command's. setting: the name of the setting that it is about, "" where that is unknown.
    """

    exit_code = 1
    setting = ""


class UsageError(BgcamError, ValueError):
    """An option's value makes no sense."""

    exit_code = 2


class SourceError(BgcamError, OSError):
    """A camera, file, picture or folder cannot be read."""


class SourceWaits(SourceError):
    """A camera gives no frames now, and is waited for, however long that takes."""


class SinkError(BgcamError, OSError):
    """An output cannot be opened or written."""


class BackgroundError(BgcamError, OSError):
    """A background cannot be read."""


class ModelError(BgcamError, ValueError):
    """A model file is not one of ours, or damaged."""

    exit_code = 2


class BackendError(BgcamError, RuntimeError):
    """An inference backend is missing or fails."""


class GpuFailed(BackendError):
    """The GPU or its driver failed, not the frame: the next frame would probably fail in the same way."""


class MatteRefused(BackendError):
    """A frame's matte cannot be a person's: that frame is not shown, others may be."""


@contextmanager
def about_setting(setting: str, *, device: bool = False) -> Iterator[None]:
    """While what the user named in a setting is looked for and opened, before a run: errors get its name and their exit
    code.

    device: it is a device or an address, which may be there later, so that only the run failed.
    """
    try:
        yield
    except BgcamError as error:
        error.setting = error.setting or setting
        if isinstance(error, SourceError | SinkError | BackgroundError) and not device:
            error.exit_code = 2
        raise


def as_error(error: BaseException) -> Exception:
    """What a stage of a run raised, as an error that ends the run with exit code 1.

    SystemExit and the like are not errors to Python: raised in a stage, they would end the run as if it had finished.
    """
    if isinstance(error, Exception):
        return error
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return BgcamError(f"a part of the run tried to end bgcam ({what}); start again, with --debug for the traceback")
