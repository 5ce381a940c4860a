"""Engine files as models: what was built for this GPU runs, everything else is refused in one line."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_tensorrt_rtx
import numpy as np
import pytest
from tensorrt_setup import GPU_HERE, SIZE, opened, opener, picture
from tiny_model import SPEC, write_int8_model

from bgcam.realtime.errors import BackendError, ModelError
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.backends._engine_build import build_engine, typed_model
from bgcam.realtime.model.backends._engine_cache import manifest
from bgcam.realtime.model.backends.tensorrt_rtx import TensorRTRTXBackend
from bgcam.realtime.model.engine_file import write_engine
from bgcam.realtime.model.spec import read_spec

pytestmark = pytest.mark.usefixtures("empty_cache")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_int8_model(tmp_path / "small.onnx")


def engine_file(path: Path, model: Path, **changes: Any) -> Path:
    """An engine file as the exporter writes it, for SM89 and TensorRT-RTX unless told otherwise."""
    built = build_engine(fake_tensorrt_rtx.tensorrt_rtx(), typed_model(model, SIZE, "fp16"))
    identity = {"api": "tensorrt-rtx", "api_version": "1.7.1.116", "model_sha256": "", "size_wh": SIZE}
    found = manifest(built, SPEC, compute_capabilities=("SM89",), **identity, precision="fp16", gpu="", driver="")
    write_engine(path, replace(found, **changes), built.engine)
    return path


def test_an_engine_file_runs_as_a_model(model: Path, tmp_path: Path) -> None:
    path = engine_file(tmp_path / "m.engine", model)
    spec = read_spec(path)
    assert (spec.sizes_wh, spec.precision) == ((SIZE,), "fp16")
    api = fake_tensorrt_rtx.tensorrt_rtx()
    ours = TensorRTRTXBackend(path, spec, SIZE, opener=opener("tensorrt-rtx", api))
    assert ours._warming is None
    theirs, _ = load_backend("onnxruntime", model, SPEC, SIZE, threads=1)
    assert np.abs(ours.infer(picture()) - theirs.infer(picture())).mean() < 0.01
    with pytest.raises(ValueError, match=r"expected \(48, 64, 3\) uint8, found \(64, 48, 3\)"):
        ours.infer(np.zeros((64, 48, 3), np.uint8))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"api": "tensorrt"}, "it was built for another api: tensorrt, not tensorrt-rtx"),
        ({"api_version": "1.6"}, "it was built for another api version: 1.6, not 1.7.1.116"),
        ({"compute_capabilities": ("SM75", "SM120")}, r"it was built for SM75, SM120, not for NVIDIA .* 4090 \(SM89\)"),
        (
            {"compute_capabilities": ("CURRENT",), "gpu": "X", "driver": "580.65.06"},
            "it was built for X, not for NVIDIA",
        ),
        ({"engine_sha256": "0"}, "it is damaged: its checksum does not match"),
    ],
)
def test_a_foreign_engine_file_is_refused(model: Path, tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = engine_file(tmp_path / "m.engine", model, **change)
    again = r"; build it again: python -m bgcam.export MODEL --to tensorrt-rtx --output .*m\.engine$"
    with pytest.raises(BackendError, match=rf"m\.engine cannot be used: {reason}.*{again}"):
        opened("tensorrt-rtx", fake_tensorrt_rtx.tensorrt_rtx(), path, precision="auto")


def test_an_engine_for_this_very_gpu_runs(model: Path, tmp_path: Path) -> None:
    own = {"compute_capabilities": ("CURRENT",), "gpu": GPU_HERE.name, "driver": GPU_HERE.driver}
    path = engine_file(tmp_path / "m.engine", model, **own)
    opened("tensorrt-rtx", fake_tensorrt_rtx.tensorrt_rtx(), path)
    with pytest.raises(BackendError, match="it was built for another precision: fp16, not int8"):
        opened("tensorrt-rtx", fake_tensorrt_rtx.tensorrt_rtx(), path, precision="int8")


def test_auto_knows_what_an_engine_file_is_for(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    path = engine_file(tmp_path / "m.engine", model)
    with pytest.raises(BackendError, match=r"^the package tensorrt-rtx is not installed"):
        load_backend("auto", path, SPEC, SIZE)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BackendError, match=r"m\.engine cannot be used: it is truncated"):
        load_backend("auto", path, SPEC, SIZE)


def test_a_damaged_engine_file_has_no_spec(tmp_path: Path) -> None:
    (tmp_path / "m.engine").write_bytes(b"x")
    with pytest.raises(
        ModelError, match=r"m\.engine: an engine that cannot be used: it is not a bgcam engine file; bui"
    ):
        read_spec(tmp_path / "m.engine")
    with pytest.raises(ModelError, match="no such model file"):
        read_spec(tmp_path / "other.engine")
