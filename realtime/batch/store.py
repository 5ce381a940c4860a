"""Where a batch reads and writes: a local folder, or an address of fsspec's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from bgcam.realtime.batch.naming import Found
from bgcam.realtime.errors import SinkError

AGAIN = "run the same command again to go on"


class StoreRefused(SinkError):
    """A store takes or gives nothing more: the disk is full, the bucket refuses. It concerns all files."""


class Store(Protocol):
    """A tree of files. Names are paths within it, with "/".

    shown: its address for the user, without passwords.
    shared: whether other machines see the same by the same address, as far as that can be known.
    """

    shown: str
    shared: bool

    def files(self, *, leave_out: str = "") -> list[Found]:
        """All files but hidden ones, and those below the folder `leave_out`. Raises SourceError."""

    def find(self, folder: str) -> dict[str, Found]:
        """The files directly in a folder, by their name within it; hidden folders too. Raises SourceError."""

    def fetch(self, name: str, scratch: Callable[[], Path]) -> Path:
        """A local file with the content: the file itself, or a copy in the folder of `scratch`. Raises SourceError."""

    def sha256(self, name: str) -> str:
        """In hexadecimal digits. Raises SourceError."""

    def put(self, local: Path, name: str) -> None:
        """Move a local file there: it appears complete, or not at all. Raises StoreRefused."""

    def read(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Small files, as many of them as there are. Raises SourceError."""

    def write(self, name: str, data: bytes) -> None:
        """A small file, complete or not at all. Raises StoreRefused."""

    def remove(self, name: str) -> None:
        """Without an error if it is not there or cannot be removed."""

    def scratch(self) -> Path | None:
        """A folder from which `put` only renames; None if there is none."""


def without_password(address: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", address)
