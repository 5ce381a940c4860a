"""The kernels on an NVIDIA GPU, by CuPy: compiled when first used, then taken from CuPy's cache on disk."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError
from bgcam.realtime.gpu.kernels import Kernels
from bgcam.realtime.gpu.source import source_text

# Above this a block has to ask for shared memory by name.
PLAIN_SHARED_BYTES = 48 * 1024


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


@functools.cache
def load_kernels() -> Kernels:
    """All kernels, on the current device and CuPy's current stream. Raises BackendError."""
    cupy = load_cupy()
    module = cupy.RawModule(code=source_text(), options=("--std=c++17",))
    try:
        module.compile()
    except cupy.cuda.compiler.CompileException as error:
        raise BackendError(f"the CUDA kernels do not compile ({str(error).splitlines()[0]}); update cupy") from error
    functions: dict[str, Any] = {}

    def launch(
        name: str, arguments: Sequence[Any], *, blocks: tuple[int, int], threads: int, shared_bytes: int = 0
    ) -> None:
        function = functions.get(name)
        if function is None:
            function = functions[name] = module.get_function(name)
        if shared_bytes > PLAIN_SHARED_BYTES and function.max_dynamic_shared_size_bytes < shared_bytes:
            function.max_dynamic_shared_size_bytes = shared_bytes
        function(blocks, (threads,), tuple(arguments), shared_mem=shared_bytes)

    return Kernels(launch)
