"""TensorRT-RTX: TensorRT for NVIDIA's RTX GPUs (Turing to Blackwell), from PyPI, which builds engines in seconds."""

from __future__ import annotations

from bgcam.realtime.model.backends.tensorrt import TensorRTBackend


class TensorRTRTXBackend(TensorRTBackend):
    """See `TensorRTBackend`."""

    name = "tensorrt-rtx"
