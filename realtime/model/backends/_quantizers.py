"""Quantised ONNX models for OpenVINO: each pair of QuantizeLinear and DequantizeLinear becomes one FakeQuantize.

OpenVINO reads the pair as FakeQuantize, Convert to int8, Convert to float, Subtract, Multiply, and its low-precision
passes then fix the type int8. On processors without AMX, whose convolutions accept only uint8, 2026.4 computes wrong
results as soon as a Concat joins two such pairs. One FakeQuantize with float input and output describes the same
numbers and leaves the type to OpenVINO: correct results at the same speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def join_quantizers(model: Any) -> int:
    """Rewrites an `openvino.Model` in place. Returns the number of pairs that were joined."""
    from openvino import opset13 as ops

    joined = 0
    for quantize in model.get_ordered_ops():
        if quantize.get_type_name() != "FakeQuantize":
            continue
        data, *limits = quantize.input_values()
        in_low, in_high, low, high = (_value(limit.get_node()) for limit in limits)
        for convert in _readers(quantize):
            for multiply, zero, scale in _dequantizers(convert):
                if None in (in_low, in_high) or low is None or high is None or zero is None or scale is None:
                    continue  # per channel, as only weights are, which have no FakeQuantize
                ends = [ops.constant(np.float32((end - zero) * scale)) for end in (low, high)]
                new = ops.fake_quantize(data, limits[0], limits[1], *ends, round(high - low) + 1)
                multiply.output(0).replace(new.output(0))
                joined += 1
    model.validate_nodes_and_infer_types()
    return joined


def to_float(model: Any) -> int:
    """Turns an `openvino.Model` in INT8 into one in FP32, in place, after `join_quantizers`. Returns how many weights.

    Activations are no longer quantized; the weights keep the values that INT8 gave them. They are stored as FP32:
    with int8 constants, which OpenVINO then converts as it runs, 2026.4 often computes something else with two streams.
    """
    from openvino import opset13 as ops

    stored = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            node.output(0).replace(node.input_value(0))
        elif node.get_type_name() == "Multiply" and (weights := _weights(node)) is not None:
            node.output(0).replace(ops.constant(weights).output(0))
            stored += 1
    model.validate_nodes_and_infer_types()
    return stored


def _weights(multiply: Any) -> NDArray[np.float32] | None:
    """What a DequantizeLinear of constants gives: (int8 - zero point) * scale; None for any other Multiply."""
    node, zero = multiply.input_value(0).get_node(), np.float32(0)
    if node.get_type_name() == "Subtract":
        zero = _numbers(node.input_value(1).get_node(), like=node)
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Convert" or node.input_value(0).get_node().get_type_name() != "Constant":
        return None
    values = node.input_value(0).get_node().get_data()
    scale = _numbers(multiply.input_value(1).get_node(), like=multiply)
    if values.dtype != np.int8 or zero is None or scale is None:
        return None
    return np.asarray((values.astype(np.float32) - zero) * scale, np.float32)


def _numbers(node: Any, *, like: Any) -> Any:
    """A Constant's numbers, converted or reshaped or not, in the shape in which `like` reads them; None for others."""
    shape = list(like.input_value(1).get_shape())
    while node.get_type_name() in ("Convert", "Reshape"):
        node = node.input_value(0).get_node()
    return np.asarray(node.get_data(), np.float32).reshape(shape) if node.get_type_name() == "Constant" else None


def _dequantizers(convert: Any) -> Iterator[tuple[Any, float | None, float | None]]:
    """(Multiply, zero point, scale) of every DequantizeLinear that reads this Convert to int8 or uint8."""
    if convert.get_type_name() != "Convert":
        return
    for back in _readers(convert):
        if back.get_type_name() != "Convert":
            continue
        for reader in _readers(back):
            if reader.get_type_name() == "Multiply":
                yield reader, 0.0, _constant_of(reader)
            elif reader.get_type_name() == "Subtract":
                for multiply in _readers(reader):
                    if multiply.get_type_name() == "Multiply":
                        yield multiply, _constant_of(reader), _constant_of(multiply)


def _readers(node: Any) -> list[Any]:
    return [target.get_node() for target in node.output(0).get_target_inputs()]


def _constant_of(node: Any) -> float | None:
    """The second operand of a Subtract or Multiply, a single number."""
    return _value(node.input_value(1).get_node())


def _value(node: Any) -> float | None:
    """The number in a Constant, converted or reshaped or not; None if there is not exactly one."""
    while node.get_type_name() in ("Convert", "Reshape"):
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    values = np.unique(node.get_data())
    return float(values[0]) if values.size == 1 else None
