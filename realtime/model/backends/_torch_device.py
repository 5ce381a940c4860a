"""PyTorch on an NVIDIA GPU with input and output that stay there: `DeviceNetwork`'s torch part."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bgcam.packages import install_command
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends._torch_graph import GraphNetwork
from bgcam.realtime.model.onnx_graph import at_size, load_onnx, without_quantizers
from bgcam.realtime.model.spec import ModelSpec

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
NO_GPU = "torch finds no NVIDIA GPU it can use ({}); check nvidia-smi, and that torch is a CUDA build: {}"
CUDA_INDEX = "--index-url=https://download.pytorch.org/whl/cu130"


def open_network(path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, precision: str = "auto") -> TorchDevice:
    """The model on the current GPU. precision: "auto" is fp16; "int8" is not supported. Raises BackendError."""
    dtype = DTYPES.get("fp16" if precision == "auto" else precision)
    if dtype is None:
        raise BackendError(f"torch does not run in {precision}; choose one of: auto, {', '.join(DTYPES)}")
    if not torch.cuda.is_available():
        raise BackendError(NO_GPU.format(f"torch {torch.__version__}", install_command("torch", CUDA_INDEX)))
    model = without_quantizers(at_size(load_onnx(path), size_wh))
    try:
        return TorchDevice(model, size_wh, dtype=dtype)
    except RuntimeError as error:
        raise BackendError(f"torch cannot run {path} on the GPU ({str(error).splitlines()[0]})") from error


class TorchDevice:
    """See `DeviceNetwork`. Outside a capture, a call replays a CUDA graph of its own; inside one, it launches kernels.

    model: from `onnx_graph.at_size`, without quantizers.
    fused: None tries cuDNN's fused kernels first.
    input, output: float16 for float16, and float32 for the others, because `__cuda_array_interface__` has no bfloat16.
    """

    def __init__(self, model: Any, size_wh: tuple[int, int], *, dtype: torch.dtype, fused: bool | None = None):
        width, height = size_wh
        self._device = torch.device("cuda", torch.cuda.current_device())
        self._dtype = dtype
        outside = torch.float16 if dtype == torch.float16 else torch.float32
        # Intermediate results live in a private pool, so their addresses stay valid for captured graphs.
        self._pool = torch.cuda.MemPool()
        self._lock = threading.Lock()
        self._warm: set[tuple[int, int]] = set()
        with torch.cuda.device(self._device):
            # Created outside inference mode, so that other code may write into them.
            self.input = torch.zeros(1, 3, height, width, dtype=outside, device=self._device)
            self.output = torch.zeros(1, 1, height, width, dtype=outside, device=self._device)
            with torch.inference_mode():
                self._network, how = self._first_that_runs(model, (True, False) if fused is None else (fused,))
                self._graph = self._captured()
        kind = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float32: "fp32"}[dtype]
        self.description = f"PyTorch {torch.cuda.get_device_name(self._device)}, {kind}{how}"

    def enqueue(self, stream: int) -> None:
        """See `DeviceNetwork.enqueue`."""
        key = (threading.get_ident(), stream)
        with self._lock, self._on(stream):
            if torch.cuda.is_current_stream_capturing():
                self._compute()
            elif key not in self._warm:
                # The pool's blocks belong to a stream and cuDNN's choices to a thread: this makes both ready.
                self._compute()
                self._warm.add(key)
            else:
                self._graph.replay()

    @contextmanager
    def _on(self, stream: int) -> Iterator[None]:
        """Selects this device and stream; 0 is the default stream."""
        with torch.cuda.device(self._device), torch.inference_mode():
            chosen = (
                torch.cuda.ExternalStream(stream, device=self._device)  # type: ignore[no-untyped-call]
                if stream
                else torch.cuda.default_stream(self._device)
            )
            with torch.cuda.stream(chosen):
                yield

    def _compute(self) -> None:
        """`_forward`, with intermediate results in this network's own pool."""
        with torch.cuda.use_mem_pool(self._pool, device=self._device), self._settings():
            self._forward()

    def _first_that_runs(self, model: Any, choices: tuple[bool, ...]) -> tuple[GraphNetwork, str]:
        """The network, with cuDNN's fused kernels if this GPU and cuDNN have them, and a description of the choice."""
        for fused in choices:
            network = GraphNetwork(model, dtype=self._dtype, device=self._device, fused=fused)
            try:
                # Outside the pool, since cuDNN's trials temporarily take much memory.
                with self._settings():
                    network(self.input.to(self._dtype))
                torch.cuda.synchronize(self._device)
            except RuntimeError:
                if fused is choices[-1]:
                    raise
                continue
            return network, ", fused" if fused else ""
        raise ValueError("no choices")

    def _captured(self) -> torch.cuda.CUDAGraph:
        """The network as a CUDA graph with a pool of its own."""
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self._device))
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(side):
            self._compute()
        side.synchronize()
        with self._settings(), torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            self._forward()
        side.synchronize()
        return graph

    def _forward(self) -> None:
        """Launch every kernel of the network on the current stream."""
        alpha: Tensor = self._network(self.input.to(self._dtype))
        self.output.copy_(alpha)

    def _settings(self) -> AbstractContextManager[Any]:
        """cuDNN measures what is fastest, and rounds to TF32 unless FP32 was asked for."""
        exact = self._dtype == torch.float32
        return torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=not exact)
