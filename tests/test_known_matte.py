"""A network that is loaded is tried on a known picture: one with wrong weights or a broken driver is not used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_gpu import cupy
from numpy.typing import NDArray
from tiny_model import SPEC, write_tiny_model

from bgcam.export.checksums import write_checksums
from bgcam.export.known_mattes import write_known_mattes
from bgcam.realtime.errors import BackendError, ModelError
from bgcam.realtime.matte_values import clip_rounding
from bgcam.realtime.model import backends, known_matte
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.backends import openvino as openvino_module
from bgcam.realtime.model.backends.blob_cache import MAGIC, private_folder, seal, unseal
from bgcam.realtime.model.backends.openvino import OpenVINOBackend
from bgcam.realtime.model.find import MODELS_FOLDER, find_model, shipped_models
from bgcam.realtime.model.known_matte import (
    CELL_LIMIT,
    MEAN_LIMIT,
    TABLE,
    cells_of,
    difference,
    expected_cells,
    known_picture,
    why_wrong,
)
from bgcam.realtime.model.spec import read_spec

SIZE_WH = (64, 48)
Alpha = NDArray[np.float32]


def bright(picture: NDArray[np.uint8]) -> Alpha:
    """What the tiny model makes of a picture."""
    return 1 / (1 + np.exp(-40 * (picture.mean(axis=2) / 255 - 0.5), dtype=np.float32))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> NDArray[np.uint8]:
    """The tiny model's matte of the known picture is known, whatever model is loaded."""
    cells = cells_of(bright(known_picture(SIZE_WH)))
    monkeypatch.setattr(known_matte, "expected_cells", lambda *given, **options: cells)
    return cells


@pytest.mark.parametrize("name", shipped_models())
def test_every_shipped_model_has_a_known_matte_at_every_size(name: str) -> None:
    path = find_model(name)
    for size_wh in read_spec(path).sizes_wh:
        cells = expected_cells(path, size_wh)
        assert cells is not None, "python -m bgcam.export.checksums writes them"
        assert cells.shape == (size_wh[1] // 16, size_wh[0] // 16)
        assert 0.15 < (cells > 200).mean() < 0.7
        assert (cells < 5).mean() > 0.2


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", shipped_models())
def test_backends_stay_well_within_the_limits(backend: str, name: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed on this machine")
    path = find_model(name)
    spec = read_spec(path)
    for size_wh in spec.sizes_wh[:2]:
        expected = expected_cells(path, size_wh)
        assert expected is not None
        found, _ = load_backend(backend, path, spec, size_wh, threads=1)
        mean, most = difference(cells_of(clip_rounding(found.infer(known_picture(size_wh)))), expected)
        assert mean < MEAN_LIMIT / 3
        assert most < CELL_LIMIT / 2


def wrong_networks() -> dict[str, Any]:
    return {
        "everything": lambda bgr: np.ones(bgr.shape[:2], np.float32),
        "nothing": lambda bgr: np.zeros(bgr.shape[:2], np.float32),
        "the room": lambda bgr: 1 - bright(bgr),
        "half of it": lambda bgr: bright(bgr) / 2,
        "noise": lambda bgr: np.random.default_rng(0).random(bgr.shape[:2], np.float32),
        "mirrored": lambda bgr: bright(bgr)[:, ::-1],
        "moved by a cell": lambda bgr: np.roll(bright(bgr), 16, axis=1),
        "other colours": lambda bgr: bright(bgr) ** 4,
        "none": lambda bgr: np.full(bgr.shape[:2], np.nan, np.float32),
        "7": lambda bgr: bright(bgr) * 7,
    }


@pytest.mark.parametrize("name", wrong_networks())
def test_a_wrong_network_is_seen(known: NDArray[np.uint8], name: str) -> None:
    assert "its matte of a known picture is" in why_wrong(wrong_networks()[name], Path("any.onnx"), SIZE_WH)
    assert why_wrong(bright, Path("any.onnx"), SIZE_WH) == ""


def test_a_users_own_model_is_taken_as_it_is(tiny_model: Path) -> None:
    assert why_wrong(wrong_networks()["everything"], tiny_model, SIZE_WH) == ""


def test_a_backend_that_is_wrong_is_passed_over(
    known: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    class Wrong:
        name = description = "wrong"
        at_once = 1

        def __init__(self, *given: Any, **options: Any):
            pass

        def infer(self, bgr: NDArray[np.uint8]) -> Alpha:
            return np.ones(bgr.shape[:2], np.float32)

    class Right(Wrong):
        name = description = "right"
        infer = staticmethod(bright)  # type: ignore[assignment]

    monkeypatch.setattr(backends, "auto_order", lambda: ["wrong", "right"])
    monkeypatch.setattr(backends, "_backend_class", {"wrong": Wrong, "right": Right}.__getitem__)
    found, passed_over = load_backend("auto", tiny_model, SPEC, SIZE_WH)
    assert found.name == "right"
    assert len(passed_over) == 1
    assert passed_over[0].startswith("wrong: wrong: its matte of a known picture is wrong: alpha is off by 0.")
    with pytest.raises(BackendError, match="its matte of a known picture is wrong"):
        load_backend("wrong", tiny_model, SPEC, SIZE_WH)


@pytest.mark.usefixtures("empty_cache")
def test_a_wrong_network_in_the_cache_with_a_right_checksum_is_compiled_again(
    known: NDArray[np.uint8], tiny_model: Path, tmp_path: Path
) -> None:
    """As of a compiler that was wrong when it was written, or of who may write there and knows how."""
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    said: list[str] = []

    def opened(path: Path) -> OpenVINOBackend:
        return OpenVINOBackend(path, SPEC, SIZE_WH, threads=1, say=said.append)

    right = opened(tiny_model)
    (path,) = private_folder("openvino").glob("*.blob")
    opened(write_tiny_model(tmp_path / "all.onnx", threshold=-5.0))
    (other,) = (one for one in private_folder("openvino").glob("*.blob") if one != path)
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
    blob = openvino_module.Blob(openvino_module._core(), tiny_model, SIZE_WH, config, has_head=True, say=said.append)
    unseal(blob.key, path.read_bytes())
    path.write_bytes(seal(blob.key, other.read_bytes()[len(MAGIC) + 65 :]))
    said.clear()
    again = opened(tiny_model)
    assert len(said) == 1
    assert "recompiling the network in the cache: its matte of a known picture is wrong" in said[0]
    picture = known_picture(SIZE_WH)
    assert np.array_equal(again.infer(picture), right.infer(picture))


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("heals", [True, False])
def test_a_wrong_engine_is_built_again_and_then_given_up(
    known: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, tiny_model: Path, heals: bool
) -> None:
    from bgcam.realtime.model.backends import tensorrt

    infers = iter([wrong_networks()["everything"], bright if heals else wrong_networks()["nothing"]])

    class Engine:
        at_once, description = 1, "engine"

        def __init__(self, *given: Any, **options: Any):
            self.infer, self.network = next(infers), None

    class Opener:
        def __init__(self) -> None:
            self.cupy, self.forgot = cupy, 0

        def is_ready(self, *given: Any) -> bool:
            return True

        def open(self, *given: Any, **options: Any) -> None:
            return None

        def forget(self, *given: Any) -> None:
            self.forgot += 1

    monkeypatch.setattr(tensorrt, "EngineBackend", Engine)
    found, said = Opener(), list[str]()

    def load() -> tensorrt.TensorRTBackend:
        return tensorrt.TensorRTBackend(tiny_model, SPEC, SIZE_WH, opener=found, say=said.append)  # type: ignore[arg-type]

    if heals:
        assert np.array_equal(load().infer(known_picture(SIZE_WH)), bright(known_picture(SIZE_WH)))
        assert found.forgot == 1
    else:
        with pytest.raises(BackendError, match="tensorrt: its matte of a known picture is wrong"):
            load()
    assert said[0].startswith("rebuilding the engine: its matte of a known picture is wrong")


def test_the_table_is_written_by_backends_that_agree(tmp_path: Path) -> None:
    for backend in ("openvino", "onnxruntime"):
        pytest.importorskip(backend, reason=f"{backend} is not installed on this machine")
    model = write_tiny_model(tmp_path / "tiny.onnx")
    write_known_mattes(tmp_path, witnesses=("openvino", "onnxruntime"))
    write_checksums(tmp_path)
    for size_wh in SPEC.sizes_wh:
        cells = expected_cells(model, size_wh, folder=tmp_path)
        assert cells is not None
        assert difference(cells, cells_of(bright(known_picture(size_wh))))[1] < 0.05
        assert why_wrong(bright, model, size_wh, folder=tmp_path) == ""
        assert why_wrong(wrong_networks()["everything"], model, size_wh, folder=tmp_path)
    with pytest.raises(BackendError, match="two backends have to agree"):
        write_known_mattes(tmp_path, witnesses=("openvino",))


def test_a_table_that_is_damaged_is_said(tmp_path: Path, tiny_model: Path) -> None:
    table = tmp_path / TABLE
    table.write_bytes((MODELS_FOLDER / TABLE).read_bytes())
    write_checksums(tmp_path)
    assert expected_cells(tiny_model, SIZE_WH, folder=tmp_path) is None
    table.write_text(json.dumps({}))
    with pytest.raises(ModelError, match=r"known_mattes\.json: not the file that was shipped"):
        expected_cells(tiny_model, SIZE_WH, folder=tmp_path)


def test_the_known_picture_has_the_sizes_aspect() -> None:
    for size_wh in ((320, 192), (240, 320), (64, 64)):
        picture = known_picture(size_wh)
        assert picture.shape == (size_wh[1], size_wh[0], 3)
        assert not picture.flags.writeable
    whole = cv2.imread(str(known_matte.PICTURE))
    assert whole is not None
    np.testing.assert_array_equal(known_picture((64, 64)), cv2.resize(whole, (64, 64), interpolation=cv2.INTER_AREA))
