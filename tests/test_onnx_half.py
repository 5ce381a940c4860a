"""FP16 models compute what the FP32 ones do, and nothing that must stay FP32 is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from tiny_model import write_int8_model

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.onnx_graph import at_size, initializers, load_onnx, without_quantizers
from bgcam.realtime.model.onnx_half import to_float16


@pytest.fixture
def model(tmp_path: Path) -> onnx.ModelProto:
    fixed: onnx.ModelProto = at_size(load_onnx(write_int8_model(tmp_path / "m.onnx")), (64, 48))
    return fixed


def run(model: onnx.ModelProto) -> NDArray[np.float32]:
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    # Its optimisations compute quantizers with scales in FP16 wrongly.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    dtype = np.float16 if "float16" in session.get_inputs()[0].type else np.float32
    x = np.random.default_rng(0).normal(0, 1, (1, 3, 48, 64)).astype(dtype)
    alpha: NDArray[np.float32] = session.run(None, {"picture": x})[0].astype(np.float32)
    return alpha


@pytest.mark.parametrize("quantized", [False, True])
def test_the_matte_is_the_same(model: onnx.ModelProto, quantized: bool) -> None:
    given = model if quantized else without_quantizers(model)
    expected = run(given)
    assert expected.std() > 0.05
    # A step of a quantizer may tip over by FP16's rounding.
    assert np.abs(run(to_float16(given)) - expected).mean() < (3e-3 if quantized else 1e-3)


def test_only_a_resizes_scales_stay_single(model: onnx.ModelProto) -> None:
    half = to_float16(model)
    assert {n for n, v in initializers(half).items() if v.dtype == np.float32} == {"twice"}
    ends = [value.type.tensor_type.elem_type for value in (*half.graph.input, *half.graph.output)]
    assert ends == [TensorProto.FLOAT16] * 2
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT


def test_a_constant_beyond_fp16_is_refused(model: onnx.ModelProto) -> None:
    plain = without_quantizers(model)
    tensor = next(t for t in plain.graph.initializer if t.name == "a_wf")
    values = numpy_helper.to_array(tensor) * np.float32(1e7)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(BackendError, match=r"cannot run in fp16: its constant a_wf reaches \d"):
        to_float16(plain)


def test_quantizers_of_an_old_opset_are_refused(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 17
    with pytest.raises(BackendError, match="opset 17 is too old for int8; export it again"):
        to_float16(model)
