"""What `benchmarks gpu` measures, as far as it goes without a GPU: NumPy stands for CuPy, launches are only counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bgcam.benchmarks import gpu_frames, gpu_parts
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends import device
from bgcam.realtime.picture.kernels.launch import Kernels
from bgcam.realtime.picture.kernels.source import ENTRIES


class FakeCupy:
    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceProperties=lambda number: {"l2CacheSize": 0}))


def test_every_kernel_is_measured_beside_an_empty_one() -> None:
    launched: list[tuple[str, Any]] = []
    kernels = Kernels(lambda name, arguments, **options: launched.append((name, options["blocks"])))
    held = gpu_parts._Buffers(FakeCupy(), (640, 360))
    names = []
    for name, carried, launches in gpu_parts._cases(kernels, held):
        assert carried > 0
        assert len(launches) >= 4
        launches[0]()
        names.append(name)
    assert len(set(names)) == len(names)
    half = {name for name in ENTRIES if not name.startswith("resize_linear") and not name.endswith("f32")}
    assert {name for name, _ in launched} == half

    empty: list[Any] = []
    cupy = SimpleNamespace(RawKernel=lambda code, name: lambda blocks, threads, arguments: empty.append(blocks))
    for _, _, launches in gpu_parts._cases(gpu_parts._empty_kernels(cupy), held):
        launches[0]()
    assert empty == [blocks for _, blocks in launched]


def test_a_backend_that_cannot_run_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: Any, spec: Any, size_wh: Any, *, backend: str, precision: str) -> Any:
        if backend != "torch":
            raise BackendError(f"{backend} is not installed")
        if precision == "int8":
            raise BackendError("no int8")
        return SimpleNamespace(description=f"torch in {precision}")

    monkeypatch.setattr(device, "open_device_network", opened)
    monkeypatch.setattr(gpu_parts, "_inference", lambda cupy, network, seconds: {"median_ms": 1})
    rows = list(gpu_parts.mattes(None, 0.1))
    models = {row["model"] for row in rows}
    one = [row for row in rows if row["model"] == min(models)]
    assert [row["asked"] for row in one] == [
        *(f"{name} auto, fp16, bf16, fp32, int8" for name in ("tensorrt", "tensorrt-rtx")),
        *(f"torch {precision}" for precision in ("auto", "fp16", "bf16", "fp32", "int8")),
    ]
    assert [row.get("error", "") for row in one][-1] == "BackendError: no int8"


def test_accuracy_tells_three_errors_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that takes the CPU's own INT8 matte: nothing of it differs from that, and a little from FP32."""
    from bgcam.realtime.gpu import frame_ring
    from bgcam.realtime.model.backends.onnxruntime import ONNXRuntimeBackend
    from bgcam.realtime.model.matting import resize
    from bgcam.realtime.picture.composite import composite_reference

    class Path:
        def __init__(self, network: Any, spec: Any, *, frame_wh: Any, in_flight: int):
            self._size_wh = spec.best_size_wh(frame_wh)
            self._backend = ONNXRuntimeBackend(gpu_frames.find_model(), spec, self._size_wh, threads=1)

        def reset(self) -> None: ...

        def put(self, frame: Any, behind: Any) -> None:
            import cv2

            self._alpha = self._backend.infer(resize(frame, self._size_wh))
            self._made = composite_reference(frame, behind, gpu_frames._grown(cv2, self._alpha))

        def take(self) -> Any:
            return self._made

        def alpha(self) -> Any:
            return self._alpha

    def opened(path: Any, spec: Any, size_wh: Any, *, precision: str) -> Any:
        if precision == "fp32":
            raise BackendError("no fp32")
        return SimpleNamespace(description="a stand-in")

    monkeypatch.setattr(frame_ring, "DevicePath", Path)
    monkeypatch.setattr(device, "open_device_network", opened)
    *rows, refused = gpu_frames.accuracy(None, 0.1)
    assert refused["error"] == "BackendError: no fp32"
    assert [row["picture"] for row in rows] == ["portrait", "noisy portrait"]
    for row in rows:
        assert row["cpu_int8_max"] == row["cpu_int8_picture_mean"] == row["kernels_max"] == 0
        assert 0 < row["cpu_fp32_mean"] < 0.02
