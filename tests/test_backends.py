"""Both backends on the tiny model: the same alpha, in both orientations and channel orders; and choosing one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import SPEC, write_int8_model, write_tiny_model

from bgcam.packages import missing
from bgcam.realtime.errors import BackendError, UsageError
from bgcam.realtime.model import backends
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.saturation import MOST_OF_A_PAIR, worst_pairs

SIZES_WH = [(64, 48), (48, 64), (80, 48)]
# bf16, where the processor has it, is coarser; the tiny model is steep, so that it would show.
TOLERANCE = {"f32": 2e-3, "bf16": 1e-2, "f16": 1e-2}


def pictures(size_wh: tuple[int, int], count: int = 3) -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(size_wh)
    for _ in range(count):
        yield random.integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def expected_alpha(bgr: NDArray[np.uint8]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-40 * (bgr.mean(axis=2) / 255 - 0.5)))


@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_both_backends_compute_the_model(tiny_model: Path, size_wh: tuple[int, int]) -> None:
    loaded = [load_backend(name, tiny_model, SPEC, size_wh, threads=1)[0] for name in ("openvino", "onnxruntime")]
    tolerance = TOLERANCE[loaded[0].description.split()[-1]]
    for bgr in pictures(size_wh):
        for backend in loaded:
            alpha = backend.infer(bgr)
            assert alpha.shape == bgr.shape[:2]
            assert alpha.dtype == np.float32
            assert np.abs(alpha - expected_alpha(bgr)).max() < tolerance, backend.name


def test_both_backends_compute_an_int8_model_the_same(tmp_path: Path) -> None:
    path = write_int8_model(tmp_path / "int8.onnx")
    loaded = [load_backend(name, path, SPEC, (64, 48), threads=1)[0] for name in ("openvino", "onnxruntime")]
    assert "int8" in loaded[0].description
    assert "in place of" not in loaded[0].description
    for bgr in pictures((64, 48)):
        ours, theirs = (backend.infer(bgr) for backend in loaded)
        assert theirs.std() > 0.05
        assert np.abs(ours - theirs).mean() < 0.01


def test_openvino_gets_no_weights_that_saturate_without_vnni(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    from bgcam.realtime.model.backends._narrow_weights import narrow_weights
    from bgcam.realtime.model.backends.openvino import _core

    path = write_int8_model(tmp_path / "int8.onnx")
    model = _core().read_model(path)
    assert narrow_weights(model) == 4
    assert narrow_weights(model) == 0
    stored = [np.array(n.get_data()) for n in model.get_ordered_ops() if n.get_type_name() == "Constant"]
    weights = [values for values in stored if values.dtype == np.int8 and values.ndim == 4]
    assert len(weights) == 4
    assert max(worst_pairs(values).max() for values in weights) <= MOST_OF_A_PAIR
    # What it computes is as it was, but for the bit that the weights lost.
    before, after = (_core().compile_model(m, "CPU") for m in (_core().read_model(path), model))
    picture = np.random.default_rng(0).normal(size=(1, 3, 48, 64)).astype(np.float32)
    alphas = [np.array(compiled(picture)[0]) for compiled in (before, after)]
    assert 0 < np.abs(alphas[0] - alphas[1]).mean() < 0.01


@pytest.mark.parametrize("primitive", ["brgconv_avx512_amx_i8", "jit_avx2_I8", "jit_avx2_FP32", "ref_any_f32"])
def test_openvino_says_whether_it_runs_int8(primitive: str) -> None:
    from bgcam.realtime.model.backends.openvino import runs_int8

    def node(kind: str, primitive: str) -> SimpleNamespace:
        told = {"layerType": Text(kind), "primitiveType": Text(primitive)}
        return SimpleNamespace(get_rt_info=lambda: told)

    graph = [node("Reorder", "jit_uni_i8"), node("Convolution", "jit_avx2_FP32"), node("Convolution", primitive)]
    compiled = SimpleNamespace(get_runtime_model=lambda: SimpleNamespace(get_ordered_ops=lambda: graph))
    assert runs_int8(compiled) == primitive.lower().endswith("i8")


class Text(str):
    """As OpenVINO's information on a node: `astype(str)` gives its words."""

    def astype(self, kind: type[str]) -> str:
        return kind(self)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_channel_order_and_scale_are_the_specs(tmp_path: Path, name: str, channels: str) -> None:
    # The model undoes mean and std in its own channel order, so a swap of two channels would show.
    spec = replace(SPEC, channels=channels, mean=(0.0, 0.5, 1.0), std=(1.0, 0.25, 0.05))
    path = write_tiny_model(tmp_path / "m.onnx", spec=spec, gain=4)
    backend, _ = load_backend(name, path, spec, (32, 16), threads=1)
    swapped = replace(spec, channels="BGR" if channels == "RGB" else "RGB", mean=spec.mean[::-1], std=spec.std[::-1])
    bgr = next(pictures((32, 16)))
    expected = 1 / (1 + np.exp(-4 * (bgr.mean(axis=2) / 255 - 0.5)))
    assert np.abs(backend.infer(bgr) - expected).max() < 1e-2
    wrong, _ = load_backend(name, path, swapped, (32, 16), threads=1)
    assert np.abs(wrong.infer(bgr) - expected).max() > 0.1


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_infer_works_from_several_threads(tiny_model: Path, name: str) -> None:
    backend, _ = load_backend(name, tiny_model, SPEC, (64, 48), threads=1)
    inputs = list(pictures((64, 48), 24))
    with ThreadPoolExecutor(4) as pool:
        for bgr, alpha in zip(inputs, pool.map(backend.infer, inputs), strict=True):
            assert np.abs(alpha - expected_alpha(bgr)).max() < 1e-2


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_picture_of_another_size_is_refused(tiny_model: Path, name: str) -> None:
    backend, _ = load_backend(name, tiny_model, SPEC, (64, 48), threads=1)
    with pytest.raises(ValueError, match=r"expected \(48, 64, 3\) uint8, found \(64, 48, 3\)"):
        backend.infer(np.zeros((64, 48, 3), np.uint8))


def test_signals_still_work_when_backends_are_gone(tiny_model: Path) -> None:
    # An OpenVINO Core moves the thread's signal stack; of two, the second gave back one that the first had freed.
    code = f"""
import os, signal
from pathlib import Path
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.spec import read_spec
path = Path({str(tiny_model)!r})
loaded = [load_backend("openvino", path, read_spec(path), size, threads=1)[0] for size in ((64, 48), (48, 64))]
while loaded:
    del loaded[0]
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGTERM)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "heard\n"), ran.stderr


def test_auto_says_why_it_passed_one_over(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "auto_order", lambda: ["openvino", "onnxruntime"])
    monkeypatch.setitem(sys.modules, "openvino", None)  # as if it were not installed
    backend, passed_over = load_backend("auto", tiny_model, SPEC, (64, 48), threads=1)
    assert backend.name == "onnxruntime"
    assert passed_over == [f"openvino: {missing('openvino')}"]


@pytest.mark.parametrize(("name", "line"), [("openvino", "openvino"), ("onnxruntime", "onnxruntime")])
def test_an_explicit_backend_never_falls_back(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendError) as caught:
        load_backend(name, tiny_model, SPEC, (64, 48))
    assert str(caught.value).endswith(f"pip install {line}")


def test_auto_without_any_backend_says_all_reasons(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("openvino", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendError, match=r"no backend can run.*pip install openvino; .*pip install onnxruntime"):
        load_backend("auto", tiny_model, SPEC, (64, 48))


def test_an_unknown_backend_is_a_usage_error(tiny_model: Path) -> None:
    with pytest.raises(
        UsageError, match="unknown backend 'cuda'; choose one of: auto, openvino, openvino-fp32, onnxruntime"
    ):
        load_backend("cuda", tiny_model, SPEC, (64, 48))


@pytest.mark.parametrize(
    ("machine", "first"), [("x86_64", "openvino"), ("AMD64", "openvino"), ("arm64", "onnxruntime")]
)
def test_auto_begins_with_the_fastest_for_the_machine(
    monkeypatch: pytest.MonkeyPatch, machine: str, first: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert backends.auto_order()[0] == first
    assert sorted(backends.auto_order()) == ["onnxruntime", "openvino"]


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_model_that_does_not_load_is_a_backend_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x08\x07\x3a\x7f")
    with pytest.raises(BackendError, match=rf"{name} cannot load .*broken\.onnx at 64x48 \(.+\)") as caught:
        load_backend(name, path, SPEC, (64, 48))
    assert "\n" not in str(caught.value)


def test_openvino_reports_nothing_to_anybody(tiny_model: Path) -> None:
    script = """
import sys
from pathlib import Path
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.spec import read_spec
path = Path(sys.argv[1])
load_backend("openvino", path, read_spec(path), (64, 48))
sys.exit(any(name.startswith("openvino_telemetry.") for name in sys.modules))
"""
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    assert subprocess.run([sys.executable, "-c", script, str(tiny_model)], check=False).returncode == 0


def test_onnxruntime_keeps_nothing_to_report(tiny_model: Path, tmp_path: Path) -> None:
    """Its packages queue events for an analytics service in the user's cache."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed on this machine")
    script = """
import sys
from pathlib import Path
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.spec import read_spec
path = Path(sys.argv[1])
load_backend("onnxruntime", path, read_spec(path), (64, 48))
"""
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environ.pop("ORT_DISABLE_TELEMETRY", None)
    assert subprocess.run([sys.executable, "-c", script, str(tiny_model)], check=False, env=environ).returncode == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("flags", "slow"),
    [
        ("avx2 avx512_bf16 avx512_vnni", True),
        ("avx512_bf16 amx_bf16 amx_int8 amx_tile", False),
        ("avx2", False),
        (None, False),
    ],
)
def test_int8_models_leave_bf16_alone_where_it_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, slow: bool
) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    from bgcam.realtime.model.backends import openvino as module

    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(
            f"processor\t: 0\nflags\t\t: fpu {flags}\n\nprocessor\t: 1\n", encoding="utf-8"
        )
    assert module.bf16_is_slow() == slow
    path = write_int8_model(tmp_path / "int8.onnx")
    loaded = module.OpenVINOBackend(path, SPEC, (64, 48), threads=1)
    own = module._core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
    assert loaded.description == f"OpenVINO CPU, int8 and {'f32' if slow else own}"
