"""`python -m bgcam.export --to tensorrt-rtx`: a real engine, built without a GPU, or one line and no file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import onnx
import pytest
from tiny_model import SPEC, write_int8_model

from bgcam.export import engine, onnx_file
from bgcam.export.__main__ import main
from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.engine_file import read_engine
from bgcam.realtime.model.spec import read_spec
from bgcam.train import checkpoint as ckpt

needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed on this machine"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_int8_model(tmp_path / "small.onnx")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is one: these are about engines for others."""

    def none() -> None:
        raise BackendError("no GPU")

    monkeypatch.setattr(engine, "gpu", none)


def export(model: Path, name: str, *options: str) -> int:
    return main([str(model), "--to", "tensorrt-rtx", "-o", str(model.parent / name), *options])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@needs_rtx
@pytest.mark.parametrize(("precision", "kind"), [("fp16", "HALF"), ("int8", "HALF"), ("fp32", "FLOAT")])
def test_an_engine_is_written_and_read_back(
    model: Path, capsys: pytest.CaptureFixture[str], precision: str, kind: str
) -> None:
    options = ["--precision", precision, "--size", "64x48", "--compute-capability", "SM75"]
    assert export(model, "m.engine", *options, "--compute-capability", "SM89") == 0
    manifest, data = read_engine(model.parent / "m.engine")
    assert data[:4] == b"vtrt"
    assert (manifest.input, manifest.output) == (
        ("picture", (1, 3, 48, 64), kind),
        ("alpha", (1, 1, 48, 64), kind),
    )
    assert (manifest.compute_capabilities, manifest.precision) == (("SM75", "SM89"), precision)
    spec = read_spec(model.parent / "m.engine")
    assert (spec.name, spec.sizes_wh, spec.precision) == (SPEC.name, ((64, 48),), precision)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{precision} on the CPU against fp32: alpha difference mean 0.0")
    assert last.endswith(f"MB, 64x48 in {precision} for SM75, SM89")
    assert files(model.parent) == ["m.engine", "small.onnx"]


@needs_rtx
def test_a_checkpoint_goes_by_way_of_onnx(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ckpt, "load", lambda path: path)
    monkeypatch.setattr(onnx_file, "to_onnx", lambda checkpoint: onnx.load(model))
    monkeypatch.setattr(onnx_file, "spec_of", lambda checkpoint, precision, name: SPEC)
    assert export(model.with_suffix(".pt"), "m.engine", "--compute-capability", "SM89") == 0
    assert read_spec(model.parent / "m.engine").sizes_wh == (SPEC.sizes_wh[0],)


@needs_rtx
@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("m.engine", [], "tensorrt-rtx builds for the GPU of this machine, and there is none; or state --compute-cap"),
        ("m.engine", ["--compute-capability", "SM10"], "tensorrt_rtx cannot build for SM10; choose from: CURRENT, SM"),
        ("m.onnx", ["--compute-capability", "SM89"], "m.onnx: an engine's name has to end in .engine"),
        ("m.engine", ["--compute-capability", "SM89", "--size", "64x49"], "the model cannot have an input of 64x49"),
    ],
)
def test_what_cannot_be_is_one_line_and_no_file(
    model: Path, capsys: pytest.CaptureFixture[str], name: str, options: list[str], line: str
) -> None:
    assert export(model, name, *options) == 1
    said = capsys.readouterr().err
    assert said.startswith("bgcam.export: ")
    assert line in said
    assert said.count("\n") == 1
    assert files(model.parent) == ["small.onnx"]


@needs_rtx
def test_an_engine_that_strays_is_not_written(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(engine.LIMITS, "fp16", 0.0)
    assert export(model, "m.engine", "--size", "64x48", "--compute-capability", "SM89") == 1
    assert "fp16 on the CPU differs from fp32 by 0.000" in capsys.readouterr().err
    assert files(model.parent) == ["small.onnx"]


@pytest.mark.parametrize(
    ("options", "line"),
    [([], "--data is needed"), (["--data", "x", "--precision", "fp16"], "ONNX files are int8 or fp32")],
)
def test_onnx_needs_data(model: Path, capsys: pytest.CaptureFixture[str], options: list[str], line: str) -> None:
    with pytest.raises(SystemExit):
        main([str(model), "-o", "m.onnx", *options])
    assert line in capsys.readouterr().err
