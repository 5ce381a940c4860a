"""`--model auto`: what is taken, and that timing happens once."""

from pathlib import Path

import pytest

from bgcam.export.checksums import write_checksums
from bgcam.realtime.errors import BackendError, BgcamError
from bgcam.realtime.model import auto
from bgcam.realtime.model.auto import best_within, choose_model, known_times, read_cache, write_cache
from bgcam.realtime.model.backends.openvino import OpenVINOBackend
from bgcam.realtime.model.spec import read_spec


@pytest.fixture
def three_models(tmp_path, monkeypatch) -> list[str]:
    names = ["best", "middle", "quick"]
    for name in names:
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    write_checksums(tmp_path)
    monkeypatch.setattr("bgcam.realtime.model.find.MODELS_FOLDER", tmp_path)
    monkeypatch.setattr(auto, "BY_QUALITY", tuple(names))
    monkeypatch.setattr(auto, "cache_file", lambda: tmp_path / "cache" / "times.json")
    return names


@pytest.mark.parametrize(
    ("times_ms", "fps", "name"),
    [
        ({"best": 8.0, "middle": 4.0, "quick": 2.0}, 30, "best"),  # a quarter of 33 ms is 8.3
        ({"best": 8.0, "middle": 4.0, "quick": 2.0}, 60, "middle"),
        ({"best": 80.0, "middle": 40.0, "quick": 20.0}, 30, "quick"),
        ({"quick": 5.0, "someones_own": 1.0, "best": 9.0}, 30, "quick"),
    ],
)
def test_the_best_that_leaves_the_machine_free_else_the_quickest(three_models, times_ms, fps, name) -> None:
    assert best_within(times_ms, fps=fps) == name


def test_models_are_timed_once_and_again_when_a_file_changes(three_models, tmp_path) -> None:
    asked: list[str] = []

    def timer(path: Path) -> float:
        asked.append(path.stem)
        return 3.0

    cache = tmp_path / "cache" / "times.json"
    for _ in range(2):
        assert known_times(three_models, "here", cache, timer)[0] == dict.fromkeys(three_models, 3.0)
    assert asked == three_models
    (tmp_path / "quick.onnx").write_bytes(b"another")
    write_checksums(tmp_path)
    known_times(three_models, "here", cache, timer)
    known_times(three_models, "elsewhere", cache, timer)
    assert asked == [*three_models, "quick", *three_models]


def test_a_model_that_does_not_run_is_passed_over_and_said(three_models, monkeypatch, capsys) -> None:
    times_ms = {"middle": 20.0, "quick": 6.0}

    def matte_time_ms(path: Path, frame_wh, **_options) -> float:
        if path.stem == "best":
            raise BackendError("no such instruction")
        return times_ms.pop(path.stem)

    monkeypatch.setattr(auto, "matte_time_ms", matte_time_ms)
    name, lines = choose_model((1280, 720), fps=30, backend="auto", threads=0)
    assert name == "quick"
    assert lines[0] == "model auto: skipped best: no such instruction"
    assert "quick, middle 20.0 ms, quick 6.0 ms per matte" in lines[1]
    assert "timing the models once" in capsys.readouterr().out
    assert choose_model((1280, 720), fps=30, backend="auto", threads=0)[0] == "quick"
    assert not times_ms, "timed once"


def test_no_model_that_runs_is_an_error(three_models, monkeypatch) -> None:
    def fails(path: Path, *_args, **_options) -> float:
        raise BackendError(f"{path.stem} is broken")

    monkeypatch.setattr(auto, "matte_time_ms", fails)
    with pytest.raises(BgcamError, match=r"skipped best: best is broken; .*skipped quick: quick is broken"):
        choose_model((1280, 720), fps=30, backend="auto", threads=0)


def test_one_reason_for_all_is_said_once(three_models, monkeypatch) -> None:
    def fails(*_args, **_options) -> float:
        raise BackendError("the package is missing")

    monkeypatch.setattr(auto, "matte_time_ms", fails)
    with pytest.raises(BgcamError) as caught:
        choose_model((1280, 720), fps=30, backend="auto", threads=0)
    assert str(caught.value) == "the package is missing"


def test_a_damaged_cache_is_an_empty_one_and_a_folder_that_cannot_be_written_no_error(tmp_path) -> None:
    cache = tmp_path / "times.json"
    for text in ("", "[1]", '{"a": "x"}', '{"a": -1}'):
        cache.write_text(text)
        assert read_cache(cache) == {}
    write_cache(tmp_path / "times.json" / "below_a_file", {"a": 1.0})
    write_cache(cache, {"a": 1.5})
    assert read_cache(cache) == {"a": 1.5}
    assert [p.name for p in tmp_path.iterdir()] == ["times.json"]


def test_a_user_without_a_home_keeps_nothing(monkeypatch, tiny_model) -> None:
    def homeless(*_words, **_more):
        raise RuntimeError("could not determine the home directory for '~/.cache'")

    monkeypatch.setattr("platformdirs.user_cache_dir", homeless)
    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    cache = auto.cache_file()
    write_cache(cache, {"fast": 1.0})
    assert read_cache(cache) == {}
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    said = []
    OpenVINOBackend(tiny_model, read_spec(tiny_model), (32, 16), threads=1, say=said.append)
    assert said == []
