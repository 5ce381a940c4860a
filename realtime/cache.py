"""What bgcam keeps between runs, in the user's cache folder: how much there may be, and how it is removed.

Files that belong together have the same name up to the first dot, such as a compiled model and its digest; they go
together. A file that is lost is made again at the next start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
# Each model, size, and number of threads has a compiled form of 1 to 7 MB; an engine takes minutes to build.
LIMIT_BYTES = {"openvino": 64 * MIB, "engines": 256 * MIB}


@dataclass(frozen=True)
class Kept:
    """Files that belong together. used_s: when one of them was last read or written, as far as the system notes it."""

    paths: tuple[Path, ...]
    size_bytes: int
    used_s: float


def cache_folder(part: str = "") -> Path:
    """bgcam's folder, or a part of it; not made. Raises RuntimeError for a user without a home folder."""
    import platformdirs

    folder = platformdirs.user_cache_path("bgcam", appauthor=False)
    return folder / part if part else folder


def prune(part: str, *, limit_bytes: int | None = None) -> list[Path]:
    """Remove what was not used for the longest time, until the part is within its limit; the newest always stays.

    limit_bytes: default: the part's. Gives what was removed. What cannot be removed stays, and is no error.
    """
    limit_bytes = LIMIT_BYTES[part] if limit_bytes is None else limit_bytes
    try:
        kept = sorted(_kept(cache_folder(part)), key=lambda one: one.used_s)
    except RuntimeError:
        return []
    total_bytes = sum(one.size_bytes for one in kept)
    removed: list[Path] = []
    for one in kept[:-1]:
        if total_bytes <= limit_bytes:
            break
        removed += [path for path in one.paths if _remove(path)]
        total_bytes -= one.size_bytes
    return removed


def sizes_bytes() -> dict[str, tuple[int, int]]:
    """Of each part, and of what lies beside them (""): how many files there are, and their bytes."""
    folder = cache_folder()
    found: dict[str, tuple[int, int]] = {}
    for path in _files(folder):
        below = path.relative_to(folder).parts
        part = below[0] if len(below) > 1 else ""
        count, size = found.get(part, (0, 0))
        with contextlib.suppress(OSError):
            found[part] = count + 1, size + path.lstat().st_size
    return dict(sorted(found.items()))


def clear() -> tuple[int, int]:
    """Remove everything: how many files went, and their bytes. Raises OSError for the first that cannot be removed."""
    folder = cache_folder()
    before = sizes_bytes()
    if folder.is_dir() and not folder.is_symlink():
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return sum(count for count, _ in before.values()), sum(size for _, size in before.values())


def _kept(folder: Path) -> Iterator[Kept]:
    groups: dict[Path, list[tuple[Path, os.stat_result]]] = defaultdict(list)
    for path in _files(folder):
        with contextlib.suppress(OSError):
            groups[path.with_name(path.name.partition(".")[0])].append((path, path.lstat()))
    for group in groups.values():
        used_s = max(max(stat.st_atime, stat.st_mtime) for _, stat in group)
        yield Kept(tuple(path for path, _ in group), sum(stat.st_size for _, stat in group), used_s)


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder; links are not followed."""
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
