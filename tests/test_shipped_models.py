"""The models that come with bgcam: whole, for every backend, and as good as their card says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from bgcam.benchmarks.quality import choose_pairs, shipped
from bgcam.export.quantize import activation_types
from bgcam.realtime.command.demo.clip import DemoCamera
from bgcam.realtime.command.demo.room import draw_room
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.model.find import CHECKSUMS, DEFAULT_MODEL, MODELS_FOLDER, find_model, sha256_of, shipped_models
from bgcam.realtime.model.known_matte import TABLE
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.spec import read_spec
from bgcam.realtime.picture.guided_filter import whole_matte
from bgcam.train.metrics import iou
from bgcam.train.pairs import read_alpha, read_rgb

ROOT = Path(__file__).resolve().parents[1]
TEST_SET = ROOT.parent / "shared" / "data" / "test_eg1800"
# Person IoU on the EG1800 test when the file was made; a gate, not a goal. See models/README.md.
EG1800_IOU = {"resnet50_half": 95.75, "fast": 95.7, "light": 95.1}
DROP = 0.3
# Of the demo. The rest is the helmet that she holds: `fast` and `resnet50_half` keep a part of it, `light` nothing.
DEMO_IOU = {"resnet50_half": 90, "fast": 90, "light": 87}
MODELS = sorted(shipped_models())


def test_the_default_model_is_among_them() -> None:
    assert DEFAULT_MODEL in MODELS
    assert set(MODELS) == set(EG1800_IOU)


def test_the_table_of_checksums_is_of_these_files() -> None:
    lines = (MODELS_FOLDER / CHECKSUMS).read_text().splitlines()
    files = [*(f"{name}.onnx" for name in MODELS), TABLE]
    found = [f"{sha256_of(MODELS_FOLDER / name)}  {name}" for name in files]
    assert lines == found, "after exchanging a model run: python -m bgcam.export.checksums"


@pytest.mark.parametrize("name", MODELS)
def test_the_file_is_small_signed_int8_and_says_what_it_is(name: str) -> None:
    path = find_model(name)
    spec = read_spec(path)
    assert spec.name == name
    assert spec.precision == "int8"
    assert spec.training_data
    assert spec.licence
    assert path.stat().st_size < 60e6
    assert activation_types(onnx.load(path)) == {TensorProto.INT8}


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", MODELS)
def test_it_finds_the_person_of_the_demo(name: str, backend: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed on this machine")
    camera = DemoCamera()
    matting = Matting(find_model(name), backend=backend, threads=1)
    for number in (0, 40, 110):
        frame = CameraFrame(number, camera.frame(number), 0.0, 0.0)
        matte = whole_matte(frame, matting(frame))
        assert iou(matte.alpha, camera.alpha(number)) > DEMO_IOU[name]


@pytest.mark.parametrize("name", MODELS)
def test_it_finds_nobody_in_the_demos_empty_room(name: str) -> None:
    matte = Matting(find_model(name), threads=1)(CameraFrame(0, draw_room(), 0.0, 0.0))
    assert matte.alpha.mean() < 0.02


@pytest.mark.skipif(not TEST_SET.is_dir(), reason="the EG1800 test pictures are not beside this checkout")
@pytest.mark.parametrize("name", MODELS)
def test_its_iou_has_not_dropped(name: str) -> None:
    alpha_of = shipped(name, backend="auto").alpha_of
    pairs = choose_pairs(TEST_SET)
    scores = [iou(alpha_of(read_rgb(p.image)[..., ::-1]), read_alpha(p).astype(np.float32) / 255) for p in pairs]  # type: ignore[arg-type]
    assert len(scores) == 264
    assert float(np.mean(scores)) > EG1800_IOU[name] - DROP
