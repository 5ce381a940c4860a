"""Engines are built once for what they depend on, never loaded blindly, and their precision is measured once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_gpu
import fake_tensorrt
import fake_tensorrt_rtx
import numpy as np
import onnx
import pytest
from tensorrt_setup import GPU_HERE, SIZE, apis, opened, opener
from tiny_model import SPEC, write_int8_model

from bgcam.realtime.cache import cache_folder
from bgcam.realtime.model.backends import _engine_choice
from bgcam.realtime.model.backends._engine_choice import Measured, fastest
from bgcam.realtime.model.backends._engine_run import EngineNetwork
from bgcam.realtime.model.backends.tensorrt import TensorRTBackend

pytestmark = pytest.mark.usefixtures("empty_cache")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_int8_model(tmp_path / "small.onnx")


@apis
@pytest.mark.parametrize(
    "change",
    [
        {"device": replace(GPU_HERE, driver="590.10")},
        {"device": replace(GPU_HERE, name="NVIDIA GeForce RTX 3060", compute_capability=(8, 6))},
        {"version": "99.0"},
        {"precision": "int8"},
        {"model": True},
    ],
    ids=["driver", "device", "version", "precision", "model"],
)
def test_whatever_changes_builds_again(
    name: str, module: Callable[..., Any], backend: type[TensorRTBackend], model: Path, change: dict[str, Any]
) -> None:
    opened(name, module(), model)
    change = dict(change)
    api = module(version=change.pop("version")) if "version" in change else module()
    if change.pop("model", False):
        changed = onnx.load(model)
        changed.graph.initializer[0].raw_data = changed.graph.initializer[0].raw_data[::-1]
        model.write_bytes(changed.SerializeToString())
    opened(name, api, model, **change)
    assert api.Builder.builds == 1
    opened(name, api, model, **change)
    assert api.Builder.builds == 1


@apis
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-7], "it is truncated"),
        (lambda data: data[:-1] + b"!", "it is damaged: its checksum does not match"),
        (lambda data: b"x", "it is not a bgcam engine file"),
    ],
)
def test_a_damaged_engine_in_the_cache_is_never_loaded(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path, damage: Any, reason: str
) -> None:
    opened(name, module(), model)
    (engine,) = cache_folder("engines").glob("*.engine")
    whole = engine.read_bytes()
    engine.write_bytes(damage(whole))
    api = module()
    _, said = opened(name, api, model)
    assert api.Builder.builds == 1
    assert len(said) == 1
    assert said[0].startswith(f"rebuilding the engine in the cache: {reason}")
    assert engine.read_bytes() == whole


@apis
def test_an_engine_that_does_not_load_is_built_again(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(name, module(), model)
    api = module()
    load, calls = api.Runtime.deserialize_cuda_engine, []

    def once(self: Any, engine: bytes) -> Any:
        calls.append(engine)
        return load(self, engine if len(calls) > 1 else b"foreign")

    monkeypatch.setattr(api.Runtime, "deserialize_cuda_engine", once)
    _, said = opened(name, api, model)
    assert api.Builder.builds == 1
    assert said == [
        f"rebuilding the engine in the cache: {api.__name__} cannot load the engine (magic tag does not match)"
    ]


def test_a_cache_that_cannot_be_written_is_said(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    network, said = opened("tensorrt", fake_tensorrt.tensorrt(), model)
    assert network.output.shape == (1, 1, 48, 64)
    assert said[-1].startswith("the engine cannot be cached for the next start (")


def test_compiled_kernels_are_kept_for_the_next_start(model: Path) -> None:
    api = fake_tensorrt_rtx.tensorrt_rtx()
    fake_tensorrt_rtx.RuntimeCache.read = b""
    opened("tensorrt-rtx", api, model)
    (kept,) = cache_folder("engines").glob("*.kernels")
    assert kept.read_bytes().endswith(b"kernels")
    assert fake_tensorrt_rtx.RuntimeCache.read == b""
    opened("tensorrt-rtx", api, model)
    assert fake_tensorrt_rtx.RuntimeCache.read == b"kernels"


@pytest.mark.parametrize("place", [0, 20, -1])
def test_compiled_kernels_that_changed_are_not_used(model: Path, place: int) -> None:
    api = fake_tensorrt_rtx.tensorrt_rtx()
    opened("tensorrt-rtx", api, model)
    (kept,) = cache_folder("engines").glob("*.kernels")
    data = bytearray(kept.read_bytes())
    data[place] ^= 1
    kept.write_bytes(data)
    fake_tensorrt_rtx.RuntimeCache.read = b""
    opened("tensorrt-rtx", api, model)
    assert fake_tensorrt_rtx.RuntimeCache.read == b""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows knows no such modes")
def test_an_engine_that_others_may_write_or_that_is_a_link_is_built_again(model: Path, tmp_path: Path) -> None:
    api = fake_tensorrt.tensorrt()
    opened("tensorrt", api, model)
    (kept,) = cache_folder("engines").glob("*.engine")
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    kept.chmod(0o666)
    _, said = opened("tensorrt", api, model)
    assert said == ["rebuilding the engine in the cache: other users may write to it"]
    kept.rename(tmp_path / "away")
    kept.symlink_to(tmp_path / "away")
    _, said = opened("tensorrt", api, model)
    assert said == ["rebuilding the engine in the cache: it is a link"]
    assert (opened("tensorrt", api, model)[1], api.Builder.builds) == ([], 3)


def test_the_fastest_within_the_limit_is_chosen() -> None:
    measured = {"fp16": Measured(0.5, 0.001), "int8": Measured(0.4, 0.005), "fp4": Measured(0.1, 0.0051)}
    assert fastest(measured) == "int8"
    assert fastest(measured, limit=0.002) == "fp16"
    assert fastest(measured, limit=0.0001) == "fp16"
    assert fastest({"fp16": Measured(0.5, float("nan")), "int8": Measured(0.6, 0.0)}) == "int8"


@pytest.mark.parametrize(("slower", "chosen"), [("fp16", "int8"), ("int8", "fp16")])
def test_auto_measures_once(model: Path, monkeypatch: pytest.MonkeyPatch, slower: str, chosen: str) -> None:
    def speed(network: EngineNetwork, cupy: Any) -> float:
        return 2.0 if network.description.endswith(slower) else 1.0

    monkeypatch.setattr(_engine_choice, "latency_ms", speed)
    monkeypatch.setattr(_engine_choice, "LIMIT", 1.0)
    api = fake_tensorrt.tensorrt()
    monkeypatch.setattr(_engine_choice, "fastest", lambda found: fastest(found, limit=1.0))
    network, said = opened("tensorrt", api, model, precision="auto")
    assert network.description.endswith(f", {chosen}")
    assert api.Builder.builds == 3
    assert f"tensorrt runs in {chosen} here (fp16 " in said[0]
    network, said = opened("tensorrt", api, model, precision="auto")
    assert (network.description[-4:], said, api.Builder.builds) == (chosen, [], 3)
    (kept,) = cache_folder("engines").glob("*.json")
    kept.write_text("{")
    opened("tensorrt", api, model, precision="auto")
    assert '"precision"' in kept.read_text()


def test_a_model_without_quantizers_runs_in_fp16(tiny_model: Path) -> None:
    api = fake_tensorrt.tensorrt()
    network, _ = opened("tensorrt", api, tiny_model, precision="auto")
    assert (network.description, api.Builder.builds) == ("TensorRT NVIDIA GeForce RTX 4090, fp16", 1)


def test_what_is_damaged_is_built_in_the_background(model: Path) -> None:
    api = fake_tensorrt_rtx.tensorrt_rtx()
    found = opener("tensorrt-rtx", api)
    assert not found.is_ready(model, SPEC, SIZE)
    found.open(model, SPEC, SIZE, say=lambda line: None)
    assert found.is_ready(model, SPEC, SIZE)
    assert not opener("tensorrt-rtx", api, replace(GPU_HERE, driver="590.10")).is_ready(model, SPEC, SIZE)
    for kept in cache_folder("engines").glob("*.engine"):
        kept.write_bytes(b"x")
    assert not found.is_ready(model, SPEC, SIZE)


def test_alpha_comes_back_from_networks_whose_arrays_are_anothers() -> None:
    """Torch's, say: what is known of them is where they lie."""

    class Foreign:
        dtype = "torch.float16"

        def __init__(self, planes: int):
            self.memory = np.zeros((1, planes, 4, 6), np.float16)
            self.__array_interface__ = self.memory.__array_interface__

    class Network:
        input, output = Foreign(3), Foreign(1)

        def enqueue(self, stream: int) -> None:
            self.output.memory[:, 0] = self.input.memory[:, 1] / 2

    given = np.random.default_rng(0).uniform(0, 1, (1, 3, 4, 6)).astype(np.float32)
    alpha = _engine_choice.alpha_of(Network(), given, fake_gpu.cupy)
    np.testing.assert_allclose(alpha, given[:, 1:2] / 2, atol=1e-3)
    assert alpha.dtype == np.float32
