"""The network's head outside of OpenVINO: the same alpha, and only of networks that end in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_model import write_int8_model, write_tiny_model

from bgcam.realtime.model.backends import openvino as backend
from bgcam.realtime.model.backends._head import Head
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.spec import read_spec
from bgcam.realtime.picture import native

seeds = st.integers(0, 2**32 - 1)
pytestmark = pytest.mark.skipif(native.LIBRARY is None, reason="bgcam was installed here without a C compiler")


def loaded(path: Path, size_wh: tuple[int, int]) -> Any:
    pytest.importorskip("openvino")
    return backend.OpenVINOBackend(path, read_spec(path), size_wh, threads=1)


def whole(path: Path, size_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(backend, "cut_head", lambda model: None)
        return loaded(path, size_wh)


def head_reference(features: Any, planes: Any, weights: Any, bias: Any) -> NDArray[np.float64]:
    """`MatteNet`'s last lines, in double precision."""
    _, height, width, _ = features.shape
    quarters = planes[0].reshape(3, height, 2, width, 2).transpose(0, 2, 4, 1, 3).reshape(12, height, width)
    both = np.concatenate([features[0].transpose(2, 0, 1), quarters]).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(both, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))
    logits = np.einsum("chwij,ocij->ohw", windows, weights) + bias[:, None, None]
    shuffled = logits.reshape(2, 2, height, width).transpose(2, 0, 3, 1).reshape(2 * height, 2 * width)
    return np.asarray(1 / (1 + np.exp(-shuffled)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 40), st.sampled_from([0.1, 3.0]), seeds)
def test_it_is_the_networks_last_lines(width: int, height: int, channels: int, strength: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    features = random.normal(size=(1, height, width, channels)).astype(np.float32)
    planes = random.normal(size=(1, 3, 2 * height, 2 * width)).astype(np.float32)
    weights = random.normal(size=(4, channels + 12, 3, 3), scale=strength).astype(np.float32)
    bias = random.normal(size=4).astype(np.float32)
    alpha = Head(weights, bias)(features, planes)
    assert alpha.dtype == np.float32
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert np.abs(alpha - head_reference(features, planes, weights, bias)).max() < 1e-4


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["features", "planes", "weights"])
def test_what_is_no_number_is_not_taken_for_a_person(where: str, strange: float) -> None:
    random = np.random.default_rng(0)
    given = {"features": (1, 8, 20, 5), "planes": (1, 3, 16, 40), "weights": (4, 17, 3, 3)}
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in given.items()}
    arrays[where].flat[arrays[where].size // 2] = strange
    with np.errstate(all="ignore"):
        alpha = Head(arrays["weights"], np.zeros(4, np.float32))(arrays["features"], arrays["planes"])
    assert np.isnan(alpha).any()
    numbers = alpha[~np.isnan(alpha)]
    assert ((numbers >= 0) & (numbers <= 1)).all()


# Each network, and each size once: compiling takes a second, and `Head` is compared at all sizes above.
@pytest.mark.parametrize(
    ("name", "size_wh"),
    [("fast", (240, 320)), ("resnet50_half", (320, 192)), ("resnet50_half", (80, 48)), ("light", (256, 144))],
)
def test_the_shipped_networks_give_the_same_without_theirs(name: str, size_wh: Any, monkeypatch: Any) -> None:
    path = find_model(name)
    cut, uncut = loaded(path, size_wh), whole(path, size_wh, monkeypatch)
    assert cut._head is not None
    assert uncut._head is None
    # On processors with AMX the layers that are not INT8 are computed in bf16, whose own rounding is 1e-3 or so.
    limit = 5e-4 if "bf16" in uncut.description else 1e-4
    for seed in range(3):
        bgr = np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
        assert np.abs(cut.infer(bgr) - uncut.infer(bgr)).max() < limit


@pytest.mark.parametrize("write", [write_tiny_model, write_int8_model])
def test_another_network_stays_whole(write: Any, tmp_path: Path) -> None:
    assert loaded(write(tmp_path / "tiny.onnx"), (64, 48))._head is None


def test_a_network_that_takes_the_picture_otherwise_stays_whole(tmp_path: Path, monkeypatch: Any) -> None:
    model = onnx.load(str(find_model("fast")))
    transposes = [node for node in model.graph.node if node.op_type == "Transpose" and len(node.attribute[0].ints) == 6]
    assert len(transposes) == 1
    transposes[0].attribute[0].ints[:] = [0, 3, 5, 1, 2, 4]  # the quarters first, then the colours
    onnx.save(model, str(tmp_path / "other.onnx"))
    assert loaded(tmp_path / "other.onnx", (64, 48))._head is None


def test_a_network_that_takes_other_quarters_stays_whole(tmp_path: Path) -> None:
    """The same order of the same twelve channels, but rows of a half instead of every second."""
    model = onnx.load(str(find_model("fast")))
    producers = {name: node for node in model.graph.node for name in node.output}
    transpose = next(n for n in model.graph.node if n.op_type == "Transpose" and len(n.attribute[0].ints) == 6)
    shape = onnx.numpy_helper.from_array(np.array([1, 3, 2, 24, 2, 32], np.int64), "halves")
    model.graph.initializer.append(shape)
    producers[transpose.input[0]].input[1] = "halves"
    transpose.attribute[0].ints[:] = [0, 1, 3, 5, 2, 4]
    after = next(n for n in model.graph.node if transpose.output[0] in n.input)
    wanted = onnx.numpy_helper.from_array(np.array([1, 12, 24, 32], np.int64), "squares")
    model.graph.initializer.append(wanted)
    after.input[1] = "squares"
    onnx.save(model, str(tmp_path / "other.onnx"))
    assert loaded(tmp_path / "other.onnx", (64, 48))._head is None


def test_a_bias_that_is_no_channels_stays_outside(tmp_path: Path) -> None:
    """Four numbers that an 8x8 picture's features, four wide, would each take for a column."""
    model = onnx.load(str(find_model("fast")))
    head = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    bias = next(one for one in model.graph.initializer if one.name == head.input[2])
    columns = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias).reshape(1, 1, 1, 4), "columns")
    model.graph.initializer.append(columns)
    del head.input[2]
    before, head.output[0] = head.output[0], "without_bias"
    add = onnx.helper.make_node("Add", ["without_bias", "columns"], [before])
    model.graph.node.insert(list(model.graph.node).index(head) + 1, add)
    onnx.save(model, str(tmp_path / "other.onnx"))
    assert loaded(tmp_path / "other.onnx", (8, 8))._head is None


def test_without_a_compiler_the_network_stays_whole(monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(native, "LIBRARY", None)
        plain = loaded(find_model("fast"), (64, 48))
        bgr = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        alpha = plain.infer(bgr)
    assert plain._head is None
    assert np.abs(loaded(find_model("fast"), (64, 48)).infer(bgr) - alpha).max() < 1e-4
