"""Which of a package's providers ONNX Runtime takes, with a stand-in for packages of other machines."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from tiny_model import SPEC, write_int8_model

from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.spec import read_spec

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


@pytest.mark.parametrize(
    ("works", "machine", "expected"),
    [
        (["CUDAExecutionProvider"], "x86_64", "CUDA, fp32 in place of int8"),
        ([], "x86_64", "CPU, fp32 in place of int8"),
        ([], "AMD64", "CPU, fp32 in place of int8"),
        ([], "arm64", "CPU, int8"),
    ],
)
def test_int8_is_for_the_cpu_alone_and_not_on_x86(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: list[str], machine: str, expected: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
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
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    backend, _ = load_backend("onnxruntime", path, read_spec(path), SIZE, threads=1)
    assert backend.description == "ONNX Runtime CPU, int8"


def test_in_place_of_int8_no_integers_are_multiplied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    given: list[Any] = []
    real = ort.InferenceSession

    def session(model: bytes, options: Any, providers: list[str]) -> Any:
        options.optimized_model_filepath = str(tmp_path / f"{len(given)}.onnx")
        given.append(options)
        return real(model, options, providers=providers)

    monkeypatch.setattr(ort, "InferenceSession", session)
    path = write_fused_model(tmp_path / "m.onnx")
    load_backend("onnxruntime", path, read_spec(path), SIZE, threads=1)
    kinds = {node.op_type for node in onnx.load(tmp_path / f"{len(given) - 1}.onnx").graph.node}
    assert "Conv" in kinds
    assert "QLinearConv" not in kinds


def write_fused_model(path: Path) -> Path:
    """The tiny INT8 model with a last convolution that is quantised at both ends, which ONNX Runtime runs in INT8."""
    model = onnx.load(write_int8_model(path))
    end = next(node for node in model.graph.node if node.op_type == "Sigmoid")
    scale = [name for node in model.graph.node if node.op_type == "QuantizeLinear" for name in node.input[1:]][-2:]
    model.graph.node.remove(end)
    model.graph.node.extend(
        [
            helper.make_node("QuantizeLinear", [end.input[0], *scale], ["d_q"]),
            helper.make_node("DequantizeLinear", ["d_q", *scale], ["d_dq"]),
            helper.make_node("Sigmoid", ["d_dq"], end.output),
        ]
    )
    onnx.save(model, path)
    return path
