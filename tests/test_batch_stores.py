"""Where `bgcam batch` reads and writes: addresses of fsspec's, a real S3 server on loopback, and what refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_setup import outputs, write_source
from command import Run, one_line

from bgcam.realtime.batch.remote_store import RemoteStore, open_remote
from bgcam.realtime.batch.store import StoreRefused, without_password
from bgcam.realtime.batch.stores import open_store
from bgcam.realtime.errors import BgcamError

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "src", clips=2)


@pytest.fixture
def memory() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def upload(files: Any, folder: Path, root: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe_file(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def names(files: Any, root: str) -> list[str]:
    return sorted(path.partition(f"{root}/")[2] for path in files.find(root) if "/.bgcam/" not in path)


ALL = ["bgcam-sheet.html", "clip0.mp4", "clip1.mp4", "inner/photo0.jpg"]


def test_an_address_is_read_and_written(bgcam: Run, source: Path, memory: Any, tmp_path: Path) -> None:
    upload(memory, source, "/talks")
    given = ("batch", "memory://talks", "memory://done", "-b", "#336699", "--workers", "1")
    assert bgcam(*given)[0] == 0
    assert names(memory, "/done") == ALL
    assert bgcam("batch", str(source), str(tmp_path / "dst"), "-b", "#336699", "--workers", "1")[0] == 0
    assert memory.cat_file("/done/clip1.mp4") == outputs(tmp_path / "dst")["clip1.mp4"]
    code, out, _ = bgcam(*given)
    assert (code, "nothing to do: all 3 files are done" in out) == (0, True)


def test_a_file_address_is_a_folder(bgcam: Run, source: Path, tmp_path: Path) -> None:
    assert bgcam("batch", f"file://{source}", f"file://{tmp_path}/dst", "--workers", "1")[0] == 0
    assert list(outputs(tmp_path / "dst")) == ALL[1:]


def test_where_files_grow_under_their_name_they_get_it_at_the_end(tmp_path: Path) -> None:
    class Watched:
        """A file system whose moves are noted."""

        moved: tuple[str, str] = ("", "")

        def __init__(self) -> None:
            self._files = fsspec.filesystem("file")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._files, name)

        def mv(self, old: str, new: str) -> None:
            assert not os.path.exists(new)
            self.moved = old, new
            self._files.mv(old, new)

    files = Watched()
    store = RemoteStore(files, str(tmp_path / "there"), shown="sftp://there", whole=False)
    (tmp_path / "made.bin").write_bytes(b"all of it")
    store.put(tmp_path / "made.bin", "inner/a.bin")
    assert (tmp_path / "there" / "inner" / "a.bin").read_bytes() == b"all of it"
    assert Path(files.moved[0]).name.startswith(".a.bin.")
    assert not (tmp_path / "made.bin").exists()
    assert [one.name for one in store.files()] == ["inner/a.bin"]


def test_an_upload_that_arrives_short_is_refused(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("memory://done")
    monkeypatch.setattr(type(memory), "info", lambda self, path, **more: {"size": 3, "type": "file"})
    (tmp_path / "made.bin").write_bytes(b"all of it")
    with pytest.raises(StoreRefused, match=r"memory://done/a.bin: cannot be written \(3 of 9 bytes arrived\)"):
        store.put(tmp_path / "made.bin", "a.bin")


def test_passwords_are_not_shown() -> None:
    assert without_password("sftp://me:secret@there/talks") == "sftp://there/talks"


def test_a_missing_package_is_one_line(bgcam: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(address: str) -> None:
        raise ImportError("Install gcsfs")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    code, _, err = bgcam("batch", str(source), "gs://bucket/done")
    assert code == 1
    assert "gs://bucket/done: the package gcsfs is not installed; run: " in one_line(err)


def test_an_unknown_scheme_is_one_line(bgcam: Run, source: Path) -> None:
    with pytest.raises(BgcamError, match="nosuch://there: cannot be opened"):
        open_remote("nosuch://there")
    assert one_line(bgcam("batch", str(source), "nosuch://there")[2])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real S3 server: its address."""
    moto = pytest.importorskip("moto.server")
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Its file system, with an empty bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("bucket")
    yield files
    files.invalidate_cache()
    files.rm("bucket", recursive=True)
    fsspec.filesystem("s3").clear_instance_cache()


def test_a_bucket_is_read_and_written(bgcam: Run, source: Path, s3: Any) -> None:
    upload(s3, source, "bucket/talks")
    given = ("batch", "s3://bucket/talks", "s3://bucket/done", "-b", "#336699", "--workers", "1")
    code, out, err = bgcam(*given)
    assert (code, err) == (0, "")
    assert "contact sheet: s3://bucket/done/bgcam-sheet.html" in out
    s3.invalidate_cache()
    assert names(s3, "bucket/done") == ALL
    assert "nothing to do" in bgcam(*given)[1]


def test_a_bucket_that_refuses_stops_and_the_next_run_goes_on(
    bgcam: Run, source: Path, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = RemoteStore.put

    def refused(self: RemoteStore, local: Path, name: str) -> None:
        if name == "clip1.mp4":  # the bucket is gone from here on, for the server too
            monkeypatch.setattr(self, "_root", "nosuchbucket/done")
        put(self, local, name)

    given = ("batch", str(source), "s3://bucket/done", "--workers", "1")
    with monkeypatch.context() as patched:
        patched.setattr(RemoteStore, "put", refused)
        code, out, err = bgcam(*given)
    assert code == 1
    assert "s3://bucket/done/clip1.mp4: cannot be written (" in one_line(err)
    assert "run the same command again to go on" in err
    assert out.splitlines()[-1].endswith("; 2 left")
    code, out, _ = bgcam(*given)
    assert (code, "1 done before" in out) == (0, True)
    s3.invalidate_cache()
    assert names(s3, "bucket/done") == ALL


def test_a_bucket_that_is_not_there_is_one_line(bgcam: Run, s3: Any, tmp_path: Path) -> None:
    code, _, err = bgcam("batch", "s3://nosuchbucket/talks", str(tmp_path / "dst"))
    assert (code, "s3://nosuchbucket/talks: " in one_line(err)) == (1, True)
