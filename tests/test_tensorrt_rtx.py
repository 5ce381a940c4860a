"""TensorRT-RTX itself: engines of the shipped model, built without a GPU; and the stand-in's names are its names."""

from __future__ import annotations

import importlib.util
from typing import Any

import fake_tensorrt as fake
import fake_tensorrt_rtx as fake_rtx
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends._engine_build import PRECISIONS, Built, build_engine, load_api, typed_model
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.onnx_graph import initializers

if importlib.util.find_spec("tensorrt_rtx") is None:
    pytest.skip("tensorrt-rtx is not installed on this machine", allow_module_level=True)

# Depthwise weights are stored in an order of the builder's own, so the test reads them in a network without any.
MODEL = find_model("resnet50_half")
DTYPES = {"fp16": np.float16, "int8": np.int8, "fp32": np.float32}
CAPABILITIES = ("SM75", "SM89", "SM120")


@pytest.fixture(scope="module")
def api() -> Any:
    return load_api("tensorrt-rtx")


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {precision: typed_model(MODEL, (320, 240), precision) for precision in PRECISIONS}


@pytest.fixture(scope="module")
def engines(api: Any, models: dict[str, Any]) -> dict[str, Built]:
    return {name: build_engine(api, model, compute_capabilities=CAPABILITIES) for name, model in models.items()}


def filters(model: Any, dtype: Any) -> list[NDArray[Any]]:
    """The model's large constants of a type: its convolutions' weights."""
    return [values for values in initializers(model).values() if values.dtype == dtype and values.size > 4096]


def share_found(filters: list[NDArray[Any]], engine: bytes) -> float:
    """How many of them lie in the engine, as the file has them or with the channels last; told by their beginnings."""
    found = [
        any(each.tobytes()[:64] in engine for each in (values, values.transpose(0, 2, 3, 1))) for values in filters
    ]
    return sum(found) / len(found)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_engine_of_the_shipped_model(engines: dict[str, Built], models: dict[str, Any], precision: str) -> None:
    built = engines[precision]
    kind = "FLOAT" if precision == "fp32" else "HALF"
    assert built.input == ("image", (1, 3, 240, 320), kind)
    assert built.output == ("alpha", (1, 1, 240, 320), kind)
    for name in (b"image", b"alpha"):
        assert name in built.engine
    # The engine's precision is that of its weights: they are there, and in no other type.
    for other, dtype in DTYPES.items():
        share = share_found(filters(models[other], dtype), built.engine)
        assert share > 0.9 if other == precision else share < 0.1, (other, share)


def test_engines_are_as_large_as_their_weights_say(engines: dict[str, Built], models: dict[str, Any]) -> None:
    size = {name: len(built.engine) for name, built in engines.items()}
    for name, dtype in DTYPES.items():
        weights = sum(values.nbytes for values in filters(models[name], dtype))
        assert weights < size[name] < 3.5 * weights, name
    assert max(size["fp16"], size["int8"]) < 0.8 * size["fp32"]


def test_more_capabilities_are_in_one_engine(api: Any, models: dict[str, Any], engines: dict[str, Built]) -> None:
    one = build_engine(api, models["int8"], compute_capabilities=CAPABILITIES[:1])
    assert len(one.engine) < len(engines["int8"].engine)


def test_an_unknown_capability_is_one_line(api: Any, models: dict[str, Any]) -> None:
    with pytest.raises(
        BackendError, match=r"^tensorrt_rtx cannot build for SM10; choose from: CURRENT, .*SM75, .*SM89$"
    ):
        build_engine(api, models["fp16"], compute_capabilities=("SM10",))


def test_a_model_that_it_cannot_read_is_one_line(api: Any, models: dict[str, Any]) -> None:
    broken = type(models["fp32"])()
    broken.CopyFrom(models["fp32"])
    broken.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(BackendError, match=r"^tensorrt_rtx cannot read the model \(.*NoSuchOperator") as caught:
        build_engine(api, broken, compute_capabilities=CAPABILITIES)
    assert "\n" not in str(caught.value)


def test_progress_is_told(api: Any, models: dict[str, Any]) -> None:
    told: list[float] = []
    build_engine(api, models["fp16"], compute_capabilities=("SM89",), progress=told.append)
    assert len(told) > 10
    assert min(told) >= 0
    assert told[-1] == max(told) == 1


STAND_INS = {
    "Builder": (fake_rtx.Builder, {"last", "refuse", "builds"}),
    "IBuilderConfig": (fake_rtx.Config, set()),
    "ICudaEngine": (fake_rtx.Engine, {"context", "config", "strategies"}),
    "IExecutionContext": (fake_rtx.Context, {"capturable"}),
    "INetworkDefinition": (fake.Network, {"model"}),
    "IRuntimeCache": (fake_rtx.RuntimeCache, {"read"}),
    "IRuntimeConfig": (fake_rtx.RuntimeConfig, set()),
    "OnnxParser": (fake.OnnxParser, set()),
    "Runtime": (fake_rtx.Runtime, {"engine"}),
    "BuilderFlag": (fake_rtx.BuilderFlag, set()),
    "ComputeCapability": (fake_rtx.ComputeCapability, set()),
    "CudaGraphStrategy": (fake_rtx.CudaGraphStrategy, set()),
    "DataType": (fake.DataType, set()),
    "ILogger": (fake.ILogger, set()),
    "ExecutionContextAllocationStrategy": (fake.ExecutionContextAllocationStrategy, set()),
    "NetworkDefinitionCreationFlag": (fake.NetworkDefinitionCreationFlag, {*dir(int)}),
    "TensorIOMode": (fake.TensorIOMode, set()),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_the_stand_ins_names_are_its_names(api: Any, name: str) -> None:
    stand_in, own = STAND_INS[name]
    names = {each for each in dir(stand_in) if not each.startswith("_")} - own
    assert names - set(dir(getattr(api, name))) == set()


def test_the_stand_in_module_has_nothing_else(api: Any) -> None:
    assert {each for each in vars(fake_rtx.tensorrt_rtx()) if not hasattr(api, each)} == set()


def test_without_a_driver_an_engine_does_not_load(api: Any, engines: dict[str, Built]) -> None:
    from fake_gpu import cupy

    from bgcam.realtime.model.backends._engine_run import EngineNetwork
    from bgcam.realtime.model.backends._gpu import has_gpu

    if has_gpu():
        pytest.skip("there is an NVIDIA GPU")
    with pytest.raises(BackendError, match=r"^tensorrt_rtx cannot load the engine \(.*CUDA driver"):
        EngineNetwork(api, engines["fp16"].engine, description="", cupy=cupy)
