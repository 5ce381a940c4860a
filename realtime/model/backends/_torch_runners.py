"""The torch backend's two ways to run: on the CPU, and on an NVIDIA GPU, to and from which pictures are copied."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgcam.realtime.model.backends._torch_graph import GraphNetwork
from bgcam.realtime.model.onnx_graph import at_size, load_onnx, without_quantizers
from bgcam.realtime.model.spec import ModelSpec


class Normalise:
    """(h, w, 3) uint8 in the spec's channel order -> (1, 3, h, w) float32: (x / 255 - mean) / std."""

    def __init__(self, spec: ModelSpec, device: torch.device):
        std = torch.tensor(spec.std, device=device).view(1, 3, 1, 1)
        self._scale = 1 / (255 * std)
        self._shift = -torch.tensor(spec.mean, device=device).view(1, 3, 1, 1) / std

    def __call__(self, picture: Tensor) -> Tensor:
        return picture.permute(2, 0, 1)[None] * self._scale + self._shift


class CpuRunner:
    """In FP32 on the CPU. threads: of the whole process, as in PyTorch; 0 leaves them unchanged."""

    description = "PyTorch CPU, fp32"
    network = None

    def __init__(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0):
        if threads:
            torch.set_num_threads(threads)
        model = without_quantizers(at_size(load_onnx(path), size_wh))
        device = torch.device("cpu")
        self._network = GraphNetwork(model, dtype=torch.float32, device=device, fused=False)
        self._normalise = Normalise(spec, device)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w, 3) in the spec's channel order -> alpha (h, w)."""
        with torch.inference_mode():
            alpha: NDArray[np.float32] = self._network(self._normalise(torch.from_numpy(picture)))[0, 0].numpy()
        return alpha


class GpuRunner:
    """In FP16 on the current GPU; threads take turns."""

    def __init__(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0):
        from bgcam.realtime.model.backends._torch_device import open_network

        self.network = open_network(path, spec, size_wh)
        self.description = self.network.description
        device = self.network.input.device
        self._normalise = Normalise(spec, device)
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `CpuRunner`."""
        with self._lock, torch.inference_mode(), torch.cuda.stream(self._stream):
            network = self.network
            network.input.copy_(self._normalise(torch.from_numpy(picture).to(network.input.device)))
            network.enqueue(self._stream.cuda_stream)
            alpha: NDArray[np.float32] = network.output[0, 0].float().cpu().numpy()
        return alpha
