"""What lies beside a recording is not its own: files of the names that it might take, links, and foreign notes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bgcam.realtime.atomic_write import NewFile
from bgcam.realtime.sinks import claims
from bgcam.realtime.sinks.claims import Claim, left_behind

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks"),
    pytest.mark.usefixtures("empty_cache"),
]


def left_part(path: Path) -> Path:
    """A hidden file, not empty, that no run holds any more."""
    file = NewFile(path)
    file.write(b"recorded")
    file.close()
    return file.part


def test_a_recording_takes_the_first_name_beside_it_that_is_free(tmp_path: Path) -> None:
    path, second = tmp_path / "a.mp4", tmp_path / "a-2.mp4"
    claim = Claim(path)
    claim.file.write(b"recorded")
    path.write_text("another program's")
    second.write_text("an older recording")
    assert claim.settle() == tmp_path / "a-3.mp4"
    assert (tmp_path / "a-3.mp4").read_bytes() == b"recorded"
    assert (path.read_text(), second.read_text()) == ("another program's", "an older recording")


def test_a_link_to_a_file_that_is_locked_is_not_followed(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "a.mp4")
    link = tmp_path / "link"
    link.symlink_to(claim.file.part)
    assert claims._is_locked(claim.file.part)
    assert not claims._is_locked(link)
    claim.drop()


def test_a_note_under_another_name_names_no_recording(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    part = left_part(elsewhere / "a.mp4")
    notes = claims._notes()
    notes.mkdir(parents=True)
    foreign = notes / "0123456789abcdef"
    foreign.write_bytes(str(part).encode())
    assert left_behind() == []
    (notes / part.name.split(".")[-2]).write_bytes(str(part).encode())
    assert left_behind() == [part]
    assert foreign.exists()


def test_a_note_is_kept_while_its_disk_is_away(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    claim = Claim(disk / "a.mp4", noted=True)
    claim.file.write(b"recorded")
    part = claim.leave()
    disk.rename(tmp_path / "unplugged")
    assert left_behind() == []
    (tmp_path / "unplugged").rename(disk)
    assert left_behind() == [part]
    part.unlink()
    assert left_behind() == []
    assert list(claims._notes().iterdir()) == []


def test_a_rescue_writes_over_nothing(tmp_path: Path) -> None:
    part = left_part(tmp_path / "a.mp4")
    assert claims.rescue(part).startswith("mv -n ")
    assert claims.rescue(part).endswith("a-rescued.mp4")
    (tmp_path / "a-rescued.mp4").write_text("rescued before")
    assert claims.rescue(part).endswith("a-rescued-2.mp4")


def test_a_claim_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(file: NewFile) -> None:
        raise BlockingIOError("locked by another process")

    monkeypatch.setattr(claims, "_lock", held)
    with pytest.raises(BlockingIOError):
        Claim(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []
