"""ONNX Runtime on the CPU: runs on every machine that Python runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError
from bgcam.realtime.spec import ModelSpec

PACKAGE_MISSING = 'the package onnxruntime is not installed; run: pip install "bgcam[onnxruntime]"'
ERRORS_ONLY = 3


class ONNXRuntimeBackend:
    """See `Backend`. `infer` may be called from several threads: a session has no state."""

    name = "onnxruntime"

    def __init__(self, path: Path, spec: ModelSpec, size_wh: tuple[int, int], *, threads: int = 0):
        try:
            import onnxruntime as ort
        except ImportError:
            raise BackendError(PACKAGE_MISSING) from None
        self._size_wh = size_wh
        self._flip = spec.channels == "RGB"
        # (x / 255 - mean) / std as one multiplication and one addition.
        self._scale = (1 / (255 * np.array(spec.std, np.float32))).astype(np.float32)
        self._shift = (-np.array(spec.mean, np.float32) / np.array(spec.std, np.float32)).astype(np.float32)
        try:
            self._session = _fixed_session(ort, path, size_wh, threads)
        except Exception as error:  # its errors share no base class but Exception
            reason = str(error).splitlines()[0]
            raise BackendError(f"onnxruntime cannot load {path} at {size_wh[0]}x{size_wh[1]} ({reason})") from error
        self._input = self._session.get_inputs()[0].name
        self.description = f"ONNX Runtime CPU, {spec.precision}"

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.infer`."""
        width, height = self._size_wh
        if bgr.shape != (height, width, 3) or bgr.dtype != np.uint8:
            raise ValueError(f"expected ({height}, {width}, 3) uint8, found {bgr.shape} {bgr.dtype}")
        ordered = bgr[..., ::-1] if self._flip else bgr
        picture = np.ascontiguousarray((ordered * self._scale + self._shift).transpose(2, 0, 1)[None])
        try:
            output = self._session.run(None, {self._input: picture})[0]
        except Exception as error:  # as above
            raise BackendError(f"onnxruntime failed on a frame ({str(error).splitlines()[0]})") from error
        alpha: NDArray[np.float32] = output.reshape(height, width)
        return alpha


def _fixed_session(ort: Any, path: Path, size_wh: tuple[int, int], threads: int) -> Any:
    """A session whose input is (1, 3, h, w): with every size known, it plans its memory once."""
    width, height = size_wh

    def options() -> Any:
        made = ort.SessionOptions()
        made.log_severity_level = ERRORS_ONLY
        made.intra_op_num_threads = threads
        made.inter_op_num_threads = 1
        return made

    # The names of the free dimensions are known only once the file is read, so it is first read without optimisation.
    plain = options()
    plain.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    shape = ort.InferenceSession(str(path), plain, providers=["CPUExecutionProvider"]).get_inputs()[0].shape
    fixed = options()
    for dimension, size in zip(shape, (1, 3, height, width), strict=True):
        if isinstance(dimension, str):
            fixed.add_free_dimension_override_by_name(dimension, size)
        elif dimension is not None and dimension != size:
            raise ValueError(f"its input is {shape}")
    return ort.InferenceSession(str(path), fixed, providers=["CPUExecutionProvider"])
