"""TensorRT from the model to the matte, with a stand-in for its package, for CuPy and for a card."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_tensorrt
import fake_tensorrt_rtx
import numpy as np
import onnx
import pytest
from fake_tensorrt import Stream, cupy
from numpy.typing import NDArray
from tiny_model import SPEC, write_int8_model

from bgcam.realtime.backends import _engine_choice, load_backend
from bgcam.realtime.backends._engine_build import build_engine, typed_model
from bgcam.realtime.backends._engine_cache import cache_folder, manifest
from bgcam.realtime.backends._engine_choice import Measured, fastest
from bgcam.realtime.backends._engine_file import write_engine
from bgcam.realtime.backends._engine_open import Opener
from bgcam.realtime.backends._engine_run import EngineNetwork
from bgcam.realtime.backends._gpu import Gpu
from bgcam.realtime.backends.tensorrt import TensorRTBackend
from bgcam.realtime.backends.tensorrt_rtx import TensorRTRTXBackend
from bgcam.realtime.errors import BackendError, ModelError
from bgcam.realtime.spec import read_spec

CARD = Gpu("NVIDIA GeForce RTX 4090", (8, 9), "580.65.06")
SIZE = (64, 48)
APIS: list[tuple[str, Callable[[], Any], type[TensorRTBackend]]] = [
    ("tensorrt", fake_tensorrt.tensorrt, TensorRTBackend),
    ("tensorrt-rtx", fake_tensorrt_rtx.tensorrt_rtx, TensorRTRTXBackend),
]
apis = pytest.mark.parametrize(("name", "module", "backend"), APIS, ids=["tensorrt", "tensorrt-rtx"])


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_int8_model(tmp_path / "small.onnx")


def picture(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def opener(name: str, api: Any, card: Gpu = CARD) -> Opener:
    return Opener(name, api=api, card=card, cupy=cupy)


def opened(name: str, api: Any, model: Path, **options: Any) -> tuple[EngineNetwork, list[str]]:
    """The network in fp16 unless told otherwise, and what was said."""
    said: list[str] = []
    card = options.pop("card", CARD)
    network = opener(name, api, card).open(model, SPEC, SIZE, **{"precision": "fp16", "say": said.append} | options)
    return network, said


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
@pytest.mark.parametrize(
    "change",
    [
        {"card": replace(CARD, driver="590.10")},
        {"card": replace(CARD, name="NVIDIA GeForce RTX 3060", compute_capability=(8, 6))},
        {"version": "99.0"},
        {"precision": "int8"},
        {"model": True},
    ],
    ids=["driver", "card", "version", "precision", "model"],
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
        (lambda data: data[:-7], "it is cut off"),
        (lambda data: data[:-1] + b"!", "it is damaged: its checksum differs"),
        (lambda data: b"x", "it is no engine file of bgcam"),
    ],
)
def test_a_damaged_engine_in_the_cache_is_never_loaded(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path, damage: Any, reason: str
) -> None:
    opened(name, module(), model)
    (engine,) = cache_folder().glob("*.engine")
    whole = engine.read_bytes()
    engine.write_bytes(damage(whole))
    api = module()
    _, said = opened(name, api, model)
    assert api.Builder.builds == 1
    assert len(said) == 1
    assert said[0].startswith(f"the engine in the cache is built again: {reason}")
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
        f"the engine in the cache is built again: {api.__name__} cannot load the engine (magic tag does not match)"
    ]


@apis
def test_a_failed_build_is_one_line_and_ends_an_explicit_choice(
    name: str, module: Callable[[], Any], backend: type[TensorRTBackend], model: Path
) -> None:
    api = module()
    api.Builder.refuse = "no kernels\nfor this card"
    ours = backend(model, SPEC, SIZE, threads=1, opener=opener(name, api), say=lambda line: None)
    assert ours._warming is not None
    assert ours._warming.wait(20)
    with pytest.raises(BackendError, match=rf"^{api.__name__} cannot build an engine \(no kernels for this card\)$"):
        ours.infer(picture())
    ours.make_optional()
    assert ours.infer(picture()).shape == (48, 64)


def test_a_cache_that_cannot_be_written_is_said(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    network, said = opened("tensorrt", fake_tensorrt.tensorrt(), model)
    assert network.output.shape == (1, 1, 48, 64)
    assert said[-1].startswith("the engine cannot be kept for the next start (Not a directory")


def test_compiled_kernels_are_kept_for_the_next_start(model: Path) -> None:
    api = fake_tensorrt_rtx.tensorrt_rtx()
    fake_tensorrt_rtx.RuntimeCache.read = b""
    opened("tensorrt-rtx", api, model)
    (kept,) = cache_folder().glob("*.kernels")
    assert kept.read_bytes() == b"kernels"
    assert fake_tensorrt_rtx.RuntimeCache.read == b""
    opened("tensorrt-rtx", api, model)
    assert fake_tensorrt_rtx.RuntimeCache.read == b"kernels"


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


def test_compute_capabilities_are_stated(model: Path) -> None:
    api = fake_tensorrt_rtx.tensorrt_rtx()
    typed = typed_model(model, SIZE, "fp16")
    build_engine(api, typed, compute_capabilities=("SM75", "SM89"))
    assert [each.name for each in api.Builder.last.asked] == ["SM75", "SM89"]
    build_engine(api, typed)
    assert [each.name for each in api.Builder.last.asked] == ["CURRENT"]
    with pytest.raises(BackendError, match=r"tensorrt_rtx builds for no SM90; choose of: CURRENT, SM75, SM89"):
        build_engine(api, typed, compute_capabilities=("SM75", "SM90"))


def test_progress_grows_to_the_end(model: Path) -> None:
    told: list[float] = []
    build_engine(fake_tensorrt.tensorrt(), typed_model(model, SIZE, "fp16"), progress=told.append)
    assert told == [0.125, 0.25, 0.375, 0.5, 0.5, 1.0]


def test_int8_needs_quantizers(tiny_model: Path) -> None:
    with pytest.raises(BackendError, match=r"tiny\.onnx has no quantizers, so it gives no int8 engine; choose fp16"):
        typed_model(tiny_model, SIZE, "int8")


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
    (kept,) = cache_folder().glob("*.json")
    kept.write_text("{")
    opened("tensorrt", api, model, precision="auto")
    assert '"precision"' in kept.read_text()


def test_a_model_without_quantizers_runs_in_fp16(tiny_model: Path) -> None:
    api = fake_tensorrt.tensorrt()
    network, _ = opened("tensorrt", api, tiny_model, precision="auto")
    assert (network.description, api.Builder.builds) == ("TensorRT NVIDIA GeForce RTX 4090, fp16", 1)


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt-rtx"])
def test_a_missing_package_is_one_line(model: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name.replace("-", "_"), None)
    line = rf'^the package {name} is not installed; run: pip install "bgcam\[{name}\]"$'
    with pytest.raises(BackendError, match=line):
        load_backend(name, model, SPEC, SIZE)


def test_a_missing_card_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    with pytest.raises(
        BackendError, match=r"^no NVIDIA card can be used here \(its driver is not installed\); install"
    ):
        Opener("tensorrt", api=fake_tensorrt.tensorrt(), cupy=cupy)


def test_missing_cupy_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendError, match=r"^the package cupy is not installed; run: pip install .bgcam\[cuda\].$"):
        Opener("tensorrt", api=fake_tensorrt.tensorrt(), card=CARD)


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
        ({"engine_sha256": "0"}, "it is damaged: its checksum differs"),
    ],
)
def test_a_foreign_engine_file_is_refused(model: Path, tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = engine_file(tmp_path / "m.engine", model, **change)
    again = r"; build it again: python -m bgcam.export MODEL --to tensorrt-rtx --output .*m\.engine$"
    with pytest.raises(BackendError, match=rf"m\.engine cannot be used: {reason}.*{again}"):
        opened("tensorrt-rtx", fake_tensorrt_rtx.tensorrt_rtx(), path, precision="auto")


def test_an_engine_for_this_very_card_runs(model: Path, tmp_path: Path) -> None:
    own = {"compute_capabilities": ("CURRENT",), "gpu": CARD.name, "driver": CARD.driver}
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
    with pytest.raises(BackendError, match=r"m\.engine cannot be used: it is cut off"):
        load_backend("auto", path, SPEC, SIZE)


def test_what_is_damaged_is_built_in_the_background(model: Path) -> None:
    api = fake_tensorrt_rtx.tensorrt_rtx()
    found = opener("tensorrt-rtx", api)
    assert not found.is_ready(model, SPEC, SIZE)
    found.open(model, SPEC, SIZE, say=lambda line: None)
    assert found.is_ready(model, SPEC, SIZE)
    assert not opener("tensorrt-rtx", api, replace(CARD, driver="590.10")).is_ready(model, SPEC, SIZE)
    for kept in cache_folder().glob("*.engine"):
        kept.write_bytes(b"x")
    assert not found.is_ready(model, SPEC, SIZE)


def test_a_damaged_engine_file_has_no_spec(tmp_path: Path) -> None:
    (tmp_path / "m.engine").write_bytes(b"x")
    with pytest.raises(
        ModelError, match=r"m\.engine: an engine that cannot be used: it is no engine file of bgcam; bui"
    ):
        read_spec(tmp_path / "m.engine")
    with pytest.raises(ModelError, match="no such model file"):
        read_spec(tmp_path / "other.engine")
