"""Prepares an ONNX model for one input size: folds shape computations, removes quantizers, changes types.

Needs the package `onnx`. Every function returns a new model and does not change its argument.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError

QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")


def load_onnx(path: Path) -> Any:
    """The file as an `onnx.ModelProto`. Raises BackendError if onnx is missing or the file is not a model."""
    try:
        import onnx
    except ImportError:
        raise BackendError(missing("onnx")) from None
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and onnx's errors share no base class but Exception
        raise BackendError(f"onnx cannot read {path} ({str(error).splitlines()[0]})") from error
    return model


def at_size(model: Any, size_wh: tuple[int, int]) -> Any:
    """The model with input (1, 3, h, w) and output (1, 1, h, w), without nodes that compute shapes.

    Raises BackendError if its input or output cannot have that size.
    """
    from onnx import shape_inference

    width, height = size_wh
    fixed = _copy(model)
    for value, shape in ((fixed.graph.input, (1, 3, height, width)), (fixed.graph.output, (1, 1, height, width))):
        if len(value) != 1 or not _set_shape(value[0], shape):
            raise BackendError(f"the model has no single input and output of {width}x{height}")
    # The output size of a Reshape or Slice is known only once the shape that it reads is a constant, so each pass may
    # allow the next one to fold more.
    while True:
        del fixed.graph.value_info[:]
        try:
            inferred = shape_inference.infer_shapes(fixed, check_type=True, strict_mode=True)
        except shape_inference.InferenceError as error:
            reason = str(error).splitlines()[-1]
            raise BackendError(f"the model cannot have an input of {width}x{height} ({reason})") from error
        if not _fold(fixed, {value.name: _shape(value) for value in _values(inferred.graph)}):
            break
    _drop_unused(fixed)
    return fixed


def without_quantizers(model: Any) -> Any:
    """The model in floating point: weights are dequantised, and activations are no longer quantised."""
    plain = _copy(model)
    constants = initializers(plain)
    producers = {name: node for node in plain.graph.node for name in node.output}
    renamed: dict[str, str] = {}
    kept = []
    for node in plain.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if node.op_type == "DequantizeLinear":
            source = node.input[0]
            if source in constants:
                _add_constant(plain, node.output[0], _dequantized(node, constants))
            else:
                renamed[node.output[0]] = producers[source].input[0]
        elif node.op_type != "QuantizeLinear":
            kept.append(node)
    _set_nodes(plain, kept)
    _drop_unused(plain)
    return plain


def initializers(model: Any) -> dict[str, NDArray[Any]]:
    """The model's constants by name."""
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes by name; strings as str."""
    from onnx import helper

    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def readers(model: Any) -> Counter[str]:
    """How often each value is read, including the model's outputs."""
    count = Counter(name for node in model.graph.node for name in node.input)
    count.update(value.name for value in model.graph.output)
    return count


def _fold(model: Any, shapes: dict[str, tuple[int, ...] | None]) -> bool:
    """Replaces nodes that depend only on constants and known shapes by constants. Returns whether there were any."""
    constants = initializers(model)
    kept, folded = [], False
    for node in model.graph.node:
        shape = shapes.get(node.input[0]) if node.op_type == "Shape" else None
        if shape is not None:
            given = attributes(node)
            values = [np.array(shape[given.get("start", 0) : given.get("end")], np.int64)]
        elif node.op_type not in QUANTIZERS and all(name in constants for name in node.input if name):
            values = _evaluate(node, constants, model)
        else:
            kept.append(node)
            continue
        folded = True
        for name, value in zip(node.output, values, strict=True):
            constants[name] = value
            _add_constant(model, name, value)
    _set_nodes(model, kept)
    return folded


def _evaluate(node: Any, constants: dict[str, NDArray[Any]], model: Any) -> list[NDArray[Any]]:
    """A node's outputs for constants, by onnx's reference implementation."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    feeds = {name: constants[name] for name in node.input if name}
    graph = helper.make_graph(
        [node],
        "constant",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in feeds.items()],
        [helper.make_value_info(name, helper.make_tensor_type_proto(0, None)) for name in node.output],
    )
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return [np.asarray(value) for value in ReferenceEvaluator(single).run(None, feeds)]


def _dequantized(node: Any, constants: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Weights as float32: `(q - zero) * scale`, scale per tensor or along the node's axis."""
    stored, scale = constants[node.input[0]], constants[node.input[1]]
    zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros_like(scale, stored.dtype)
    axis = attributes(node).get("axis", 1)
    along = [1] * stored.ndim
    if scale.ndim == 1 and scale.size > 1:
        along[axis] = scale.size
    else:
        along = []
    values: NDArray[np.float32] = (stored.astype(np.float32) - zero.astype(np.float32).reshape(along)) * scale.reshape(
        along
    )
    return values


def _copy(model: Any) -> Any:
    made = type(model)()
    made.CopyFrom(model)
    return made


def _set_shape(value: Any, shape: tuple[int, ...]) -> bool:
    """Sets the shape of a graph's input or output. Returns False if it already has another."""
    dimensions = value.type.tensor_type.shape.dim
    if len(dimensions) != len(shape):
        return False
    for dimension, size in zip(dimensions, shape, strict=True):
        if dimension.HasField("dim_value") and dimension.dim_value != size:
            return False
        dimension.dim_value = size
    return True


def _values(graph: Any) -> list[Any]:
    return [*graph.input, *graph.value_info, *graph.output]


def _shape(value: Any) -> tuple[int, ...] | None:
    """A value's shape, or None while a dimension is unknown."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    dimensions = value.type.tensor_type.shape.dim
    known = all(dimension.HasField("dim_value") for dimension in dimensions)
    return tuple(dimension.dim_value for dimension in dimensions) if known else None


def _add_constant(model: Any, name: str, value: NDArray[Any]) -> None:
    from onnx import numpy_helper

    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))


def _set_nodes(model: Any, nodes: list[Any]) -> None:
    kept = [_copy(node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _drop_unused(model: Any) -> None:
    """Removes the constants that no node reads."""
    count = readers(model)
    kept = [_copy(tensor) for tensor in model.graph.initializer if count[tensor.name]]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.value_info[:]
