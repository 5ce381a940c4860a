"""An NVIDIA GPU by CuPy: whether there is one, its streams, and CUDA graphs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError


def load_cupy() -> Any:
    """CuPy, with a GPU that it can use; BackendError says what is missing."""
    try:
        import cupy
    except ImportError:
        raise BackendError(missing("cupy", extras="cuda")) from None
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy's errors for a missing driver differ between versions
        raise BackendError(f"no NVIDIA GPU can be used ({error}); install its driver, or use --backend auto") from None
    if not found:
        raise BackendError("no NVIDIA GPU was found; use --backend auto")
    return cupy


class _Raw:
    """A stream's handle, as the CUDA stream protocol asks for it: a version, and the handle."""

    def __init__(self, handle: int):
        self._handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._handle


def stream_of(cupy: Any, handle: int) -> Any:
    """CuPy's stream for another's `cudaStream_t`, which has to outlive it."""
    wrap = getattr(cupy.cuda.Stream, "from_external", None)  # from CuPy 14 on, which deprecates ExternalStream
    return cupy.cuda.ExternalStream(handle) if wrap is None else wrap(_Raw(handle))


def capture(stream: Any, launch: Callable[[], None]) -> Any:
    """A CUDA graph of what `launch` puts on this stream, or its own error; the stream is of no use after one."""
    stream.begin_capture()
    try:
        launch()
    except BaseException:
        with contextlib.suppress(Exception):  # it only says that something failed before
            stream.end_capture()
        raise
    return stream.end_capture()
