"""The kernels on an NVIDIA GPU: compiled on first use, then loaded from CuPy's cache on disk."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from bgcam.realtime import cuda
from bgcam.realtime.errors import BackendError
from bgcam.realtime.picture.kernels.launch import Kernels
from bgcam.realtime.picture.kernels.source import source_text

# A kernel that uses more shared memory than this has to request it explicitly.
PLAIN_SHARED_BYTES = 48 * 1024


@functools.cache
def load_kernels() -> Kernels:
    """All kernels, on the current device and CuPy's current stream. Raises BackendError."""
    cupy = cuda.load_cupy()
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
