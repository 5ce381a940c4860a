"""What NVIDIA's driver is asked, with a stand-in for its library."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model import backends
from bgcam.realtime.model.backends import _gpu
from bgcam.realtime.model.backends._gpu import Gpu, gpu

FOUND = {_gpu.MAJOR: 8, _gpu.MINOR: 9}


def library(*, init: int = 0, count: int = 1, attribute: int = 0) -> Any:
    """A libcuda with one GPU; each of these is what one of its functions answers."""

    def put(place: Any, value: int) -> int:
        place._obj.value = value
        return 0

    def name(buffer: Any, size: int, device: Any) -> int:
        assert size == len(buffer)
        buffer.value = b"NVIDIA GeForce RTX 4090"
        return 0

    return SimpleNamespace(
        cuInit=lambda flags: init,
        cuDeviceGetCount=lambda place: put(place, count),
        cuDeviceGet=lambda place, ordinal: put(place, ordinal),
        cuDeviceGetName=name,
        cuDeviceGetAttribute=lambda place, which, device: attribute or put(place, FOUND[which]),
        cuDriverGetVersion=lambda place: put(place, 13010),
    )


@pytest.fixture(autouse=True)
def no_version_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_gpu, "DRIVER_VERSION_FILE", tmp_path / "version")


def test_the_gpu_is_described() -> None:
    assert gpu(library()) == Gpu("NVIDIA GeForce RTX 4090", (8, 9), "CUDA 13.1")


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Tue Aug  5 21:17:32 UTC 2025", "580.65.06"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  590.10  Release Build\nGCC version:  gcc 12.3.0",
            "590.10",
        ),
        ("nothing of the kind", "CUDA 13.1"),
    ],
)
def test_the_release_is_the_kernel_modules(text: str, release: str) -> None:
    _gpu.DRIVER_VERSION_FILE.write_text(text)
    assert gpu(library()).driver == release


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"init": 100}, "its driver finds no GPU"),
        ({"count": 0}, "its driver finds no GPU"),
        ({"attribute": 101}, "its driver answers with error 101"),
    ],
)
def test_no_gpu_is_one_line(answers: dict[str, int], reason: str) -> None:
    with pytest.raises(BackendError, match=rf"^no NVIDIA GPU can be used here \({reason}\); install NVIDIA's driver"):
        gpu(library(**answers))


def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert not _gpu.has_gpu()


@pytest.mark.parametrize(
    ("installed", "gpu", "first"),
    [
        ({"tensorrt", "tensorrt_rtx", "torch", "cupy", "onnx"}, True, ["tensorrt", "tensorrt-rtx", "torch"]),
        ({"tensorrt", "tensorrt_rtx", "torch", "cupy", "onnx"}, False, []),
        ({"tensorrt_rtx", "torch", "onnx"}, True, ["torch"]),
        ({"tensorrt", "cupy"}, True, []),
        (set(), True, []),
    ],
)
def test_auto_tries_gpus_first(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], gpu: bool, first: list[str]
) -> None:
    monkeypatch.setattr(backends, "_is_installed", lambda module: module in installed)
    monkeypatch.setattr(_gpu, "has_gpu", lambda: gpu)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert backends.auto_order() == [*first, "openvino", "onnxruntime"]


@pytest.mark.parametrize(("version", "there"), [("2.13.0+cpu", False), ("2.13.0", True), ("2.11.0+cu130", True)])
def test_a_torch_for_the_cpu_alone_does_not_count(monkeypatch: pytest.MonkeyPatch, version: str, there: bool) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    assert backends._is_installed("torch") == there
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not backends._is_installed("torch")
