"""bgcam on a processor that `emulated.py` has QEMU emulate: it starts, finds the person, and INT8 is right."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import Run
from numpy._core._multiarray_umath import __cpu_features__ as features
from tiny_model import SPEC, write_int8_model

from bgcam import __version__
from bgcam.realtime.command import cli
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.picture import native

HAS_AVX2 = {"Haswell": True, "Nehalem": False}[os.environ["BGCAM_CPU"]]


def test_the_processor_is_the_one_that_was_asked_for() -> None:
    assert (features["AVX2"], features["AVX512F"], features["SSE42"]) == (HAS_AVX2, False, True)
    assert native.LIBRARY is not None


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_matte_of_one_picture(bgcam: Run, in_tmp: Path, backend: str) -> None:
    picture = np.full((48, 64, 3), 20, np.uint8)
    picture[:, 32:] = 235  # bright is person
    cv2.imwrite("person.png", picture)
    code, _, err = bgcam("matte", "person.png", "matte.png", "--backend", backend)
    assert (code, err) == (0, "")
    alpha = cv2.imread("matte.png", cv2.IMREAD_GRAYSCALE)
    assert alpha[:, :28].max() < 10
    assert alpha[:, 36:].min() > 245


def test_openvinos_int8_is_the_same_as_in_floating_point(tmp_path: Path) -> None:
    """Far nearer than a backend may be to another: the very steps of INT8, by ONNX Runtime in floating point."""
    import onnx
    import onnxruntime as ort
    from onnx import numpy_helper

    from bgcam.realtime.model.backends.normalize import Normalize
    from bgcam.realtime.model.saturation import narrowed

    path = write_int8_model(tmp_path / "int8.onnx")
    found, _ = load_backend("openvino", path, SPEC, (64, 48), threads=1)
    assert found.description == "OpenVINO CPU, int8 and f32"
    # The weights that OpenVINO is given, in place of those of the file.
    model = onnx.load(path)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for name in "abcd":
        weights, scales = tensors[f"{name}_w"], tensors[f"{name}_scales"]
        result = narrowed(numpy_helper.to_array(weights), numpy_helper.to_array(scales))
        assert result is not None
        weights.CopyFrom(numpy_helper.from_array(result[0], weights.name))
        scales.CopyFrom(numpy_helper.from_array(result[1], scales.name))
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    bgr = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
    exact = session.run(None, {"picture": Normalize(SPEC)(bgr)})[0][0, 0]
    assert exact.std() > 0.05
    assert np.abs(found.infer(bgr) - exact).mean() < 1e-4
