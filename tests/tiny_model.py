"""A model to make in a test: alpha = sigmoid(gain * (mean of the channels - threshold)), so bright is person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bgcam.realtime.spec import METADATA_KEY, ModelSpec

SPEC = ModelSpec(name="tiny", encoder="none", precision="fp32")


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
