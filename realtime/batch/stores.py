"""Opens the store that an address names."""

from __future__ import annotations

import os
from pathlib import Path

from bgcam.realtime.batch.local_store import LocalStore
from bgcam.realtime.batch.remote_store import open_remote
from bgcam.realtime.batch.store import Store


def open_store(address: str) -> Store:
    """The folder or address that the user named; nothing is read yet. Raises BgcamError if a package is missing."""
    local = address.removeprefix("file://")
    if "://" not in local or os.path.isdir(local):
        return LocalStore(Path(os.path.expanduser(local)))
    return open_remote(address)
