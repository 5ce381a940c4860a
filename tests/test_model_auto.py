"""`--model auto`: what is taken, on what, and that timing happens once and in bounded time. All times are made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_model import SPEC, write_int8_model

from bgcam.export.checksums import write_checksums
from bgcam.realtime import cores
from bgcam.realtime.errors import BackendError, BgcamError
from bgcam.realtime.model import auto, backends
from bgcam.realtime.model.auto import BUDGET_S, Choice, Known, choose, choose_model, matte_time
from bgcam.realtime.model.backends import load_backend
from bgcam.realtime.model.backends.openvino import OpenVINOBackend
from bgcam.realtime.model.spec import read_spec
from bgcam.realtime.model.times import Timed, read_cache, write_cache

NAMES = ["best", "middle", "quick"]
LIMIT_MS = 1000 / 30 / 4
OTHERS = ["float", "other"]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models that nobody runs, and a cache beside them: cache/times.json."""
    for name in NAMES:
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    write_checksums(tmp_path)
    monkeypatch.setattr("bgcam.realtime.model.find.MODELS_FOLDER", tmp_path)
    monkeypatch.setattr(auto, "BY_QUALITY", tuple(NAMES))
    monkeypatch.setattr(auto, "cache_file", lambda: tmp_path / "cache" / "times.json")
    return tmp_path


class Machine:
    """A machine with made-up times, by (model, backend); every measurement takes `each_s`. asked: what was timed."""

    def __init__(
        self, folder: Path, times: dict[tuple[str, str], float | Timed | BaseException], *, each_s: float = 0.5
    ):
        self.asked: list[tuple[str, str]] = []
        self.beat_ms: list[float] = []
        self.now_s = 100.0
        self.times, self._each_s, self._cache = times, each_s, folder / "cache" / "times.json"

    def _time(self, path: Path, backend: str, beat_ms: float) -> Timed:
        self.asked.append((path.stem, backend))
        self.beat_ms.append(beat_ms)
        self.now_s += self._each_s
        found = self.times[path.stem, backend]
        if isinstance(found, BaseException):
            raise found
        return found if isinstance(found, Timed) else Timed(found)

    def start(self, *, others: list[str] | None = None, key: str = "here", limit_ms: float = LIMIT_MS) -> Choice:
        """What a start of bgcam takes. asked has what this start timed."""
        self.asked = []
        known = Known(key, self._cache, self._time, clock=lambda: self.now_s)
        return choose(NAMES, "usual", OTHERS if others is None else others, limit_ms=limit_ms, known=known)


Make = Callable[..., Machine]


@pytest.fixture
def machine(models: Path) -> Make:
    return lambda times, **more: Machine(models, times, **more)


def usual(best: float, middle: float, quick: float) -> dict[tuple[str, str], float | Timed | BaseException]:
    return {("best", "usual"): best, ("middle", "usual"): middle, ("quick", "usual"): quick}


@pytest.mark.parametrize(
    ("times", "fps", "name", "timed"),
    [
        ((8.0, 4.0, 2.0), 30, "best", 1),  # a quarter of 33 ms is 8.3
        ((8.0, 4.0, 2.0), 60, "middle", 2),
        ((80.0, 40.0, 20.0), 30, "quick", 3),
        ((80.0, 90.0, 100.0), 30, "best", 3),
    ],
)
def test_the_best_that_leaves_the_machine_free_else_the_quickest(
    machine: Make, times: tuple[float, float, float], fps: float, name: str, timed: int
) -> None:
    made = machine(usual(*times))
    assert made.start(others=[], limit_ms=1000 / fps / 4).model == name
    assert len(made.asked) == timed, "a worse model is not timed where a better one is fast enough"


@pytest.mark.parametrize(
    ("best_ms", "name", "timed"),
    [(16.0, "best", 2), (17.0, "quick", 3)],  # half of 33 ms is 16.7
)
def test_a_clearly_worse_model_is_for_machines_that_cannot_run_the_others(
    machine: Make, monkeypatch: pytest.MonkeyPatch, best_ms: float, name: str, timed: int
) -> None:
    monkeypatch.setattr(auto, "LESSER", ("quick",))
    made = machine(usual(best_ms, 40.0, 2.0))
    assert made.start(others=[]).model == name
    assert len(made.asked) == timed
    only = machine(
        usual(best_ms, 40.0, 2.0) | {("best", "usual"): BackendError("no"), ("middle", "usual"): BackendError("no")}
    )
    assert only.start(others=[], key="elsewhere").model == "quick", "where nothing else runs"


@pytest.mark.parametrize(
    ("float_ms", "other_ms", "first"),
    [
        (14.0, 15.0, ""),  # slower
        (6.5, 15.0, ""),  # within the noise
        (5.0, 15.0, "float"),
        (5.0, 4.0, "other"),
        (BackendError("no such instruction"), 4.0, "other"),
        (BackendError("its matte of a known picture is wrong"), 15.0, ""),
        (RuntimeError("a library's own"), RuntimeError("another"), ""),
    ],
)
def test_another_backend_is_taken_where_it_is_clearly_faster(
    machine: Make, float_ms: float | Exception, other_ms: float | Exception, first: str
) -> None:
    made = machine(usual(7.0, 4.0, 2.0) | {("best", "float"): float_ms, ("best", "other"): other_ms})
    for _ in range(2):
        choice = made.start()
        assert (choice.model, choice.first) == ("best", first)
    assert made.asked == [], "timed once"


def test_the_line_says_all_that_was_timed(machine: Make) -> None:
    made = machine(usual(9.0, 6.0, 2.0) | {("best", "float"): 20.0, ("best", "other"): 30.0, ("middle", "float"): 4.0})
    made.times["middle", "other"] = 12.0
    assert made.start().lines == [
        "model auto: middle on float, best 9.0 ms (float 20.0, other 30.0), middle 6.0 ms (float 4.0, other 12.0) per "
        "matte"
    ]


def test_a_better_model_is_kept_if_another_backend_makes_it_fast_enough(machine: Make) -> None:
    made = machine(usual(12.0, 4.0, 2.0) | {("best", "float"): 8.0, ("best", "other"): 20.0})
    choice = made.start()
    assert (choice.model, choice.first) == ("best", "float")
    assert ("middle", "usual") not in made.asked


def test_a_busy_moment_does_not_decide_for_good(machine: Make) -> None:
    """The usual backend was timed while the machine was busy: before another one is taken, it is timed once more."""
    made = machine(usual(7.9, 4.0, 2.0) | {("best", "float"): 5.0, ("best", "other"): 9.0})
    time = made._time

    def calmer(path: Path, backend: str, beat_ms: float) -> Timed:
        found = time(path, backend, beat_ms)
        made.times["best", "usual"] = 4.5
        return found

    made._time = calmer
    for _ in range(2):
        assert made.start() == Choice("best", "", ["model auto: best, best 4.5 ms (float 5.0, other 9.0) per matte"])
    assert made.asked == []


def test_a_backend_for_several_mattes_at_once_is_compared_by_what_each_costs(machine: Make) -> None:
    # For a file, the usual one computes four mattes at a time, the other uses the whole machine for one.
    times = usual(7.0, 4.0, 2.0) | {("best", "usual"): Timed(7.0, 4), ("best", "float"): Timed(6.0, 4)}
    choice = machine(times | {("best", "other"): Timed(3.0, 1)}).start()
    assert choice.first == "float"


def test_others_have_to_beat_the_best_so_far(machine: Make) -> None:
    made = machine(usual(7.0, 4.0, 2.0) | {("best", "float"): 5.0, ("best", "other"): 9.0})
    made.start()
    assert made.beat_ms[:3] == [float("inf"), 7.0, 5.0]


def test_no_other_backend_is_begun_when_the_time_is_over_and_the_next_start_goes_on(machine: Make) -> None:
    times = usual(7.0, 4.0, 2.0) | {("best", "float"): 9.0, ("best", "other"): 3.0}
    made = machine(times, each_s=BUDGET_S * 0.4)
    begun = made.start()
    assert begun.first == ""
    assert made.asked == [("best", "usual"), ("best", "float")]
    assert begun.lines[0] == "model auto: the next start goes on with the timing of best on other"
    second = made.start()
    assert second.first == "other"
    assert made.asked == [("best", "other"), ("best", "usual")]
    assert len(second.lines) == 1
    assert made.start().first == "other"
    assert made.asked == []


def test_what_kills_the_process_is_not_tried_again(machine: Make) -> None:
    class Killed(BaseException):
        """As near to a signal as a test can come."""

    made = machine(usual(7.0, 4.0, 2.0) | {("best", "float"): Killed(), ("best", "other"): 9.0})
    with pytest.raises(Killed):
        made.start()
    made.times["best", "float"] = 1.0
    assert made.start().first == ""
    assert made.asked == [("best", "other")]


def test_models_are_timed_again_when_a_file_or_the_machine_changes(machine: Make, models: Path) -> None:
    made = machine(usual(80.0, 40.0, 20.0))
    made.start(others=[])
    assert made.asked == [(name, "usual") for name in NAMES]
    (models / "quick.onnx").write_bytes(b"another")
    write_checksums(models)
    made.start(others=[])
    assert made.asked == [("quick", "usual")]
    made.start(others=[], key="elsewhere")
    assert made.asked == [(name, "usual") for name in NAMES]


def test_the_key_names_processor_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set()
    for flags in ("avx2 fma", "avx2 fma avx_vnni"):
        (tmp_path / "cpuinfo").write_text(f"model name\t: A\nflags\t\t: {flags}\nbogomips\t: 1\n\nmodel name\t: A\n")
        monkeypatch.setattr(cores, "CPUINFO", tmp_path / "cpuinfo")
        keys.add(auto.machine_key())
        assert auto.machine_key() == auto.machine_key()
    (tmp_path / "cpuinfo").write_text("model name\t: A\nflags\t\t: avx2 fma\nbogomips\t: 2\n\nmodel name\t: A\n")
    keys.add(auto.machine_key())
    monkeypatch.setattr(cores, "CPUINFO", tmp_path / "no such file")
    keys.add(auto.machine_key())
    monkeypatch.setattr("importlib.metadata.version", lambda package: "9999")
    keys.add(auto.machine_key())
    assert len(keys) == 4
    assert any("openvino 9999" in key for key in keys)


@pytest.mark.parametrize(
    ("machine_name", "installed", "backend", "expected"),
    [
        ("x86_64", ("openvino", "onnxruntime"), "auto", ["openvino-fp32", "onnxruntime"]),
        ("x86_64", ("openvino",), "auto", ["openvino-fp32"]),
        ("x86_64", ("onnxruntime",), "auto", []),  # "auto" looks for OpenVINO first, and says that it is missing
        ("aarch64", ("onnxruntime",), "auto", ["onnxruntime-fp32"]),
        ("aarch64", ("onnxruntime", "openvino"), "auto", ["onnxruntime-fp32", "openvino", "openvino-fp32"]),
        ("x86_64", ("openvino", "onnxruntime"), "openvino", []),  # the user has chosen
    ],
)
def test_what_is_compared(
    monkeypatch: pytest.MonkeyPatch, machine_name: str, installed: tuple[str, ...], backend: str, expected: list[str]
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine_name)
    monkeypatch.setattr(backends, "_is_installed", lambda module: module in installed)
    assert auto.alternatives(backend) == expected


def test_nothing_is_compared_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "auto_order", lambda: ["torch", "openvino", "onnxruntime"])
    assert auto.alternatives("auto") == []


def test_a_model_that_does_not_run_is_passed_over_and_said(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times_ms = {"middle": 20.0, "quick": 6.0}

    def fake(path: Path, frame_wh: tuple[int, int], **_options: object) -> Timed:
        if path.stem == "best":
            raise BackendError("no such instruction")
        return Timed(times_ms.pop(path.stem))

    monkeypatch.setattr(auto, "matte_time", fake)
    choice = choose_model((1280, 720), fps=30, backend="openvino", threads=0)
    assert choice.model == "quick"
    assert choice.lines[0] == "model auto: skipped best: no such instruction"
    assert "quick, middle 20.0 ms, quick 6.0 ms per matte; the limit is 25% of a frame at 30 fps" in choice.lines[1]
    assert "timing the models on this machine, for about 5 s; the times are kept\n" in capsys.readouterr().out
    assert choose_model((1280, 720), fps=30, backend="openvino", threads=0).model == "quick"
    assert not times_ms, "timed once"


@pytest.mark.parametrize("said", ["{0} is broken", "the package is missing"])
def test_no_model_that_runs_is_an_error_and_one_reason_is_said_once(
    models: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    def fails(path: Path, *_args: object, **_options: object) -> Timed:
        raise BackendError(said.format(path.stem))

    monkeypatch.setattr(auto, "matte_time", fails)
    with pytest.raises(BgcamError) as caught:
        choose_model((1280, 720), fps=30, backend="openvino", threads=0)
    each = "; ".join(f"model auto: skipped {name}: {name} is broken" for name in NAMES)
    assert str(caught.value) == (each if "{" in said else said)


def test_timing_stops_early_where_it_cannot_win(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    runs = 0

    class Slow:
        at_once = 2

        def infer(self, bgr: object) -> None:
            nonlocal runs
            runs += 1
            clock[0] += 0.010

    clock = [0.0]
    monkeypatch.setattr("bgcam.realtime.model.backends.load_backend", lambda *given, **more: (Slow(), []))
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    found = matte_time(tiny_model, (64, 48), backend="slow", threads=1)
    assert (round(found.ms, 6), found.at_once, runs) == (10.0, 2, auto.WARM_UP_RUNS + auto.TIMED_RUNS)
    runs = 0
    matte_time(tiny_model, (64, 48), backend="slow", threads=1, beat_ms=3.0)
    assert runs == auto.WARM_UP_RUNS + auto.LEAST_RUNS
    runs = 0
    matte_time(tiny_model, (64, 48), backend="slow", threads=1, beat_ms=4.5)
    assert runs == auto.WARM_UP_RUNS + auto.TIMED_RUNS


def test_the_backend_that_was_chosen_gives_way_if_it_fails(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "auto_order", lambda: ["onnxruntime"])
    found, passed_over = load_backend("auto", tiny_model, SPEC, (64, 48), threads=1, first="openvino-fp32")
    assert (found.name, passed_over) == ("openvino-fp32", [])
    monkeypatch.setitem(backends.BACKENDS, "gone", "bgcam.realtime.model.backends.tensorrt_rtx:TensorRTRTXBackend")
    monkeypatch.setattr(backends, "_backend_class", lambda name: _missing if name == "gone" else real(name))
    found, passed_over = load_backend("auto", tiny_model, SPEC, (64, 48), threads=1, first="gone")
    assert (found.name, passed_over) == ("onnxruntime", ["gone: it is gone"])


real = backends._backend_class


def _missing(*_given: object, **_more: object) -> object:
    raise BackendError("it is gone")


@pytest.mark.parametrize("name", ["openvino-fp32", "onnxruntime-fp32"])
def test_a_precision_that_is_asked_for_by_its_name(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name.removesuffix("-fp32"), reason=f"{name} is not installed on this machine")
    path = write_int8_model(tmp_path / "int8.onnx")
    int8, _ = load_backend("openvino", path, read_spec(path), (64, 48), threads=1)
    found, _ = load_backend(name, path, read_spec(path), (64, 48), threads=1)
    assert found.description.lower().endswith("32 in place of int8")
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert 0 < np.abs(found.infer(picture) - int8.infer(picture)).mean() < 0.02


def test_fp32_leaves_openvino_no_int8_weights(tmp_path: Path) -> None:
    """OpenVINO 2026.4 converts those as it runs, and then computes something else with two streams, now and then."""
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    from bgcam.realtime.model.backends._quantizers import join_quantizers, to_float
    from bgcam.realtime.model.backends.openvino import _core

    model = _core().read_model(write_int8_model(tmp_path / "int8.onnx"))
    join_quantizers(model)
    assert to_float(model) == 4
    nodes = model.get_ordered_ops()
    assert "FakeQuantize" not in {node.get_type_name() for node in nodes}
    assert "i8" not in {node.get_output_element_type(0).get_type_name() for node in nodes if node.get_output_size()}


def test_a_damaged_cache_is_an_empty_one_and_a_folder_that_cannot_be_written_no_error(tmp_path: Path) -> None:
    cache = tmp_path / "times.json"
    for text in (
        "",
        "[1]",
        '{"a": "x"}',
        '{"a": -1}',
        '{"a": 7.5}',
        '{"a": [-1, 1]}',
        '{"a": [1, 0]}',
        '{"a": ["x", 1]}',
    ):
        cache.write_text(text)
        assert read_cache(cache) == {}
    write_cache(tmp_path / "times.json" / "below_a_file", {"a": Timed(1.0)})
    kept = {"a": Timed(1.5, 2), "b": None}
    write_cache(cache, kept)
    assert read_cache(cache) == kept
    assert json.loads(cache.read_text()) == {"a": [1.5, 2], "b": None}
    assert [p.name for p in tmp_path.iterdir()] == ["times.json"]


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    def homeless(*_words: object, **_more: object) -> None:
        raise RuntimeError("could not determine the home directory for '~/.cache'")

    monkeypatch.setattr("platformdirs.user_cache_dir", homeless)
    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    cache = auto.cache_file()
    write_cache(cache, {"fast": Timed(1.0)})
    assert read_cache(cache) == {}
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    said: list[str] = []
    OpenVINOBackend(tiny_model, read_spec(tiny_model), (32, 16), threads=1, say=said.append)
    assert said == []
