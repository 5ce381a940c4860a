"""What lies in the cache is run only if it is this user's, whole, and of this very network; else it is made again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import SPEC, write_tiny_model

from bgcam.realtime.model.backends import blob_cache, load_backend
from bgcam.realtime.model.backends import openvino as module
from bgcam.realtime.model.backends.blob_cache import CacheRefused, keep_blob, load_blob, private_folder, read_private
from bgcam.realtime.model.backends.openvino import OpenVINOBackend
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.spec import read_spec
from bgcam.realtime.model.times import Timed, read_cache

SIZE_WH = (64, 32)
posix = pytest.mark.skipif(not blob_cache.POSIX, reason="Windows knows no such modes")


@pytest.fixture
def folder(empty_cache: None) -> Path:
    return private_folder("openvino")


def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)


def opened(path: Path) -> tuple[NDArray[np.float32], list[str]]:
    """The alpha of the picture, and what was said."""
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    said: list[str] = []
    backend = OpenVINOBackend(path, SPEC, SIZE_WH, threads=1, say=said.append)
    return backend.infer(picture()), said


def only_blob(folder: Path) -> Path:
    (found,) = folder.glob("*.blob")
    return found


def test_a_second_start_takes_the_first_ones_network(
    folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, said = opened(tiny_model)
    blob = only_blob(folder).read_bytes()

    class NoCompiler:
        def __init__(self, core: Any):
            self._core = core

        def __getattr__(self, name: str) -> Any:
            assert name != "compile_model", "it is compiled again"
            return getattr(self._core, name)

    core = module._core()
    monkeypatch.setattr(module, "_core", lambda: NoCompiler(core))
    after, more = opened(tiny_model)
    assert np.array_equal(before, after)
    assert (said, more) == ([], [])
    assert only_blob(folder).read_bytes() == blob


@pytest.mark.parametrize("place", np.linspace(0, 1, 12))
def test_a_flipped_bit_is_not_run(folder: Path, tiny_model: Path, place: float) -> None:
    before, _ = opened(tiny_model)
    path = only_blob(folder)
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 16
    path.write_bytes(data)
    after, said = opened(tiny_model)
    assert np.array_equal(before, after)
    assert [line.startswith("recompiling the network in the cache: ") for line in said] == [True]
    assert opened(tiny_model)[1] == []


@pytest.mark.parametrize("harm", ["zeroed page", "cut", "empty", "longer", "foreign"])
def test_a_damaged_network_is_not_run(folder: Path, tiny_model: Path, harm: str) -> None:
    before, _ = opened(tiny_model)
    path = only_blob(folder)
    data = path.read_bytes()
    half = len(data) // 2
    harmed = {
        "zeroed page": data[:half] + bytes(min(4096, half)) + data[half + min(4096, half) :],
        "cut": data[:half],
        "empty": b"",
        "longer": data + b"\0",
        "foreign": b"\x7fELF" + data,
    }
    path.write_bytes(harmed[harm])
    after, said = opened(tiny_model)
    assert np.array_equal(before, after)
    assert len(said) == 1


def test_another_networks_body_under_the_right_name_is_not_run(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    before, _ = opened(tiny_model)
    path = only_blob(folder)
    other = write_tiny_model(tmp_path / "all.onnx", threshold=-5.0)  # everything is a person
    everything, _ = opened(other)
    assert everything.min() > 0.99
    (body,) = (one for one in folder.glob("*.blob") if one != path)
    shutil.copy(body, path)
    after, said = opened(tiny_model)
    assert np.array_equal(before, after)
    assert said == ["recompiling the network in the cache: its checksum does not match"]


@posix
def test_what_others_may_write_is_not_run_nor_a_link(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    before, _ = opened(tiny_model)
    path = only_blob(folder)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o666)
    after, said = opened(tiny_model)
    assert said == ["recompiling the network in the cache: other users may write to it"]
    away = tmp_path / "away"
    path.rename(away)
    path.symlink_to(away)
    again, said = opened(tiny_model)
    assert said == ["recompiling the network in the cache: it is a link"]
    assert np.array_equal(before, after)
    assert np.array_equal(before, again)
    assert not only_blob(folder).is_symlink()


@posix
def test_the_folder_is_the_users_alone(empty_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache" / "bgcam").mkdir(parents=True, mode=0o777)
    (tmp_path / "cache" / "bgcam").chmod(0o777)
    folder = private_folder("openvino")
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]
    keep_blob(folder / "x", "key", b"contents")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(CacheRefused, match="another user"):
        private_folder("openvino")
    with pytest.raises(CacheRefused, match="another user"):
        read_private(folder / "x")


@posix
def test_a_folder_that_is_a_link_is_not_used(empty_cache: None, tmp_path: Path, tiny_model: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    private_folder()
    (tmp_path / "cache" / "bgcam" / "openvino").symlink_to(elsewhere)
    _, said = opened(tiny_model)
    assert len(said) == 1
    assert "openvino is a link or not a folder" in said[0]
    assert not list(elsewhere.iterdir())


@posix
def test_a_pipe_is_no_cached_file(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(CacheRefused, match="not a regular file"):
        read_private(folder / "pipe")


def test_contents_come_back_for_their_own_key_alone(folder: Path) -> None:
    keep_blob(folder / "x", "key", b"contents")
    assert load_blob(folder / "x", "key") == b"contents"
    assert load_blob(folder / "y", "key") is None
    for other in ("", "ke", "key ", "keyc"):
        with pytest.raises(CacheRefused, match="its checksum does not match"):
            load_blob(folder / "x", other)
    assert [path.name for path in folder.iterdir()] == ["x"]


def test_a_model_that_changed_has_another_blob(folder: Path, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "model.onnx")
    before, _ = opened(model)
    write_tiny_model(model, threshold=0.9)
    after, said = opened(model)
    assert not np.allclose(before, after)
    assert said == []
    assert len(list(folder.glob("*.blob"))) == 2


@posix
def test_times_that_others_may_have_written_are_measured_again(tmp_path: Path) -> None:
    kept = tmp_path / "times.json"
    kept.write_text('{"fast": [1.0, 1], "slow": [1e999, 1]}')
    kept.chmod(0o600)
    assert read_cache(kept) == {"fast": Timed(1.0)}
    kept.chmod(0o666)
    assert read_cache(kept) == {}


def test_the_shipped_networks_start_from_the_cache_without_a_word(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed on this machine")
    path = find_model()
    spec = read_spec(path)
    for _ in range(2):
        load_backend("openvino", path, spec, spec.sizes_wh[0], threads=1)
    assert capsys.readouterr().err == ""
