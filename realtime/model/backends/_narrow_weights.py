"""Narrows an OpenVINO model's INT8 weights, so that processors without VNNI compute the same as all others.

OpenVINO multiplies uint8 by int8 there, and sums of two products saturate at 16 bits
(`bgcam.realtime.model.saturation`). Files of the current exporter have no such weights, and are not
changed. Others lose at most one bit, on every processor, so that all compute the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bgcam.realtime.model.saturation import narrowed

CONVOLUTIONS = ("Convolution", "GroupConvolution")


def narrow_weights(model: Any) -> int:
    """Rewrites an `openvino.Model` in place. Returns the number of convolutions whose weights were narrowed."""
    from openvino import opset13 as ops

    changed = 0
    for convolution in model.get_ordered_ops():
        found = _stored(convolution) if convolution.get_type_name() in CONVOLUTIONS else None
        if found is None:
            continue
        convert, multiply = found
        scale = multiply.input_value(1)
        scales = np.asarray(_constant(scale.get_node()), np.float32).reshape(list(scale.get_shape()))
        result = narrowed(convert.input_value(0).get_node().get_data(), scales)
        if result is None:
            continue
        convert.input(0).replace_source_output(ops.constant(result[0]).output(0))
        multiply.input(1).replace_source_output(ops.constant(result[1]).output(0))
        changed += 1
    model.validate_nodes_and_infer_types()
    return changed


def _stored(convolution: Any) -> tuple[Any, Any] | None:
    """The Convert of a convolution's int8 weights and the Multiply by their scales; None if it has none."""
    node, multiply = convolution.input_value(1).get_node(), None
    while node.get_type_name() in ("Reshape", "Multiply", "Subtract"):
        if node.get_type_name() == "Multiply":
            multiply = node
        elif node.get_type_name() == "Subtract" and np.any(_constant(node.input_value(1).get_node())):
            return None  # a zero point, which bgcam's files do not have
        node = node.input_value(0).get_node()
    if multiply is None or node.get_type_name() != "Convert":
        return None
    source = node.input_value(0).get_node()
    is_int8 = source.get_type_name() == "Constant" and source.get_element_type().get_type_name() == "i8"
    return (node, multiply) if is_int8 else None


def _constant(node: Any) -> Any:
    """The numbers in a Constant, converted or reshaped or not."""
    while node.get_type_name() in ("Convert", "Reshape"):
        node = node.input_value(0).get_node()
    return node.get_data()
