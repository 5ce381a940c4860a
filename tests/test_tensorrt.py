"""TensorRT from the model to the matte, with a stand-in for its package, for CuPy and for a GPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_tensorrt
import fake_tensorrt_rtx
import numpy as np
import pytest
from fake_gpu import Stream, cupy
from numpy.typing import NDArray
from tensorrt_setup import GPU_HERE, SIZE, apis, opened, opener, picture
from tiny_model import SPEC, write_int8_model

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends import _engine_choice, load_backend
from bgcam.realtime.model.backends._engine_build import build_engine, typed_model
from bgcam.realtime.model.backends._engine_open import Opener
from bgcam.realtime.model.backends.tensorrt import TensorRTBackend

pytestmark = pytest.mark.usefixtures("empty_cache")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_int8_model(tmp_path / "small.onnx")


@apis
def test_it_serves_at_once_and_swaps_when_it_is_built(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path
) -> None:
    api, said = module(), list[str]()
    ours = backend(model, SPEC, SIZE, threads=1, opener=opener(name, api), say=said.append)
    assert ours.name == name
    assert ours.infer(picture()).shape == (48, 64)
    assert ours._warming is not None
    assert ours._warming.wait(20)
    assert ours.description.startswith("TensorRT")
    assert "RTX 4090, " in ours.description
    assert said[0].startswith(f"{name} is getting ready; until then OpenVINO CPU")
    assert said[-1].startswith(f"{name} is ready after ")
    theirs, _ = load_backend("onnxruntime", model, SPEC, SIZE, threads=1)
    for seed in range(3):
        assert np.abs(ours.infer(picture(seed)) - theirs.infer(picture(seed))).mean() < 0.01
    builds = api.Builder.builds
    again = backend(model, SPEC, SIZE, threads=1, opener=opener(name, api), say=said.append)
    assert again._warming is None
    assert again.description == ours.description
    np.testing.assert_array_equal(again.infer(picture()), ours.infer(picture()))
    assert api.Builder.builds == builds


@apis
def test_calls_replay_a_graph_and_captures_take_kernels(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path
) -> None:
    network, _ = opened(name, module(), model)
    stream = Stream()
    x = np.random.default_rng(5).normal(0, 1, network.input.shape).astype(network.input.dtype)

    def alpha(run: Callable[[], None]) -> NDArray[Any]:
        network.input[...] = x
        network.output[...] = 0
        run()
        return np.array(network.output)

    before = cupy.launched
    first = alpha(lambda: network.enqueue(stream.ptr))
    assert first.std() > 0.05
    assert cupy.launched == before  # kernels, so that what they need is there before a capture
    np.testing.assert_array_equal(alpha(lambda: network.enqueue(stream.ptr)), first)
    assert cupy.launched == before + 1
    stream.begin_capture()
    network.enqueue(stream.ptr)
    graph = stream.end_capture()
    assert cupy.launched == before + 1
    np.testing.assert_array_equal(alpha(lambda: graph.launch(stream)), first)


@apis
@pytest.mark.parametrize(("precision", "dtype"), [("fp16", np.float16), ("int8", np.float16), ("fp32", np.float32)])
def test_precisions_compute_the_models_matte(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path, precision: str, dtype: Any
) -> None:
    network, _ = opened(name, module(), model, precision=precision)
    assert (network.input.dtype, network.output.dtype) == (dtype, dtype)
    assert network.description.endswith(f", {precision}")
    theirs, _ = load_backend("onnxruntime", model, SPEC, SIZE, threads=1)
    normal = (picture()[..., ::-1] / np.float32(255) - np.array(SPEC.mean)) / np.array(SPEC.std)
    alpha = _engine_choice.alpha_of(network, normal.transpose(2, 0, 1)[None].astype(np.float32), cupy)
    assert np.abs(alpha[0, 0] - theirs.infer(picture())).mean() < 0.01


@apis
def test_a_failed_build_is_one_line_and_ends_an_explicit_choice(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path
) -> None:
    api = module()
    api.Builder.refuse = "no kernels\nfor this GPU"
    ours = backend(model, SPEC, SIZE, threads=1, opener=opener(name, api), say=lambda line: None)
    assert ours._warming is not None
    assert ours._warming.wait(20)
    with pytest.raises(BackendError, match=rf"^{api.__name__} cannot build an engine \(no kernels for this GPU\)$"):
        ours.infer(picture())
    ours.make_optional()
    assert ours.infer(picture()).shape == (48, 64)


def test_what_cannot_be_captured_leaves_graphs_to_tensorrt_rtx(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api, strategies = fake_tensorrt_rtx.tensorrt_rtx(), fake_tensorrt_rtx.Engine.strategies
    strategies.clear()
    network, _ = opened("tensorrt-rtx", api, model)
    assert [each.name for each in strategies] == ["DISABLED"]
    monkeypatch.setattr(fake_tensorrt_rtx.Context, "capturable", False)
    strategies.clear()
    network, _ = opened("tensorrt-rtx", api, model)
    assert [each.name for each in strategies] == ["DISABLED", "WHOLE_GRAPH_CAPTURE"]
    before, stream = cupy.launched, Stream()
    network.input[:, :, 10:20] = 1
    for _ in range(3):
        network.enqueue(stream.ptr)
    assert cupy.launched == before
    assert network.output.std() > 0


def test_a_failed_capture_leaves_it_running(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = fake_tensorrt.Context.execute_async_v3

    def not_while_capturing(self: Any, stream_handle: int) -> bool:
        return Stream.by_ptr[stream_handle].captured is None and execute(self, stream_handle)

    monkeypatch.setattr(fake_tensorrt.Context, "execute_async_v3", not_while_capturing)
    network, _ = opened("tensorrt", fake_tensorrt.tensorrt(), model)
    assert network.description == "TensorRT NVIDIA GeForce RTX 4090, fp16, without a CUDA graph"
    before, stream = cupy.launched, Stream()
    network.input[:, :, 10:20] = 1
    for _ in range(3):
        network.enqueue(stream.ptr)
    assert cupy.launched == before
    assert network.output.std() > 0


def test_compute_capabilities_are_stated(model: Path) -> None:
    api = fake_tensorrt_rtx.tensorrt_rtx()
    typed = typed_model(model, SIZE, "fp16")
    build_engine(api, typed, compute_capabilities=("SM75", "SM89"))
    assert [each.name for each in api.Builder.last.asked] == ["SM75", "SM89"]
    build_engine(api, typed)
    assert [each.name for each in api.Builder.last.asked] == ["CURRENT"]
    with pytest.raises(BackendError, match=r"tensorrt_rtx cannot build for SM90; choose from: CURRENT, SM75, SM89"):
        build_engine(api, typed, compute_capabilities=("SM75", "SM90"))


def test_progress_grows_to_the_end(model: Path) -> None:
    told: list[float] = []
    build_engine(fake_tensorrt.tensorrt(), typed_model(model, SIZE, "fp16"), progress=told.append)
    assert told == [0.125, 0.25, 0.375, 0.5, 0.5, 1.0]


def test_int8_needs_quantizers(tiny_model: Path) -> None:
    with pytest.raises(
        BackendError, match=r"tiny\.onnx has no quantizers, so it cannot become an int8 engine; choose fp16"
    ):
        typed_model(tiny_model, SIZE, "int8")


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt-rtx"])
def test_a_missing_package_is_one_line(model: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name.replace("-", "_"), None)
    line = rf"^the package {name} is not installed; run: .*pip install {name} 'cupy-cuda13x\[ctk\]' onnx$"
    with pytest.raises(BackendError, match=line):
        load_backend(name, model, SPEC, SIZE)


def test_a_missing_gpu_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    with pytest.raises(BackendError, match=r"^no NVIDIA GPU can be used here \(its driver is not installed\); install"):
        Opener("tensorrt", api=fake_tensorrt.tensorrt(), cupy=cupy)


def test_missing_cupy_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(
        BackendError, match=r"^the package cupy is not installed; run: .*pip install 'cupy-cuda13x\[ctk\]'$"
    ):
        Opener("tensorrt", api=fake_tensorrt.tensorrt(), device=GPU_HERE)
