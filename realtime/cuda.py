"""An NVIDIA GPU through CuPy: whether there is one, its streams, and CUDA graphs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError


def load_cupy() -> Any:
    """Returns CuPy if it can use a GPU. Raises BackendError, which says what is missing."""
    try:
        import cupy
    except ImportError:
        raise BackendError(missing("cupy", extras="cuda")) from None
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy's error for a missing driver differs between versions
        raise BackendError(f"no NVIDIA GPU can be used ({error}); install its driver, or use --backend auto") from None
    if not found:
        raise BackendError("no NVIDIA GPU was found; use --backend auto")
    return cupy


class _Raw:
    """A stream's handle with CUDA's stream protocol: a version number and the handle."""

    def __init__(self, handle: int):
        self._handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._handle


def stream_of(cupy: Any, handle: int) -> Any:
    """CuPy's stream for another library's `cudaStream_t`, which must outlive it."""
    wrap = getattr(cupy.cuda.Stream, "from_external", None)  # CuPy 14 and later, where ExternalStream is deprecated
    return cupy.cuda.ExternalStream(handle) if wrap is None else wrap(_Raw(handle))


def capture(stream: Any, launch: Callable[[], None]) -> Any:
    """A CUDA graph of the work that `launch` adds to this stream. If `launch` raises, the stream is unusable after."""
    stream.begin_capture()
    try:
        launch()
    except BaseException:
        with contextlib.suppress(Exception):  # it only reports the earlier failure
            stream.end_capture()
        raise
    return stream.end_capture()
