"""A model to make in a test: alpha = sigmoid(gain * (mean of the channels - threshold)), so bright is person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bgcam.realtime.model.spec import METADATA_KEY, ModelSpec

SPEC = ModelSpec(name="tiny", encoder="none", precision="fp32")


def write_int8_model(path: Path) -> Path:
    """Write a small U-Net of random weights in INT8: Q and DQ nodes, symmetric, weights per channel, a Concat."""
    random = np.random.default_rng(0)
    constants: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def add(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(name: str, values: object, dtype: type) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def quantized(name: str, top: float) -> str:
        scale = [constant(f"{name}_scale", top / 127, np.float32), constant(f"{name}_zero", 0, np.int8)]
        return add("DequantizeLinear", [add("QuantizeLinear", [name, *scale], f"{name}_q"), *scale], f"{name}_dq")

    def convolution(name: str, read: str, channels_in: int, channels: int, stride: int = 1) -> str:
        weights = random.integers(-127, 128, (channels, channels_in, 3, 3))
        scales = random.uniform(0.5, 1.5, channels) / (127 * np.sqrt(channels_in * 3))
        scale = [constant(f"{name}_scales", scales, np.float32), constant(f"{name}_zeros", [0] * channels, np.int8)]
        stored = add("DequantizeLinear", [constant(f"{name}_w", weights, np.int8), *scale], f"{name}_wf", axis=0)
        return add("Conv", [read, stored], name, pads=[1] * 4, kernel_shape=[3, 3], strides=[stride] * 2)

    picture = quantized("picture", 2.7)
    near = quantized(add("Relu", [convolution("a", picture, 3, 16)], "near"), 4.0)
    low = quantized(add("Relu", [convolution("b", near, 16, 16, stride=2)], "low"), 4.0)
    constant("twice", [1, 1, 2, 2], np.float32)
    far = add("Resize", [low, "", "twice"], "far", mode="nearest", coordinate_transformation_mode="asymmetric")
    both = add("Concat", [quantized(far, 4.0), near], "both", axis=1)
    last = quantized(add("Relu", [convolution("c", both, 32, 16)], "last"), 4.0)
    add("Sigmoid", [convolution("d", last, 16, 1)], "alpha")
    graph = helper.make_graph(
        nodes,
        "int8",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 1, "height", "width"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: replace(SPEC, precision="int8").to_json()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def write_tiny_model(path: Path, *, spec: ModelSpec | None = SPEC, gain: float = 40.0, threshold: float = 0.5) -> Path:
    """Write the ONNX file (input and output NCHW float32, any H and W) and give its path back.

    The channels' mean is of the picture in [0, 1], whatever `spec.mean` and `spec.std` are. spec None: a model without
    bgcam's metadata. With the default gain, under 60 grey levels alpha is below 1e-4 and over 195 above 1 - 1e-4.
    """
    shown = spec or SPEC

    def constant(name: str, values: object) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(values, np.float32), name)

    constants = [
        constant("mean", np.reshape(shown.mean, (1, 3, 1, 1))),
        constant("std", np.reshape(shown.std, (1, 3, 1, 1))),
        constant("gain", gain),
        constant("threshold", threshold),
    ]
    nodes = [
        helper.make_node("Mul", ["picture", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["unit"]),
        helper.make_node("ReduceMean", ["unit"], ["bright"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["bright", "threshold"], ["above"]),
        helper.make_node("Mul", ["above", "gain"], ["steep"]),
        helper.make_node("Sigmoid", ["steep"], ["alpha"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 1, "height", "width"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if spec is not None:
        helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
