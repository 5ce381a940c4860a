"""INT8 by post-training quantisation: Q/DQ nodes that OpenVINO, ONNX Runtime and TensorRT all read, by NNCF.

Weights per channel and of 7 bits, which processors without VNNI compute right (`export.saturation`) and which cost no
quality (models/README.md); activations symmetric and signed, since TensorRT takes no zero points and no uint8. In
floating point stay the head, whose output is the matte, and a small first convolution, which sees the picture.

A network that was trained with rounded weights (`train.rounding`) keeps exactly those.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.export.compare import Run
from bgcam.export.onnx_file import normalised
from bgcam.realtime.model.backends.quiet import without_telemetry
from bgcam.realtime.model.onnx_graph import initializers
from bgcam.train.rounding import most_levels


def to_int8(model: Any, calibration: Sequence[NDArray[np.float32]], *, rounded: bool = False) -> Any:
    """Quantise an FP32 `onnx.ModelProto`. calibration: normalised inputs (1, 3, H, W).

    rounded: its weights are on the levels of `train.rounding` already, so that no bias has to make up for rounding.
    """
    without_telemetry()
    import nncf
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        OverflowFix,
        QuantizationMode,
        QuantizationParameters,
    )

    logging.getLogger("nncf").setLevel(logging.ERROR)
    quantised = nncf.quantize(
        model,
        nncf.Dataset(list(calibration), lambda x: {"image": x}),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(calibration),
        fast_bias_correction=True,
        ignored_scope=nncf.IgnoredScope(names=end_layers(model)),
        advanced_parameters=AdvancedQuantizationParameters(
            disable_bias_correction=rounded,
            overflow_fix=OverflowFix.ENABLE,
            activations_quantization_params=QuantizationParameters(
                num_bits=8, mode=QuantizationMode.SYMMETRIC, per_channel=False
            ),
            weights_quantization_params=QuantizationParameters(
                num_bits=8, mode=QuantizationMode.SYMMETRIC, per_channel=True
            ),
        ),
    )
    if rounded:
        keep_levels(quantised, model)
    return make_signed(quantised)


def keep_levels(quantised: Any, plain: Any) -> None:
    """Put the weights of `train.rounding` in place of what NNCF made of them, whose steps are 1/127 smaller.

    plain: the FP32 model that `quantised` was made of; its nodes have the same names.
    """
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in quantised.graph.initializer}
    exact, producers = initializers(plain), {name: node for node in quantised.graph.node for name in node.output}
    sources = {node.name: node.input[1] for node in plain.graph.node if node.op_type == "Conv"}
    for node in quantised.graph.node:
        dequantiser = producers.get(node.input[1]) if node.op_type == "Conv" else None
        if dequantiser is None:
            continue
        weights = exact[sources[node.name]]
        largest = np.maximum(np.abs(weights).reshape(len(weights), -1).max(axis=1), np.finfo(np.float32).tiny)
        scale = (largest / most_levels(weights.shape[1])).astype(np.float32)
        steps = np.rint(weights / scale.reshape(-1, 1, 1, 1)).astype(np.int8)
        for name, values in zip(dequantiser.input[:2], (steps, scale), strict=True):
            tensors[name].CopyFrom(numpy_helper.from_array(values, name))


def run_int8(path: Path) -> Run:
    """What a file of `to_int8` gives on any processor in INT8: its own numbers, summed up in floating point.

    A backend may do otherwise: ONNX Runtime takes FP32 in its place on x86-64.
    """
    without_telemetry()
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors alone
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        alpha: NDArray[np.float32] = session.run(None, {"image": normalised(bgr[..., ::-1])})[0][0, 0]
        return alpha

    return run


def end_layers(model: Any) -> list[str]:
    """What stays in floating point, by the graph's ends, not by name: the last convolution, and the first if it is 3x3.

    ResNet's first is 7x7, and takes a tenth of the time in floating point: in INT8 the matte is as good (EG1800 95.56
    for 95.57, everyday scenes 75.27 for 75.11). EfficientNet's takes a fortieth, and its matte is worse for it.
    """
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    first, last = convolutions[0], convolutions[-1]
    sides = next(list(a.ints) for a in first.attribute if a.name == "kernel_shape")
    return [first.name, last.name] if max(sides) <= 3 else [last.name]


def make_signed(model: Any) -> Any:
    """Turn uint8 activations with zero point 0 (what follows a ReLU) into int8 of the same range, in place.

    255 steps become 127 over the same range, so the scale grows by 255/127. TensorRT knows only signed int8.
    """
    from onnx import TensorProto, numpy_helper

    tensors = {t.name: t for t in model.graph.initializer}
    done: set[str] = set()
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or len(node.input) < 3:
            continue
        zero = tensors.get(node.input[2])
        if zero is None or zero.data_type != TensorProto.UINT8 or zero.name in done:
            continue
        if numpy_helper.to_array(zero).any():
            raise ValueError(f"{node.name}: an activation with a zero point, which TensorRT cannot read")
        scale = tensors[node.input[1]]
        values = numpy_helper.to_array(scale) * np.float32(255 / 127)
        scale.CopyFrom(numpy_helper.from_array(values.astype(np.float32), scale.name))
        zero.CopyFrom(numpy_helper.from_array(np.zeros(list(zero.dims), np.int8), zero.name))
        done.add(zero.name)
    del model.graph.value_info[:]  # it holds the old types; readers infer them
    return model


def activation_types(model: Any) -> set[int]:
    """The ONNX data types of all zero points: {TensorProto.INT8} for a file that every backend reads."""
    tensors = {t.name: t.data_type for t in model.graph.initializer}
    return {
        tensors[node.input[2]]
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and len(node.input) > 2
    }
