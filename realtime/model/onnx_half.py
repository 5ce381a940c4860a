"""Converts an ONNX model to FP16: TensorRT's strongly typed networks compute in the types of the file."""

from __future__ import annotations

from typing import Any

import numpy as np

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.onnx_graph import QUANTIZERS, initializers

# Inputs that stay FP32 in every model: the regions and scales of a Resize.
SINGLE = {"Resize": (1, 2)}
# The first opset whose quantizers accept scales in FP16.
OPSET = 19
LARGEST = float(np.finfo(np.float16).max)


def to_float16(model: Any) -> Any:
    """A model of `onnx_graph.at_size` with input, output, constants and quantizers' scales in FP16.

    Raises BackendError for a constant that FP16 cannot hold, and for quantizers of an opset before 18.
    """
    from onnx import TensorProto, numpy_helper

    half = type(model)()
    half.CopyFrom(model)
    single = {
        node.input[place]
        for node in half.graph.node
        for place in SINGLE.get(node.op_type, ())
        if place < len(node.input)
    }
    for name, values in initializers(model).items():
        if values.dtype != np.float32 or name in single:
            continue
        if not np.abs(values).max(initial=0) <= LARGEST:
            raise BackendError(f"the model cannot run in fp16: its constant {name} reaches {np.abs(values).max():.3g}")
        tensor = next(tensor for tensor in half.graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name))
    for value in (*half.graph.input, *half.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for node in half.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    if any(node.op_type in QUANTIZERS for node in half.graph.node):
        _raise_opset(half)
    return half


def _raise_opset(model: Any) -> None:
    """Raises the opset to the first whose quantizers accept scales in FP16; these networks' operators do not change."""
    for domain in model.opset_import:
        if domain.domain in ("", "ai.onnx") and domain.version < OPSET:
            if domain.version != OPSET - 1:
                raise BackendError(f"the model's opset {domain.version} is too old for int8; export it again")
            domain.version = OPSET
    model.ir_version = max(model.ir_version, 9)  # the first IR version with this opset
