"""OpenVINO on the CPU, in bf16 or int8 if the processor supports them."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.packages import missing
from bgcam.realtime.cache import prune
from bgcam.realtime.cores import cores
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends._head import Head, cut_head
from bgcam.realtime.model.backends._narrow_weights import narrow_weights
from bgcam.realtime.model.backends._openvino_cache import DEVICE, Blob, compiled_network
from bgcam.realtime.model.backends._quantizers import join_quantizers, to_float
from bgcam.realtime.model.backends.normalize import Normalize
from bgcam.realtime.model.backends.quiet import without_telemetry
from bgcam.realtime.model.backends.warming import Say, say_to_terminal
from bgcam.realtime.model.known_matte import why_wrong
from bgcam.realtime.model.spec import ModelSpec

CPUINFO = Path("/proc/cpuinfo")
# Concurrent mattes for a file, each with its share of the threads: fewer threads per matte wait less for each other.
MOST_AT_ONCE = 4


class OpenVINOBackend:
    """See `Backend`. `infer` may be called from several threads: each has its own request.

    say: called with a line if a compiled network in the cache is not used.
    """

    name = "openvino"
    # Whether an INT8 model is computed in FP32.
    in_float = False

    def __init__(
        self,
        path: Path,
        spec: ModelSpec,
        size_wh: tuple[int, int],
        *,
        threads: int = 0,
        say: Say = say_to_terminal,
    ):
        without_telemetry()
        try:
            import openvino  # noqa: F401
        except ImportError:
            raise BackendError(missing("openvino")) from None
        self._size_wh, self._normalize = size_wh, Normalize(spec)
        self.at_once = 1 if threads else min(MOST_AT_ONCE, cores())
        self._local = threading.local()
        try:
            core = _core()
            model = core.read_model(path)
            width, height = size_wh
            model.reshape([1, 3, height, width])
            quantized = join_quantizers(model) > 0
            narrow_weights(model)
            if self.in_float:
                to_float(model)
            self._head: Head | None
            model, self._head = cut_head(model) or (model, None)
            config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
            if self.in_float or (quantized and bf16_is_slow()):
                config["INFERENCE_PRECISION_HINT"] = "f32"
            if threads:
                config["INFERENCE_NUM_THREADS"] = threads
            else:
                config["NUM_STREAMS"] = self.at_once
            blob = Blob(core, path, size_wh, config, has_head=self._head is None, in_float=self.in_float, say=say)

            def why_not(compiled: Any) -> str:
                self._compiled = compiled
                try:
                    return why_wrong(self.infer, path, size_wh)
                except BackendError as error:
                    return str(error)
                finally:
                    self._local = threading.local()

            self._compiled = compiled_network(blob, lambda: core.compile_model(model, DEVICE, config), why_not)
            prune("openvino")
        except (RuntimeError, UnicodeDecodeError) as error:  # the latter: its message repeats what it read
            size = f"{size_wh[0]}x{size_wh[1]}"
            raise BackendError(f"openvino cannot load {path} at {size} ({first_line(error)})") from error
        precision = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if quantized:
            precision = f"int8 and {precision}" if runs_int8(self._compiled) else f"{precision} in place of int8"
        self.description = f"OpenVINO CPU, {precision}"

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.infer`."""
        width, height = self._size_wh
        if bgr.shape != (height, width, 3) or bgr.dtype != np.uint8:
            raise ValueError(f"expected ({height}, {width}, 3) uint8, found {bgr.shape} {bgr.dtype}")
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        try:
            planes = self._normalize(bgr)
            # Neither is copied: the input is only read, and the result is read before the request's next call.
            output = request.infer([planes], share_inputs=True, share_outputs=True)[0]
        except RuntimeError as error:
            raise BackendError(f"openvino failed on a frame ({first_line(error)})") from error
        if self._head is not None:
            return self._head(output, planes)
        if output.size != height * width:
            raise BackendError(f"openvino returned {output.size} values for a matte of {width}x{height}")
        alpha: NDArray[np.float32] = np.array(output, np.float32).reshape(height, width)
        return alpha


class OpenVINOFloatBackend(OpenVINOBackend):
    """The same in FP32, for processors whose INT8 is slower: the model's file, without the quantizers in it."""

    name = "openvino-fp32"
    in_float = True


@cache
def _core() -> Any:
    """The process's only Core, never released.

    A Core's CPU plugin gives the thread its own signal stack, and frees it when the Core is released. With two of them,
    or if another thread releases it, a freed stack stays in use: the next signal (Ctrl-C) then kills the process.
    """
    import openvino as ov

    # Its table of types is made at the first use. Two threads whose first inference comes at once would wait for each
    # other for ever: one makes the table and waits for Python's lock, the other has the lock and waits for the table.
    ov.Type.f32.to_dtype()
    return ov.Core()


def bf16_is_slow() -> bool:
    """Whether the processor has bf16 without AMX: then the few other layers of an INT8 model are faster in FP32.

    OpenVINO uses bf16 whenever it is available. On a Xeon with only avx512_bf16, a matte took 18.4 ms of processor time
    with it and 16.2 ms without. False if the system does not list the processor's instructions.
    """
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return "avx512_bf16" in flags and "amx_bf16" not in flags


def runs_int8(compiled: Any) -> bool:
    """Whether this processor computes any convolution of an `openvino.CompiledModel` in INT8."""
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) == "Convolution" and info["primitiveType"].astype(str).lower().endswith("i8"):
            return True
    return False


def first_line(error: Exception) -> str:
    """The first informative line of an error: OpenVINO's messages begin with a position in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    return (useful or lines or [type(error).__name__])[0]
