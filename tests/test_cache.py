"""The cache stays within its limit, what was not used for the longest time goes first, and all of it can be removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from clips import write_picture
from command import Run, one_line

from bgcam.realtime import cache
from bgcam.realtime.cache import LIMIT_BYTES, cache_folder, prune, sizes_bytes

pytestmark = pytest.mark.usefixtures("empty_cache")


def keep(name: str, *, size_bytes: int = 100, used_s: float, part: str = "openvino") -> Path:
    path = cache_folder(part) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size_bytes))
    os.utime(path, (used_s, used_s))
    return path


def names(part: str = "openvino") -> list[str]:
    return sorted(path.name for path in cache_folder(part).iterdir())


def test_the_oldest_go_first_and_only_as_many_as_have_to() -> None:
    for number in (3, 1, 4, 2):
        keep(f"{number}.blob", used_s=number * 1000)
    assert [path.name for path in prune("openvino", limit_bytes=250)] == ["1.blob", "2.blob"]
    assert names() == ["3.blob", "4.blob"]
    assert prune("openvino", limit_bytes=250) == []


def test_a_compiled_model_and_its_digest_go_together() -> None:
    keep("1.blob", used_s=1000)
    keep("1.sha256", used_s=9000)  # so it was used then
    keep("2.blob", used_s=2000)
    keep("2.blob.sha256", used_s=2000)
    keep("3.blob", used_s=3000)
    prune("openvino", limit_bytes=399)
    assert names() == ["1.blob", "1.sha256", "3.blob"]


def test_what_was_read_counts_as_used() -> None:
    keep("2.blob", used_s=2000)
    os.utime(keep("1.blob", used_s=1000), (5000, 1000))
    prune("openvino", limit_bytes=150)
    assert names() == ["1.blob"]


def test_the_newest_stays_whatever_its_size() -> None:
    keep("1.blob", used_s=1000)
    keep("2.blob", size_bytes=900, used_s=2000)
    prune("openvino", limit_bytes=150)
    assert names() == ["2.blob"]


def test_what_cannot_be_pruned_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert prune("openvino") == []  # no folder yet
    monkeypatch.setattr(Path, "unlink", lambda self: (_ for _ in ()).throw(PermissionError(13, "denied")))
    keep("1.blob", used_s=1000)
    keep("2.blob", used_s=2000)
    assert prune("openvino", limit_bytes=1) == []

    def homeless(*arguments: object, **options: object) -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    assert prune("engines") == []


def test_a_run_prunes_what_it_adds_to(tmp_path: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    write_picture(tmp_path / "photo.png")
    old = keep("1.blob", size_bytes=1000, used_s=1000)
    monkeypatch.setitem(LIMIT_BYTES, "openvino", 900)
    code, _, err = bgcam("--backend", "openvino", "-i", str(tmp_path / "photo.png"), "-b", "green", "-o", "null")
    assert (code, err) == (0, "")
    assert not old.exists()
    assert any(name.endswith(".blob") for name in names())


def test_the_command_shows_and_clears(bgcam: Run) -> None:
    keep("1.blob", size_bytes=3 << 20, used_s=1000)
    keep("a.engine", size_bytes=1 << 20, used_s=1000, part="engines")
    (cache_folder() / "model_times.json").write_text("{}")
    code, out, err = bgcam("cache")
    assert (code, err) == (0, "")
    assert "openvino: 1 files, 3.0 MB of at most 64.0 MB" in out
    assert "engines: 1 files, 1.0 MB of at most 256.0 MB" in out
    for clear in ("--clear", "clear"):
        code, out, err = bgcam("cache", clear)
        assert (code, err) == (0, "")
        assert out.startswith("removed 3 files, 4.0 MB" if clear == "--clear" else "removed 0 files")
    assert sizes_bytes() == {}
    assert bgcam("cache")[1].splitlines()[1:] == ["  empty"]


def test_clearing_follows_no_link(tmp_path: Path, bgcam: Run) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "photo.png").touch()
    cache_folder().mkdir(parents=True)
    (cache_folder() / "openvino").symlink_to(mine)
    assert bgcam("cache", "clear")[0] == 0
    assert (mine / "photo.png").exists()


def test_what_cannot_be_cleared_is_one_line(bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied() -> None:
        raise PermissionError(13, "Permission denied", "/x/1.blob")

    monkeypatch.setattr(cache, "clear", denied)
    code, _, err = bgcam("cache", "--clear")
    assert code == 1
    assert "/x/1.blob: cannot be removed (Permission denied)" in one_line(err)


def test_cache_takes_no_other_word(bgcam: Run) -> None:
    assert bgcam("cache", "empty")[0] == 2
