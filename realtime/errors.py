"""Errors that people meet: one line each that says what happened, the value, and what to do.

BgcamError                  caught by the command: printed as `bgcam: ...`, exit 1
├── UsageError (ValueError)     an option's value makes no sense: exit 2
├── SourceError (OSError)       a camera, file, picture or folder cannot be read
│   └── SourceWaits                 a camera gives no frames now, and is waited for, however long that takes
├── SinkError (OSError)         an output cannot be opened or written
├── BackgroundError (OSError)   a background cannot be read
├── ModelError (ValueError)     a model file is not one of ours, or damaged
└── BackendError (RuntimeError) an inference backend is missing or fails
    ├── GpuFailed                   the GPU failed, not the frame
    └── MatteRefused                a frame's matte cannot be a person's: that frame is not shown, others may be
"""

from __future__ import annotations


class BgcamError(Exception):
    """Base of all errors whose message is for the user."""


class UsageError(BgcamError, ValueError):
    """An option's value makes no sense."""


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


class BackendError(BgcamError, RuntimeError):
    """An inference backend is missing or fails."""


class GpuFailed(BackendError):
    """The GPU or its driver failed, not the frame: the next one may well fail in the same way."""


class MatteRefused(BackendError):
    """A frame's matte cannot be a person's: that frame is not shown, others may be."""


def as_error(error: BaseException) -> Exception:
    """What a stage of a run raised, as an error that ends the run with exit code 1.

    SystemExit and the like are not errors to Python: raised in a stage, they would end the run as if it had finished.
    """
    if isinstance(error, Exception):
        return error
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return BgcamError(f"a part of the run tried to end bgcam ({what}); start again, with --debug for the traceback")
