"""What a model file says of itself, and finding a model file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import SPEC, write_tiny_model

from bgcam.export.checksums import write_checksums
from bgcam.realtime.errors import ModelError
from bgcam.realtime.model import find
from bgcam.realtime.model.spec import ModelSpec, read_spec
from bgcam.train.validate import input_size_wh


def test_a_spec_survives_json_and_the_onnx_file(tmp_path: Path) -> None:
    spec = replace(SPEC, sizes_wh=((64, 48), (48, 64)), channels="BGR", mean=(0.1, 0.2, 0.3), commit="abc")
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert read_spec(write_tiny_model(tmp_path / "m.onnx", spec=spec)) == spec


@pytest.mark.parametrize(
    ("source_wh", "expected"),
    [
        ((1280, 720), (320, 192)),
        ((640, 400), (320, 192)),
        ((640, 480), (320, 240)),
        ((480, 640), (240, 320)),
        ((10, 1000), (240, 320)),
        ((1000, 10), (320, 192)),
        # As near to 5:3 as to 4:3, which has more pixels; and to both of the largest, the first.
        ((640, 427), (320, 240)),
        ((2160, 1440), (320, 240)),
        ((1530, 1000), (320, 240)),
        ((1570, 1000), (320, 192)),
        ((500, 500), (320, 240)),
        ((490, 500), (240, 320)),
    ],
)
def test_the_input_size_of_the_nearest_aspect_is_taken(source_wh: tuple[int, int], expected: tuple[int, int]) -> None:
    assert SPEC.best_size_wh(source_wh) == expected
    assert input_size_wh(source_wh) == expected  # training's figures are of pictures as they are run


def test_a_model_without_a_spec_is_refused(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "m.onnx", spec=None)
    with pytest.raises(ModelError, match=r"m\.onnx: an ONNX model without bgcam's spec; export it"):
        read_spec(path)


@pytest.mark.parametrize("change", [{"channels": "GRAY"}, {"mean": [1, 2]}, {"surprise": 1}, {"sizes_wh": 3}])
def test_a_damaged_spec_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    class Damaged(ModelSpec):
        def to_json(self) -> str:
            return json.dumps(json.loads(super().to_json()) | change)

    path = write_tiny_model(tmp_path / "m.onnx", spec=Damaged("a", "b", "c"))
    with pytest.raises(ModelError, match="its spec is damaged"):
        read_spec(path)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.95])
def test_a_truncated_model_is_refused(tmp_path: Path, tiny_model: Path, cut: float) -> None:
    data = tiny_model.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        read_spec(path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("hello, I am a text file\n")
    with pytest.raises(ModelError, match="not an ONNX model"):
        read_spec(path)


def test_models_are_found_by_path_and_by_name(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MODELS_FOLDER", tiny_model.parent)
    assert find.find_model(str(tiny_model)) == tiny_model
    assert find.find_model("tiny") == tiny_model
    assert find.shipped_models() == ["tiny"]
    with pytest.raises(ModelError, match="unknown model 'huge'; shipped: tiny"):
        find.find_model("huge")
    with pytest.raises(ModelError, match=r"gone\.onnx: no such model file"):
        find.find_model(str(tmp_path / "gone.onnx"))
    monkeypatch.setattr(find, "DEFAULT_MODEL", "tiny")
    assert find.find_model(None) == tiny_model


def test_a_shipped_model_is_checked_against_the_table(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MODELS_FOLDER", tmp_path)
    path = tmp_path / "tiny.onnx"
    data = tiny_model.read_bytes()
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"tiny\.onnx: cannot be checked, as SHA256SUMS is missing beside it; install"):
        find.find_model("tiny")
    table = write_checksums(tmp_path)
    assert table.read_text() == f"{hashlib.sha256(data).hexdigest()}  tiny.onnx\n"
    assert find.find_model("tiny") == path
    path.write_bytes(data[:-1] + b"\0")
    with pytest.raises(ModelError, match=r"tiny\.onnx: not the file that was shipped \(by SHA256SUMS\), so it is dam"):
        find.find_model("tiny")
    assert find.find_model(str(path)) == path
    path.rename(tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="not the file that was shipped"):
        find.find_model("other")
    write_checksums(tmp_path)
    assert find.find_model("other") == tmp_path / "other.onnx"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["SHA256SUMS", "other.onnx"]
