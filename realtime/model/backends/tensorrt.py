"""TensorRT: the fastest on NVIDIA GPUs. Its engine is built on first use, while another backend serves frames."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends import Backend, cpu_order, load_first
from bgcam.realtime.model.backends._engine_open import Opener
from bgcam.realtime.model.backends.device import DeviceNetwork
from bgcam.realtime.model.backends.warming import Progress, Say, WarmingBackend, say_to_terminal
from bgcam.realtime.model.engine_file import SUFFIX
from bgcam.realtime.model.known_matte import why_wrong
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.kernels.load import load_kernels


class TensorRTBackend:
    """See `Backend`. Uses a cached engine at once, otherwise a CPU backend until the engine is built.

    Raises BackendError at once if the package, CuPy or a GPU is missing. opener, fallback, say: for tests.
    """

    name = "tensorrt"
    at_once = 1

    def __init__(
        self,
        path: Path,
        spec: ModelSpec,
        size_wh: tuple[int, int],
        *,
        threads: int = 0,
        opener: Opener | None = None,
        say: Say = say_to_terminal,
    ):
        found = opener or Opener(self.name)
        self._warming: WarmingBackend | None = None

        def make(progress: Progress) -> Backend:
            with suppress(BackendError):  # compiled now, so that no frame waits for them; errors are reported later
                load_kernels()
            wrong = ""
            for _ in range(2):
                network = found.open(path, spec, size_wh, progress=progress, say=say)
                backend = EngineBackend(self.name, network, spec, size_wh, cupy=found.cupy)
                wrong = why_wrong(backend.infer, path, size_wh)
                if not wrong:
                    return backend
                if path.suffix == SUFFIX:
                    break
                say(f"rebuilding the engine: {wrong}")
                found.forget(path, spec, size_wh)
            raise BackendError(f"{self.name}: {wrong}; update its package and the GPU's driver")

        self._serving: Backend
        if found.is_ready(path, spec, size_wh):
            self._serving = make(lambda done: None)
        else:
            fallback, _ = load_first(cpu_order(), path, spec, size_wh, threads=threads)
            self._serving = self._warming = WarmingBackend(self.name, make, fallback, say=say)

    def make_optional(self) -> None:
        """Keep the fallback if the engine cannot be built; without this, the next `infer` raises."""
        if self._warming is not None:
            self._warming.optional = True

    @property
    def description(self) -> str:
        """The backend in use."""
        return self._serving.description

    @property
    def device_network(self) -> DeviceNetwork | None:
        """See `OnGpu`: None while the engine is built."""
        serving = self._serving if self._warming is None else self._warming.serving
        return serving.network if isinstance(serving, EngineBackend) else None

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.infer`."""
        return self._serving.infer(bgr)


class EngineBackend:
    """See `Backend`: pictures are copied to the GPU and mattes back; threads take turns. cupy: the package."""

    at_once = 1

    def __init__(self, name: str, network: DeviceNetwork, spec: ModelSpec, size_wh: tuple[int, int], *, cupy: Any):
        self.name, self.description = name, network.description
        self.network, self._size_wh, self._cupy = network, size_wh, cupy
        self._flip = spec.channels == "RGB"
        std = np.array(spec.std, np.float32)
        # (x / 255 - mean) / std as one multiplication and one addition.
        self._scale = cupy.asarray((1 / (255 * std)).astype(np.float32))
        self._shift = cupy.asarray((-np.array(spec.mean, np.float32) / std).astype(np.float32))
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._lock = threading.Lock()

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.infer`."""
        width, height = self._size_wh
        if bgr.shape != (height, width, 3) or bgr.dtype != np.uint8:
            raise ValueError(f"expected ({height}, {width}, 3) uint8, found {bgr.shape} {bgr.dtype}")
        with self._lock, self._stream:
            try:
                picture = self._cupy.asarray(np.ascontiguousarray(bgr[..., ::-1] if self._flip else bgr))
                self.network.input[0] = (picture * self._scale + self._shift).transpose(2, 0, 1)
                self.network.enqueue(self._stream.ptr)
                alpha = self._cupy.asnumpy(self.network.output, stream=self._stream)
                self._stream.synchronize()
            except RuntimeError as error:
                if isinstance(error, BackendError):
                    raise
                raise BackendError(f"{self.name} failed on a frame ({str(error).splitlines()[0]})") from error
        found: NDArray[np.float32] = alpha.reshape(height, width).astype(np.float32)
        return found
