"""Networks whose input and output stay on the GPU, for frames that are processed there entirely."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bgcam.realtime.errors import BackendError, UsageError
from bgcam.realtime.model.spec import ModelSpec

# Tried in this order by "auto"; "module:function", imported on demand.
DEVICE_NETWORKS = {
    "tensorrt": "bgcam.realtime.model.backends._engine_open:open_tensorrt",
    "tensorrt-rtx": "bgcam.realtime.model.backends._engine_open:open_tensorrt_rtx",
    "torch": "bgcam.realtime.model.backends._torch_device:open_network",
}
PRECISIONS = ("auto", "fp16", "bf16", "fp32", "int8")


class DeviceNetwork(Protocol):
    """One loaded model at one input size, on the current GPU.

    input: (1, 3, h, w), C-contiguous NCHW, float16 or float32, normalised as the model's spec says; the caller fills
    it.
    output: (1, 1, h, w) alpha in [0, 1], C-contiguous, float16 or float32.
    description: what it actually runs on, as text for the user.

    Both arrays have `__cuda_array_interface__`, and keep their addresses for as long as this object lives.
    """

    input: Any
    output: Any
    description: str

    def enqueue(self, stream: int) -> None:
        """Launches the network on this `cudaStream_t` and returns at once; `output` is ready when the stream gets
        there.

        After one call outside a capture, a call may be captured in a CUDA graph, on the same stream and thread. Raises
        BackendError.
        """


def open_device_network(
    path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, backend: str = "auto", precision: str = "auto"
) -> DeviceNetwork:
    """Load a model onto the GPU.

    backend: a key of DEVICE_NETWORKS, or "auto" for the first that works; an explicit name never falls back.
    precision: one of PRECISIONS; "auto" is the backend's fastest that preserves the matte.

    Raises UsageError for an unknown name, BackendError if none can be loaded (one line with the reason for each).
    """
    for kind, value, known in (("backend", backend, ("auto", *DEVICE_NETWORKS)), ("precision", precision, PRECISIONS)):
        if value not in known:
            raise UsageError(f"unknown GPU {kind} {value!r}; choose one of: {', '.join(known)}")
    if backend != "auto":
        return _opener(backend)(path, spec, size_wh, precision=precision)
    reasons = []
    for name in DEVICE_NETWORKS:
        try:
            return _opener(name)(path, spec, size_wh, precision=precision)
        except BackendError as error:
            reasons.append(f"{name}: {error}")
    raise BackendError("nothing can run the model on a GPU: " + "; ".join(reasons))


def _opener(name: str) -> Callable[..., DeviceNetwork]:
    module, _, attribute = DEVICE_NETWORKS[name].partition(":")
    found: Callable[..., DeviceNetwork] = getattr(importlib.import_module(module), attribute)
    return found
