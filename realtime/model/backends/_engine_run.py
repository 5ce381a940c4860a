"""A loaded TensorRT engine: `DeviceNetwork` for TensorRT and TensorRT-RTX, with memory and streams from CuPy."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from bgcam.realtime.cuda import capture, load_cupy, stream_of
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends._engine_build import _logger
from bgcam.realtime.model.backends._engine_cache import FOLDER
from bgcam.realtime.model.backends.blob_cache import CacheRefused, keep_blob, load_blob, private_folder

DTYPES = {"HALF": "float16", "FLOAT": "float32"}


def _kept(runtime_cache: Path | None) -> bytes | None:
    """The kernels compiled for this GPU earlier; None if none is cached, or the cached ones fail their check."""
    try:
        return None if runtime_cache is None else load_blob(runtime_cache, runtime_cache.name)
    except (CacheRefused, OSError):
        return None


class EngineNetwork:
    """See `DeviceNetwork`. Outside a capture, a call launches a CUDA graph of its own; inside one, it launches kernels.

    api: the package.
    engine: serialised.
    runtime_cache: the file in which TensorRT-RTX caches the kernels that it compiles for this GPU on first use.
    description: see `Backend`.
    cupy: the package, for tests.

    Raises BackendError.
    """

    def __init__(
        self, api: Any, engine: bytes, *, description: str, runtime_cache: Path | None = None, cupy: Any = None
    ):
        self.description = description
        self._cupy = cupy or load_cupy()
        self._api, self._lock = api, threading.Lock()
        self._log = _logger(api)
        self._runtime = api.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise BackendError(f"{api.__name__} cannot load the engine ({self._why()})")
        self._tensors = {
            name: self._cupy.zeros(
                tuple(self._engine.get_tensor_shape(name)), DTYPES[self._engine.get_tensor_dtype(name).name]
            )
            for name in (self._engine.get_tensor_name(place) for place in range(self._engine.num_io_tensors))
        }
        ends = {self._engine.get_tensor_mode(name): tensor for name, tensor in self._tensors.items()}
        self.input, self.output = ends[api.TensorIOMode.INPUT], ends[api.TensorIOMode.OUTPUT]
        self._stream = self._cupy.cuda.Stream(non_blocking=True)
        self._warm: set[int] = set()
        self._graph = None
        self._open(runtime_cache)

    def enqueue(self, stream: int) -> None:
        """See `DeviceNetwork.enqueue`."""
        with self._lock:
            capturing = self._cupy.cuda.runtime.streamIsCapturing(stream)
            if self._graph is None or capturing or stream not in self._warm:
                self._execute(stream)
                self._warm.add(stream)
            else:
                self._graph.launch(stream=stream_of(self._cupy, stream))

    def _open(self, runtime_cache: Path | None) -> None:
        """Create the context, compile the remaining kernels, and capture."""
        self._context = self._new_context(runtime_cache, own_graph=False)
        capturable = getattr(self._context, "is_stream_capturable", None)
        if capturable is not None and not capturable(self._stream.ptr):
            self._context = self._new_context(runtime_cache, own_graph=True)
        self._execute(self._stream.ptr)
        self._stream.synchronize()
        self._keep(runtime_cache)
        if capturable is not None and not capturable(self._stream.ptr):
            return
        try:
            with self._stream:
                self._graph = capture(self._stream, lambda: self._execute(self._stream.ptr))
        except RuntimeError:  # from CuPy or bgcam; kernels launched one by one are slower, but correct
            self._stream = self._cupy.cuda.Stream(non_blocking=True)
            self.description += ", without a CUDA graph"

    def _new_context(self, runtime_cache: Path | None, *, own_graph: bool) -> Any:
        """A context with working memory from CuPy, so that nothing is allocated while frames are processed.

        own_graph: TensorRT-RTX captures the graph itself, for engines that cannot be captured otherwise.
        """
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(self._api.ExecutionContextAllocationStrategy.USER_MANAGED)
        if hasattr(config, "cuda_graph_strategy"):
            strategies = self._api.CudaGraphStrategy
            config.cuda_graph_strategy = strategies.WHOLE_GRAPH_CAPTURE if own_graph else strategies.DISABLED
            self._cache = config.create_runtime_cache()
            # TensorRT-RTX checks whether the file matches this GPU, driver and version; if not, the cache stays empty.
            kernels = _kept(runtime_cache)
            if kernels is not None:
                self._cache.deserialize(kernels)
            config.set_runtime_cache(self._cache)
        context = self._engine.create_execution_context(config)
        if context is None:
            raise BackendError(f"{self._api.__name__} cannot run the engine on this GPU ({self._why()})")
        size = max(int(self._engine.device_memory_size_v2), 1)
        self._memory = self._cupy.cuda.alloc(size)
        context.set_device_memory(self._memory.ptr, size)
        for name, tensor in self._tensors.items():
            if not context.set_tensor_address(name, tensor.data.ptr):
                raise BackendError(f"{self._api.__name__} refuses the buffer of {name} ({self._why()})")
        return context

    def _execute(self, stream: int) -> None:
        if not self._context.execute_async_v3(stream):
            raise BackendError(f"{self._api.__name__} failed on a frame ({self._why()})")

    def _keep(self, path: Path | None) -> None:
        """Write TensorRT-RTX's compiled kernels for the next start; a start without them is only slower."""
        if path is None or not hasattr(self, "_cache"):
            return
        try:
            private_folder(FOLDER)
            keep_blob(path, path.name, bytes(self._cache.serialize()))
        except (CacheRefused, OSError):
            return

    def _why(self) -> str:
        said = self._log.said
        return " ".join(said[0].split())[:300] if said else "it gives no reason"
