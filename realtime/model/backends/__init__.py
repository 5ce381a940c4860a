"""Inference backends, in a table of "module:Class" strings: each is imported on demand."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError, UsageError, about_setting
from bgcam.realtime.model.known_matte import why_wrong
from bgcam.realtime.model.spec import ModelSpec

if TYPE_CHECKING:
    from bgcam.realtime.model.backends.device import DeviceNetwork

BACKENDS = {
    "openvino": "bgcam.realtime.model.backends.openvino:OpenVINOBackend",
    "openvino-fp32": "bgcam.realtime.model.backends.openvino:OpenVINOFloatBackend",
    "onnxruntime": "bgcam.realtime.model.backends.onnxruntime:ONNXRuntimeBackend",
    "onnxruntime-fp32": "bgcam.realtime.model.backends.onnxruntime:ONNXRuntimeFloatBackend",
    "tensorrt": "bgcam.realtime.model.backends.tensorrt:TensorRTBackend",
    "tensorrt-rtx": "bgcam.realtime.model.backends.tensorrt_rtx:TensorRTRTXBackend",
    "torch": "bgcam.realtime.model.backends.torch:TorchBackend",
}
# The packages that each GPU backend needs, in the order in which "auto" tries them.
GPU_MODULES = {
    "tensorrt": ("tensorrt", "cupy", "onnx"),
    "tensorrt-rtx": ("tensorrt_rtx", "cupy", "onnx"),
    "torch": ("torch", "onnx"),
}


class Backend(Protocol):
    """One loaded model at one input size.

    Constructor: `(path, spec, size_wh, *, threads)`; raises BackendError if its package is missing (with the exact
    pip command) or the model cannot be loaded. threads: for one call; 0 shares the machine's among `at_once` calls.

    name: its key in the table.
    description: what it actually runs on, as text for the user ("OpenVINO CPU, int8").
    at_once: the number of concurrent calls that uses the machine best.
    """

    name: str
    at_once: int

    @property
    def description(self) -> str: ...

    def __init__(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0): ...

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Alpha (h, w) float32 in [0, 1] for a (h, w, 3) uint8 BGR picture of exactly the input size."""


@runtime_checkable
class Slow(Protocol):
    """A backend that is prepared in the background."""

    def make_optional(self) -> None:
        """If it fails, another backend takes its place."""


@runtime_checkable
class OnGpu(Protocol):
    """A backend whose network runs on a GPU, where whole frames can go through it (`gpu/`)."""

    @property
    def device_network(self) -> DeviceNetwork | None:
        """The network; None while it is being prepared, or if it runs on the processor after all."""


def load_backend(
    name: str, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0, first: str = ""
) -> tuple[Backend, list[str]]:
    """Load the model at one input size: the backend, and why others were skipped (one line each).

    name: a key of BACKENDS, or "auto" for the first that works on this machine. An explicit name never falls back.
    threads: 0 leaves it to the backend. first: what "auto" tries before all others; "" for nothing of the kind.
    Raises UsageError for an unknown name, BackendError if none can be loaded.
    """
    if name == "auto" and path.suffix == ".engine":
        name = _engines_backend(path)
    if name != "auto":
        return _open(name, path, spec, size_wh, threads=threads), []
    order = auto_order()
    if first:
        order = [first, *(one for one in order if one != first)]
    backend, passed_over = load_first(order, path, spec, size_wh, threads=threads)
    if isinstance(backend, Slow):
        backend.make_optional()
    return backend, passed_over


def load_first(
    names: list[str], path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0
) -> tuple[Backend, list[str]]:
    """The first of these that can be loaded, and why earlier ones could not. Raises BackendError if none can."""
    passed_over: list[str] = []
    for candidate in names:
        try:
            return _open(candidate, path, spec, size_wh, threads=threads), passed_over
        except BackendError as error:
            passed_over.append(f"{candidate}: {error}")
    raise BackendError("no backend can run the model: " + "; ".join(passed_over))


def _open(name: str, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int) -> Backend:
    """The backend, if its matte of a known picture is correct. Raises BackendError."""
    backend = _backend_class(name)(path, spec, size_wh, threads=threads)
    wrong = why_wrong(backend.infer, path, size_wh)
    if wrong:
        raise BackendError(
            f"{backend.description}: {wrong}; update its package and drivers, or choose another --backend"
        )
    return backend


@about_setting("backend")
def check_backend_name(name: str) -> None:
    """Raise UsageError, with the known names, unless `load_backend` knows this one."""
    if name != "auto" and name not in BACKENDS:
        raise UsageError(f"unknown backend {name!r}; choose one of: auto, {', '.join(BACKENDS)}")


def auto_order() -> list[str]:
    """What "auto" tries, in order: GPU backends first, if there is a GPU and they are installed."""
    installed = [name for name, modules in GPU_MODULES.items() if all(map(_is_installed, modules))]
    if installed:
        from bgcam.realtime.model.backends._gpu import has_gpu

        installed = installed if has_gpu() else []
    return installed + cpu_order()


def cpu_order() -> list[str]:
    """OpenVINO is the fastest on x86-64, ONNX Runtime elsewhere. One that is not installed is left out, unless none is:
    the light wheel comes without OpenVINO, and nobody wants to read that at every start.
    """
    order = ["openvino", "onnxruntime"] if is_x86_64() else ["onnxruntime", "openvino"]
    return [name for name in order if _is_installed(name)] or order


def cpu_candidates() -> list[str]:
    """What may be the fastest for an INT8 model on this processor, and is installed: what "auto" takes comes first.

    On x86-64 ONNX Runtime computes it in FP32 in any case.
    """
    modules = {"openvino": "openvino", "openvino-fp32": "openvino", "onnxruntime": "onnxruntime"}
    if not is_x86_64():
        modules = {"onnxruntime": "onnxruntime", "onnxruntime-fp32": "onnxruntime", **modules}
    return [name for name, module in modules.items() if _is_installed(module)]


def is_x86_64() -> bool:
    """Whether the processor is x86-64."""
    return platform.machine().lower() in ("x86_64", "amd64")


def _backend_class(name: str) -> type[Backend]:
    check_backend_name(name)
    module, _, attribute = BACKENDS[name].partition(":")
    found: type[Backend] = getattr(importlib.import_module(module), attribute)
    return found


def _engines_backend(path: Path) -> str:
    """The backend that an engine file was built for."""
    from bgcam.realtime.model.engine_file import EngineRefused, read_engine

    try:
        return read_engine(path)[0].api
    except (EngineRefused, OSError) as error:
        raise BackendError(f"{path} cannot be used: {error}; build it again with `python -m bgcam.export`") from None


def _is_installed(module: str) -> bool:
    """Whether a package is installed, without importing it; a torch without CUDA does not count."""
    if importlib.util.find_spec(module) is None:
        return False
    return module != "torch" or "+cpu" not in importlib.metadata.version("torch")
