"""A write that takes only a part of the data is gone on with; a name that cannot be given is not kept."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from bgcam.realtime.atomic_write import NewFile


class ShortFile(io.FileIO):
    """Takes five bytes at a time, as a disk that fills up or a signal may have it."""

    def write(self, data: Any) -> int:
        return super().write(memoryview(data)[:5])


def test_all_of_the_data_is_written(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "a.bin")
    file.raw.close()
    file.raw = ShortFile(file.part, "r+")
    file.write(bytes(range(23)))
    file.commit()
    assert (tmp_path / "a.bin").read_bytes() == bytes(range(23))


def test_a_new_name_that_cannot_be_given_is_free_again(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "a.bin")
    file.part.unlink()
    with pytest.raises(OSError, match="No such file"):
        file.commit_new(tmp_path / "a-2.bin")
    file.discard()
    assert list(tmp_path.iterdir()) == []
