"""A folder of this machine as a `Store`."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bgcam.realtime.atomic_write import NewFile, write_whole
from bgcam.realtime.batch.naming import PRIVATE_FOLDER, Found
from bgcam.realtime.batch.store import AGAIN, StoreRefused
from bgcam.realtime.errors import SourceError
from bgcam.realtime.model.find import sha256_of

_PIECE_BYTES = 1 << 20


class LocalStore:
    """See `Store`. Links to files are followed, links to folders are not: they may form cycles."""

    shared = False

    def __init__(self, root: Path):
        self.root = Path(os.path.abspath(root))
        self.shown = str(root)

    def files(self, *, leave_out: str = "") -> list[Found]:
        found: list[Found] = []
        without = self.root / leave_out if leave_out else None
        for here, folders, names in os.walk(self.root, onerror=self._unreadable):
            folders[:] = [one for one in folders if not one.startswith(".") and Path(here, one) != without]
            found += [one for name in names if not name.startswith(".") and (one := self._found(Path(here, name)))]
        return found

    def find(self, folder: str) -> dict[str, Found]:
        try:
            with os.scandir(self.root / folder) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SourceError(f"{self.root / folder}: cannot read the folder ({error.strerror})") from error
        return {name: one for name in names if (one := self._found(self.root / folder / name)) is not None}

    def fetch(self, name: str, scratch: Callable[[], Path]) -> Path:
        return self.root / name

    def sha256(self, name: str) -> str:
        try:
            return sha256_of(self.root / name)
        except OSError as error:
            raise SourceError(f"{self.root / name}: cannot be read ({error.strerror})") from error

    def put(self, local: Path, name: str) -> None:
        target = self.root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if local.parent == self.scratch():
                os.replace(local, target)
            else:
                self._copy(local, target)
                local.unlink()
        except OSError as error:
            raise self._refused(target, error) from error

    def read(self, names: Iterable[str]) -> Mapping[str, bytes]:
        found = {}
        for name in names:
            try:
                found[name] = (self.root / name).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SourceError(f"{self.root / name}: cannot be read ({error.strerror})") from error
        return found

    def write(self, name: str, data: bytes) -> None:
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data, durable=False)
        except OSError as error:
            raise self._refused(path, error) from error

    def remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self.root / name).unlink(missing_ok=True)

    def scratch(self) -> Path | None:
        return self.root / PRIVATE_FOLDER / "work"

    def _found(self, path: Path) -> Found | None:
        with contextlib.suppress(OSError):
            stat = path.stat()
            if path.is_file():
                return Found(path.relative_to(self.root).as_posix(), stat.st_size, str(stat.st_mtime_ns))
        return None

    def _copy(self, local: Path, target: Path) -> None:
        file = NewFile(target)
        try:
            with local.open("rb") as read:
                while piece := read.read(_PIECE_BYTES):
                    file.write(piece)
            shutil.copystat(local, file.part)
            file.commit()
        finally:
            file.discard()

    def _unreadable(self, error: OSError) -> None:
        raise SourceError(f"{error.filename}: cannot read the folder ({error.strerror})") from error

    def _refused(self, path: Path, error: OSError) -> StoreRefused:
        return StoreRefused(f"{path}: cannot be written ({error.strerror}); when that is solved, {AGAIN}")
