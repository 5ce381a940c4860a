"""Weights with which sums of two products leave 16 bits, as emulated here; and those made of them, which never do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from tiny_model import write_int8_model

from bgcam.export.compare import ExportRefused
from bgcam.export.saturation import check_saturation
from bgcam.realtime.model.saturation import MOST_OF_A_PAIR, narrowed, worst_pairs

shapes = st.tuples(st.integers(1, 5), st.integers(2, 7), st.sampled_from([1, 3]), st.sampled_from([1, 3]))


def without_vnni(activations: NDArray[np.uint8], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    """Sums of products (out,) as a processor without VNNI makes them: those of two neighbours are cut off at 16 bits.

    activations: (n,). weights: (out, n).
    """
    products = weights.astype(np.int64) * activations
    products = np.pad(products, ((0, 0), (0, products.shape[1] % 2)))
    pairs = products[:, 0::2] + products[:, 1::2]
    return np.asarray(np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=1), np.int64)


def exact(activations: NDArray[np.uint8], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    return np.asarray(weights.astype(np.int64) @ activations.astype(np.int64), np.int64)


def test_pairs_are_cut_off_beyond_16_bits() -> None:
    bright = np.full(4, 255, np.uint8)
    weights = np.array([[127, 127, -1, 0], [64, 64, -64, -64], [-128, -127, 0, 0], [127, -127, 127, -127]], np.int8)
    assert without_vnni(bright, weights).tolist() == [32767 - 255, 0, -32768, 0]
    assert exact(bright, weights).tolist() == [254 * 255 - 255, 0, -255 * 255, 0]
    assert worst_pairs(weights[..., None, None]).tolist() == [254, 128, 255, 254]


@settings(max_examples=100, deadline=None)
@given(shapes, st.integers(1, 127), st.integers(0, 2**32 - 1))
def test_narrowed_weights_never_saturate(shape: tuple[int, ...], top: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = random.integers(-top, top + 1, shape).astype(np.int8)
    scales = random.uniform(0.001, 0.1, shape[0]).astype(np.float32)
    found, factors = narrowed(weights, scales) or (weights, scales)
    flat = found.reshape(len(found), -1).copy()
    random.shuffle(flat, axis=1)  # whichever weights a kernel puts together
    for activations in (np.full(flat.shape[1], 255, np.uint8), random.integers(0, 256, flat.shape[1], np.uint8)):
        assert np.array_equal(without_vnni(activations, flat), exact(activations, flat))
    worst = worst_pairs(weights)
    assert worst_pairs(found).max() <= MOST_OF_A_PAIR
    # Within half a step of the new scale, which is no more than twice the old one and a little.
    each = (-1, *[1] * (weights.ndim - 1))
    assert (
        np.abs(weights * scales.reshape(each) - narrowed_values(found, factors)) <= factors.reshape(each) * 0.5001
    ).all()
    assert (factors <= scales * np.maximum(worst / MOST_OF_A_PAIR, 1) * 1.02).all()


def narrowed_values(weights: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(weights * scales.reshape(-1, *[1] * (weights.ndim - 1)), np.float32)


def test_what_cannot_saturate_stays() -> None:
    scales = np.ones(2, np.float32)
    one_large = np.zeros((2, 8, 1, 1), np.int8)
    one_large[:, 0] = 127
    assert narrowed(one_large, scales) is None
    assert narrowed(np.full((2, 8, 3, 3), 64, np.int8), scales) is None
    assert narrowed(np.full((2, 1, 3, 3), 127, np.int8), scales) is None  # depthwise: its products are not paired


def test_one_scale_for_all_channels_stays_one() -> None:
    weights = np.stack([np.full((4, 1, 1), 100, np.int8), np.full((4, 1, 1), 50, np.int8)])
    result = narrowed(weights, np.array(0.5, np.float32))
    assert result is not None
    found, scale = result
    assert scale.shape == ()
    assert scale * found[:, 0, 0, 0] == pytest.approx([50, 25], abs=float(scale) / 2)


def test_the_gate_refuses_a_model_until_it_is_narrowed(tmp_path: Path) -> None:
    model = onnx.load(write_int8_model(tmp_path / "m.onnx"))
    with pytest.raises(ExportRefused, match=r"two weights of Conv add up to 25\d \(limit 128\)"):
        check_saturation(model)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4 and (result := narrowed(numpy_helper.to_array(tensor), np.array(1, np.float32))):
            tensor.CopyFrom(numpy_helper.from_array(result[0], tensor.name))
    check_saturation(model)


def test_the_gate_takes_all_weights_of_other_layers_for_one_channels() -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["weights"]),
        helper.make_node("MatMul", ["x", "weights"], ["y"], name="last"),
    ]
    weights = numpy_helper.from_array(np.array([[127, 0], [0, 2]], np.int8), "w")
    graph = helper.make_graph(nodes, "g", [], [], [weights, numpy_helper.from_array(np.array(1, np.float32), "s")])
    model = helper.make_model(graph)
    with pytest.raises(ExportRefused, match="two weights of last add up to 129"):
        check_saturation(model)
