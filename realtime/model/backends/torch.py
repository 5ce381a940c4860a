"""PyTorch: on an NVIDIA GPU in FP16 as one CUDA graph, otherwise on the CPU in FP32. It runs the ONNX file itself.

It is for GPUs that TensorRT does not support, and the reference that TensorRT is measured against. INT8 models run in
floating point, with their quantised weights but without quantised activations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.spec import ModelSpec


class TorchBackend:
    """See `Backend`. `infer` may be called from several threads; on a GPU they take turns."""

    name = "torch"
    at_once = 1

    def __init__(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0):
        try:
            import torch
        except ImportError:
            raise BackendError(missing("torch", extras="torch")) from None
        from bgcam.realtime.model.backends import _torch_runners as runners

        self._size_wh = size_wh
        self._flip = spec.channels == "RGB"
        runner = runners.GpuRunner if torch.cuda.is_available() else runners.CpuRunner
        self._run = runner(path, spec, size_wh, threads=threads)
        self.description = self._run.description
        self.device_network = self._run.network

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.infer`."""
        width, height = self._size_wh
        if bgr.shape != (height, width, 3) or bgr.dtype != np.uint8:
            raise ValueError(f"expected ({height}, {width}, 3) uint8, found {bgr.shape} {bgr.dtype}")
        try:
            return self._run(np.ascontiguousarray(bgr[..., ::-1] if self._flip else bgr))
        except RuntimeError as error:
            raise BackendError(f"torch failed on a frame ({str(error).splitlines()[0]})") from error
