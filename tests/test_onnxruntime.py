"""Which of a package's providers ONNX Runtime takes, with a stand-in for packages of other machines."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from tiny_model import SPEC, write_int8_model

from bgcam.realtime.backends import load_backend
from bgcam.realtime.spec import read_spec

SIZE = (64, 48)


def package(monkeypatch: pytest.MonkeyPatch, available: list[str], works: list[str]) -> list[tuple[list[str], bytes]]:
    """Make `import onnxruntime` give a package with these providers; the list of sessions that are asked for.

    One that does not work gives way to the CPU, as those do whose libraries are missing; "raises" raises.
    """
    asked: list[tuple[list[str], bytes]] = []

    def session(model: bytes, options: Any, providers: list[str]) -> Any:
        asked.append((providers, model))
        if "raises" in works and providers[0] != "CPUExecutionProvider":
            raise RuntimeError("no such device")
        real = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        taken = [name for name in providers if name in works] + ["CPUExecutionProvider"]
        return SimpleNamespace(run=real.run, get_inputs=real.get_inputs, get_providers=lambda: taken)

    fake = SimpleNamespace(
        get_available_providers=lambda: [*available, "CPUExecutionProvider"],
        GraphOptimizationLevel=ort.GraphOptimizationLevel,
        InferenceSession=session,
        SessionOptions=ort.SessionOptions,
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    return asked


@pytest.mark.parametrize(
    ("available", "works", "taken"),
    [
        ([], [], "CPU"),
        (["AzureExecutionProvider"], [], "CPU"),
        (["TensorrtExecutionProvider", "CUDAExecutionProvider"], ["CUDAExecutionProvider"], "CUDA"),
        (["CUDAExecutionProvider"], [], "CPU"),
        (["DmlExecutionProvider"], ["DmlExecutionProvider"], "DirectML"),
        (["DmlExecutionProvider"], ["raises"], "CPU"),
        (["OpenVINOExecutionProvider", "CoreMLExecutionProvider"], ["CoreMLExecutionProvider"], "CoreML"),
        (["OpenVINOExecutionProvider", "CUDAExecutionProvider"], ["OpenVINOExecutionProvider"], "OpenVINO"),
    ],
)
def test_it_says_what_it_took(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, available: list[str], works: list[str], taken: str
) -> None:
    package(monkeypatch, available, works)
    backend, _ = load_backend("onnxruntime", tiny_model, SPEC, SIZE, threads=1)
    assert backend.description == f"ONNX Runtime {taken}, fp32"
    assert backend.infer(np.full((48, 64, 3), 255, np.uint8)).min() > 0.99


@pytest.mark.parametrize(("works", "expected"), [(["CUDAExecutionProvider"], "CUDA, fp32"), ([], "CPU, int8")])
def test_int8_is_for_the_cpu_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: list[str], expected: str
) -> None:
    path = write_int8_model(tmp_path / "m.onnx")
    asked = package(monkeypatch, ["CUDAExecutionProvider"], works)
    backend, _ = load_backend("onnxruntime", path, read_spec(path), SIZE, threads=1)
    assert backend.description == f"ONNX Runtime {expected}"
    for providers, model in asked[1::2]:  # each is read twice, the first time for the names of its sides
        assert (b"QuantizeLinear" in model) == (providers == ["CPUExecutionProvider"])


def test_without_onnx_an_int8_model_stays_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_int8_model(tmp_path / "m.onnx")
    package(monkeypatch, ["CUDAExecutionProvider"], ["CUDAExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnx", None)
    backend, _ = load_backend("onnxruntime", path, read_spec(path), SIZE, threads=1)
    assert backend.description == "ONNX Runtime CPU, int8"
