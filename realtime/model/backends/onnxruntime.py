"""ONNX Runtime: on the CPU of any machine that runs Python, or on the accelerator that its package was built for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends import is_x86_64
from bgcam.realtime.model.backends.normalize import Normalize
from bgcam.realtime.model.backends.quiet import without_telemetry
from bgcam.realtime.model.spec import ModelSpec

ERRORS_ONLY = 3
CPU = "CPUExecutionProvider"
# Execution providers besides the CPU, in order of preference, and their display names. INT8 models are slow on these,
# or do not run, so their quantizers are removed.
ACCELERATORS = {
    "CUDAExecutionProvider": "CUDA",
    "CoreMLExecutionProvider": "CoreML",
    "DmlExecutionProvider": "DirectML",
    "OpenVINOExecutionProvider": "OpenVINO",
}
# How an INT8 model runs on an x86-64 processor: without quantizers. ONNX Runtime's INT8 takes 1.4 to 1.9 times as long
# even with VNNI and AMX, 2.6 times without, and is wrong there (`bgcam.realtime.model.saturation`).
IN_PLACE = "fp32 in place of int8"
IN_FP32 = {"session.disable_quant_qdq": "1", "session.enable_quant_qdq_cleanup": "1"}


class ONNXRuntimeBackend:
    """See `Backend`. `infer` may be called from several threads: a session has no state."""

    name = "onnxruntime"
    at_once = 1
    # Whether an INT8 model is computed in FP32, which x86-64 processors always do here.
    in_float = False

    def __init__(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0):
        without_telemetry()
        try:
            import onnxruntime as ort
        except ImportError:
            raise BackendError(missing("onnxruntime")) from None
        self._size_wh = size_wh
        self._normalize = Normalize(spec)
        try:
            self._session, precision = _best_session(
                ort, path, size_wh, threads, spec.precision, in_float=self.in_float or is_x86_64()
            )
        except Exception as error:  # its errors have no common base class except Exception
            reason = str(error).splitlines()[0]
            raise BackendError(f"onnxruntime cannot load {path} at {size_wh[0]}x{size_wh[1]} ({reason})") from error
        self._input = self._session.get_inputs()[0].name
        # The requested and the actual provider may differ: without its libraries, CUDA falls back to the CPU.
        taken = ACCELERATORS.get(self._session.get_providers()[0], "CPU")
        self.description = f"ONNX Runtime {taken}, {precision}"

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.infer`."""
        width, height = self._size_wh
        if bgr.shape != (height, width, 3) or bgr.dtype != np.uint8:
            raise ValueError(f"expected ({height}, {width}, 3) uint8, found {bgr.shape} {bgr.dtype}")
        try:
            output = self._session.run(None, {self._input: self._normalize(bgr)})[0]
        except Exception as error:  # as above
            raise BackendError(f"onnxruntime failed on a frame ({str(error).splitlines()[0]})") from error
        alpha: NDArray[np.float32] = output.reshape(height, width)
        return alpha


class ONNXRuntimeFloatBackend(ONNXRuntimeBackend):
    """The same in FP32 on every processor."""

    name = "onnxruntime-fp32"
    in_float = True


def _best_session(
    ort: Any, path: Path, size_wh: tuple[int, int], threads: int, precision: str, *, in_float: bool
) -> tuple[Any, str]:
    """A session on the first accelerator that accepts the model, or on the CPU; and its precision."""
    available = ort.get_available_providers()
    for provider in [name for name in ACCELERATORS if name in available]:
        try:
            model = _without_quantizers(path) if precision == "int8" else path.read_bytes()
            session = _fixed_session(ort, model, size_wh, threads, [provider, CPU], {})
        except Exception:  # as above; the CPU is the last resort, and its errors are reported
            continue
        if session.get_providers()[0] == provider:
            return session, IN_PLACE if precision == "int8" else precision
    in_fp32 = precision == "int8" and in_float
    session = _fixed_session(ort, path.read_bytes(), size_wh, threads, [CPU], IN_FP32 if in_fp32 else {})
    return session, IN_PLACE if in_fp32 else precision


def _without_quantizers(path: Path) -> bytes:
    """The model in floating point. Raises BackendError if the package onnx is missing."""
    from bgcam.realtime.model.onnx_graph import load_onnx, without_quantizers

    model: bytes = without_quantizers(load_onnx(path)).SerializeToString()
    return model


def _fixed_session(
    ort: Any, model: bytes, size_wh: tuple[int, int], threads: int, providers: list[str], settings: dict[str, str]
) -> Any:
    """A session with input (1, 3, h, w): with all sizes known, it plans its memory once."""
    width, height = size_wh

    def options() -> Any:
        made = ort.SessionOptions()
        made.log_severity_level = ERRORS_ONLY
        made.intra_op_num_threads = threads
        made.inter_op_num_threads = 1
        made.enable_mem_pattern = "DmlExecutionProvider" not in providers  # DirectML refuses it
        for key, value in settings.items():
            made.add_session_config_entry(key, value)
        return made

    # The names of the free dimensions are known only once the file is read, so it is first read without optimisation.
    plain = options()
    plain.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    shape = ort.InferenceSession(model, plain, providers=[CPU]).get_inputs()[0].shape
    fixed = options()
    for dimension, size in zip(shape, (1, 3, height, width), strict=True):
        if isinstance(dimension, str):
            fixed.add_free_dimension_override_by_name(dimension, size)
        elif dimension is not None and dimension != size:
            raise ValueError(f"its input is {shape}")
    return ort.InferenceSession(model, fixed, providers=providers)
