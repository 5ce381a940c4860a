"""Builds a TensorRT engine from an ONNX model, by TensorRT or TensorRT-RTX, whose APIs have the same names.

Networks are strongly typed: the ONNX file determines the precision, so the file is converted first.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.onnx_graph import QUANTIZERS, at_size, load_onnx, without_quantizers
from bgcam.realtime.model.onnx_half import to_float16

# The module and bgcam's extra that installs it.
APIS = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
PRECISIONS = ("fp16", "int8", "fp32")
CURRENT = ("CURRENT",)
# Called with the build's progress, in [0, 1].
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Built:
    """A serialised engine. input, output: name, shape, type ("HALF" or "FLOAT")."""

    engine: bytes
    input: tuple[str, tuple[int, ...], str]
    output: tuple[str, tuple[int, ...], str]


def load_api(name: str) -> Any:
    """The package of a key of APIS. Raises BackendError with the pip command if it is missing or cannot be loaded."""
    try:
        api = importlib.import_module(APIS[name])
        api.Builder  # noqa: B018  # a package whose libraries are missing has no more than a name
    except (ImportError, AttributeError, OSError, RuntimeError):
        raise BackendError(missing(name, extras=name)) from None
    return api


def typed_model(path: Path, size_wh: tuple[int, int], precision: str) -> Any:
    """The ONNX file at one size with the types that TensorRT is to compute in; int8 keeps its quantizers, in FP16.

    Raises BackendError for an INT8 engine of a model without quantizers.
    """
    model = at_size(load_onnx(path), size_wh)
    quantized = any(node.op_type in QUANTIZERS for node in model.graph.node)
    if precision == "int8":
        if not quantized:
            raise BackendError(
                f"{path} has no quantizers, so it cannot become an int8 engine; choose fp16, or an INT8 model"
            )
        return to_float16(model)
    plain = without_quantizers(model) if quantized else model
    return to_float16(plain) if precision == "fp16" else plain


def build_engine(
    api: Any, model: Any, *, compute_capabilities: Sequence[str] = CURRENT, progress: Progress | None = None
) -> Built:
    """Build an engine of a `typed_model`. Raises BackendError with the builder's message.

    compute_capabilities: only for TensorRT-RTX, which then needs no GPU: names of its ComputeCapability.
    """
    logger = _logger(api)
    builder = api.Builder(logger)
    network = builder.create_network(1 << int(api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = api.OnnxParser(network, logger)
    if not parser.parse(model.SerializeToString()):
        said = [str(parser.get_error(place)) for place in range(parser.num_errors)]
        raise BackendError(f"{api.__name__} cannot read the model ({_line(said or logger.said)})")
    config = builder.create_builder_config()
    if hasattr(config, "num_compute_capabilities"):
        known = [name for name in dir(api.ComputeCapability) if name.startswith("SM") or name == "CURRENT"]
        for unknown in sorted(set(compute_capabilities) - set(known)):
            raise BackendError(f"{api.__name__} cannot build for {unknown}; choose from: {', '.join(known)}")
        config.num_compute_capabilities = len(compute_capabilities)
        for place, name in enumerate(compute_capabilities):
            config.set_compute_capability(getattr(api.ComputeCapability, name), place)
    if hasattr(api.BuilderFlag, "REQUIRE_USER_ALLOCATION"):
        config.set_flag(api.BuilderFlag.REQUIRE_USER_ALLOCATION)  # otherwise it cannot be captured in a CUDA graph
    monitor = _monitor(api, progress) if progress is not None else None  # the config keeps no reference to it
    if monitor is not None:
        config.progress_monitor = monitor
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise BackendError(f"{api.__name__} cannot build an engine ({_line(logger.said)})")
    return Built(bytes(engine), _end(network.get_input(0)), _end(network.get_output(0)))


def _end(tensor: Any) -> tuple[str, tuple[int, ...], str]:
    return tensor.name, tuple(tensor.shape), tensor.dtype.name


def _line(said: Sequence[str]) -> str:
    """The first message, in one line: later ones are consequences of it."""
    return " ".join(said[0].split())[:300] if said else "it gives no reason"


def _logger(api: Any) -> Any:
    """A logger that keeps errors instead of printing them: they are reported in one line."""

    class Logger(api.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            api.ILogger.__init__(self)
            self.said: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (api.ILogger.Severity.ERROR, api.ILogger.Severity.INTERNAL_ERROR):
                self.said.append(message)

    return Logger()


def _monitor(api: Any, progress: Progress) -> Any:
    """Phases are nested; a phase's step counts as a share of the step of its enclosing phase."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            api.IProgressMonitor.__init__(self)
            self._open: list[list[Any]] = []  # name, steps done, steps

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._open.append([phase_name, 0, max(num_steps, 1)])

        def step_complete(self, phase_name: str, step: int) -> bool:
            for phase in self._open:
                if phase[0] == phase_name:
                    phase[1] = step + 1
            self._tell()
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._open = [phase for phase in self._open if phase[0] != phase_name]
            if not self._open:
                progress(1.0)

        def _tell(self) -> None:
            done, share = 0.0, 1.0
            for _, at, steps in self._open:
                done += share * min(at, steps) / steps
                share /= steps
            progress(min(done, 1.0))

    return Monitor()
