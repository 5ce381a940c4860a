"""Files appear whole or not at all, whatever lies in their way: planted links, pipes, files of others."""

from __future__ import annotations

import os
import random
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import bgcam
from bgcam.realtime import atomic_write
from bgcam.realtime.atomic_write import HIDDEN, NewFile, write_whole
from bgcam.realtime.picture.png import write_png

REALTIME = Path(bgcam.__file__).resolve().parent / "realtime"
posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX file systems")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_nothing_else_in_realtime_writes_files() -> None:
    """The others fill what it has opened, or a nameless file, write into a temporary folder, or a log."""
    calls = r"os\.(replace|rename|link)\(|\.(rename|write_text|write_bytes)\(|imwrite\(|mkstemp"
    writes = re.compile(rf"{calls}|open\([^)]*[\"'][wax]b?\+?[\"']")
    allowed = {"atomic_write.py", "_reserve.py", "_to_bgr.py", "console.py", "clip.py", "video.py"}
    allowed |= {"library.py", "control_page.py"}  # an upload that is checked; what a bgcam started by `ui` prints
    allowed |= {"scratch.py", "local_store.py"}  # a batch's files: in a folder of its own, until they are whole
    found = {path.name for path in REALTIME.rglob("*.py") if writes.search(path.read_text(encoding="utf-8"))}
    assert found - allowed == set()


def test_a_file_is_written_whole_in_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    write_whole(path, b"new ", memoryview(b"and"), b"", b" more")
    assert path.read_bytes() == b"new and more"
    assert names(tmp_path) == ["a.json"]


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_rights_are_the_users_own_until_it_is_whole_and_then_as_the_umask_says(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        file = NewFile(tmp_path / "a")
        growing = stat.S_IMODE(file.part.lstat().st_mode)
        file.commit()
        write_whole(tmp_path / "b", b"", mode=0o644)
    finally:
        os.umask(before)
    assert growing == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o644


def test_after_an_error_there_is_what_was_there_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace", "lstat"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            patch.setattr(atomic_write.os, name, fail)
            write_whole(path, b"new")
        assert (names(tmp_path), path.read_bytes()) == (["a"], b"old")


def test_hidden_names_cannot_be_guessed(tmp_path: Path) -> None:
    files = [NewFile(tmp_path / "a.mp4") for _ in range(20)]
    tokens = {HIDDEN.fullmatch(file.part.name)["token"] for file in files}  # type: ignore[index]
    assert len(tokens) == 20
    for file in files:
        file.discard()
        file.discard()
    assert names(tmp_path) == []


@posix
@pytest.mark.parametrize("plant", ["link", "dangling link", "pipe", "file", "folder"])
def test_what_is_planted_at_the_hidden_name_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    """Even where somebody guesses it: the token is fixed here."""
    monkeypatch.setattr(atomic_write.secrets, "token_hex", lambda count: "0" * 16)
    victim, hidden = tmp_path / "victim", tmp_path / f".a.png.{'0' * 16}.part"
    victim.write_text("precious")
    {
        "link": lambda: hidden.symlink_to(victim),
        "dangling link": lambda: hidden.symlink_to(tmp_path / "new"),
        "pipe": lambda: os.mkfifo(hidden),
        "file": lambda: os.link(victim, hidden),
        "folder": hidden.mkdir,
    }[plant]()
    before = hidden.lstat()
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "a.png", b"new")
    assert victim.read_text() == "precious"
    assert hidden.lstat() == before
    assert len(names(tmp_path)) == 2


@posix
def test_a_file_that_was_exchanged_under_way_does_not_get_the_name(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "a")
    file.part.unlink()
    file.part.write_text("foreign")
    with pytest.raises(FileExistsError, match="another file was put in its place"):
        file.commit()
    file.close()
    assert names(tmp_path) == [file.part.name]


def test_a_new_name_is_never_one_that_a_file_has(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("old")
    file = NewFile(tmp_path / "a")
    file.write(b"new")
    with pytest.raises(FileExistsError):
        file.commit_new(tmp_path / "b")
    file.commit_new(tmp_path / "c")
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {"b": "old", "c": "new"}


def test_long_names(tmp_path: Path) -> None:
    for name in ("x" * 255, "ä" * 127, "x" * 219 + "ä" * 18):
        write_whole(tmp_path / name, b"1")
        (tmp_path / name).unlink()


def test_many_writers_to_one_name_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    chance = random.Random(5)
    contents = [bytes([number]) * chance.randint(1, 50_000) for number in range(24)]
    threads = [
        threading.Thread(target=lambda share=share: [write_whole(path, one, durable=False) for one in share])
        for share in (contents[::3], contents[1::3], contents[2::3])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["a"]


@posix
def test_it_is_never_where_a_closed_standard_output_was(tmp_path: Path) -> None:
    """What libraries print would go into it."""
    code = (
        "import os, sys; from pathlib import Path; from bgcam.realtime.atomic_write import NewFile\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "file = NewFile(Path(sys.argv[1])); file.write(b'whole')\n"
        "assert file.raw.fileno() > 2; assert not os.get_inheritable(file.raw.fileno())\n"
        "file.commit(); os._exit(7)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], timeout=60)
    assert (ran.returncode, (tmp_path / "a").read_bytes()) == (7, b"whole")


def test_a_png_is_not_written_through_a_link_that_was_planted(tmp_path: Path) -> None:
    import numpy as np

    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".a.png.part").symlink_to(tmp_path / "victim")
    write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    assert (tmp_path / "victim").read_text() == "precious"
