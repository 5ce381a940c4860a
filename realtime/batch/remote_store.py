"""An address of fsspec's as a `Store`: s3://, gs://, az://, sftp:// and others."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bgcam.packages import install_command, missing
from bgcam.realtime.batch.naming import PRIVATE_FOLDER, Found, is_hidden
from bgcam.realtime.batch.store import AGAIN, StoreRefused, without_password
from bgcam.realtime.errors import BgcamError, SourceError

# What fsspec needs for an address, by its scheme.
PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
}
# An object appears when its upload is complete; anywhere else a file grows under its name.
_OBJECTS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory")
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "created")
_PIECE_BYTES = 4 << 20


def open_remote(address: str) -> RemoteStore:
    """Raises BgcamError if fsspec or the package for the scheme is missing, or the address makes no sense."""
    try:
        import fsspec
    except ImportError:
        raise BgcamError(missing("fsspec", extras="batch")) from None
    scheme = address.partition("://")[0].lower()
    shown = without_password(address)
    try:
        files, root = fsspec.core.url_to_fs(address)
    except ImportError as error:
        package = PACKAGES.get(scheme)
        advice = f"the package {package} is not installed; run: {install_command(package)}" if package else str(error)
        raise BgcamError(f"{shown}: {advice}") from None
    except Exception as error:  # each file system has errors of its own
        raise BgcamError(f"{shown}: cannot be opened ({_why(error)}); check the address") from error
    return RemoteStore(files, root, shown=shown, whole=scheme in _OBJECTS)


class RemoteStore:
    """See `Store`. files: a file system of fsspec's. whole: whether a file appears only when it is complete."""

    shared = True

    def __init__(self, files: Any, root: str, *, shown: str, whole: bool):
        self._files, self._root = files, root.rstrip("/")
        self.shown, self._whole = shown.rstrip("/"), whole

    def files(self, *, leave_out: str = "") -> list[Found]:
        found = self._list(self._root, deep=True)
        inside = f"{leave_out}/"
        return [one for one in found if not is_hidden(one.name) and not (leave_out and one.name.startswith(inside))]

    def find(self, folder: str) -> dict[str, Found]:
        found = self._list(self._path(folder), deep=False)
        return {PurePosixPath(one.name).name: one for one in found}

    def fetch(self, name: str, scratch: Callable[[], Path]) -> Path:
        local = scratch() / f"{secrets.token_hex(8)}{PurePosixPath(name).suffix}"
        with self._reading(name):
            self._files.get_file(self._path(name), str(local))
        return local

    def sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._reading(name), self._files.open(self._path(name), "rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    def put(self, local: Path, name: str) -> None:
        with self._writing(name):
            size = local.stat().st_size
            path = self._path(name)
            place = path if self._whole else self._hidden(path)
            self._make_folder(path)
            try:
                self._files.put_file(str(local), place)
                self._files.invalidate_cache()
                found = self._files.info(place)["size"]
                if found != size:
                    raise OSError(f"{found} of {size} bytes arrived")
                if place != path:
                    self._files.mv(place, path)
            except BaseException:
                if place != path:
                    self._drop(place)
                raise
        local.unlink()

    def read(self, names: Iterable[str]) -> Mapping[str, bytes]:
        paths = {self._path(name): name for name in names}
        if not paths:
            return {}
        with self._reading(next(iter(paths.values()))):
            found = self._files.cat([*paths], on_error="return")  # many at a time
        for path, data in found.items():
            if isinstance(data, Exception) and not isinstance(data, FileNotFoundError):
                with self._reading(paths[path]):
                    raise data
        by_path = {path.lstrip("/"): name for path, name in paths.items()}
        return {by_path[path.lstrip("/")]: data for path, data in found.items() if isinstance(data, bytes)}

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        with self._writing(name):
            self._make_folder(path)
            place = path if self._whole else self._hidden(path)
            self._files.pipe_file(place, data)
            if place != path:
                self._files.mv(place, path)

    def remove(self, name: str) -> None:
        self._drop(self._path(name))

    def scratch(self) -> Path | None:
        return None

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _hidden(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        return f"{folder}/.{name}.{secrets.token_hex(8)}.part"

    def _make_folder(self, path: str) -> None:
        if not self._whole:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _drop(self, path: str) -> None:
        with contextlib.suppress(Exception):
            self._files.rm_file(path)

    def _list(self, folder: str, *, deep: bool) -> list[Found]:
        try:
            self._files.invalidate_cache()
            listed = self._files.find(folder, detail=True, maxdepth=None if deep else 1)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise SourceError(
                f"{self.shown}: cannot be listed ({_why(error)}); check the address and rights"
            ) from error
        start = f"{self._root.lstrip('/')}/"
        found = []
        for path, info in listed.items():
            name = path.lstrip("/").removeprefix(start)
            if info.get("type") == "file" and name and not name.endswith("/"):
                version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
                found.append(Found(name, int(info.get("size") or 0), version))
        return found

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise SourceError(f"{self._shown(name)}: cannot be read ({_why(error)})") from error

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            advice = f"check its rights and space, then {AGAIN}"
            raise StoreRefused(f"{self._shown(name)}: cannot be written ({_why(error)}); {advice}") from error

    def _shown(self, name: str) -> str:
        return f"{self.shown}/{name}" if not name.startswith(PRIVATE_FOLDER) else self.shown


def _why(error: Exception) -> str:
    """The first line of what a file system says."""
    said = getattr(error, "strerror", None) or str(error)
    return (said.strip().splitlines() or [type(error).__name__])[0]
