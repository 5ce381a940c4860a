"""A cached file or folder is refused for each right that it gives to others, and a folder in a file's place is too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgcam.realtime.model.backends import blob_cache
from bgcam.realtime.model.backends.blob_cache import CacheRefused, keep_blob, load_blob, private_folder, read_private

pytestmark = [
    pytest.mark.skipif(not blob_cache.POSIX, reason="Windows knows no such modes"),
    pytest.mark.usefixtures("empty_cache"),
]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o622, 0o660])
def test_a_file_that_a_group_or_others_may_write_is_refused(mode: int) -> None:
    path = private_folder("openvino") / "a.blob"
    keep_blob(path, "key", b"network")
    path.chmod(mode)
    with pytest.raises(CacheRefused, match="other users may write to it"):
        load_blob(path, "key")


@pytest.mark.parametrize("mode", [0o710, 0o720, 0o740, 0o701, 0o702, 0o704])
def test_a_folder_that_is_open_to_a_group_or_others_is_closed_to_them(mode: int) -> None:
    folder = private_folder("openvino")
    folder.chmod(mode)
    folder.parent.chmod(mode)
    assert private_folder("openvino") == folder
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")
def test_a_folder_in_a_files_place_is_refused_and_leaves_nothing_open() -> None:
    path = private_folder("openvino") / "a.blob"
    path.mkdir()
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        with pytest.raises(CacheRefused, match="no regular file"):
            read_private(path)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_keys_and_contents_do_not_run_into_each_other() -> None:
    assert blob_cache.seal("ab", b"c") != blob_cache.seal("a", b"bc")
    with pytest.raises(CacheRefused, match="checksum"):
        blob_cache.unseal("a", blob_cache.seal("ab", b"c").replace(b"\nc", b"\nbc"))


def test_a_checksum_covers_all_of_the_contents() -> None:
    sealed = bytearray(blob_cache.seal("key", bytes(1 << 20)))
    sealed[-1] ^= 1
    with pytest.raises(CacheRefused, match="checksum"):
        blob_cache.unseal("key", bytes(sealed))


def test_a_file_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    path = private_folder("openvino") / "a.blob"
    keep_blob(path, "key", b"network")
    monkeypatch.setattr(blob_cache, "MAX_BYTES", 8)
    with pytest.raises(CacheRefused, match="bytes"):
        load_blob(path, "key")
