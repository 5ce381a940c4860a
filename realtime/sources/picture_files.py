"""Which pictures a folder contains, and the names of their outputs. Reads no picture and needs no OpenCV."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.sources.base import PICTURE_SUFFIXES

# OpenCV cannot write these, or not everywhere; they are most often converted to JPEG.
READ_ALONE = (".heic", ".heif", ".avif")
_INSTEAD = ".jpg"


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts names as people count: "2.jpg" before "10.jpg", "a.jpg" beside "A.jpg"."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(1, int(part), part) if part.isdigit() and part.isascii() else (2, 0, part) for part in parts if part]


def picture_paths(folder: Path) -> list[Path]:
    """The folder's own pictures in natural order, without hidden files. Raises SourceError if there are none."""
    found = _pictures_in(folder)
    if not found:
        raise _no_pictures(folder)
    return found


def has_pictures(folder: Path) -> bool:
    """Whether `picture_paths` finds any. Raises SourceError for a folder that cannot be read."""
    return bool(_pictures_in(folder))


def picture_tree(folder: Path, *, leave_out: Collection[Path] = ()) -> list[Path]:
    """The pictures of a folder and of all folders in it, in natural order; a folder's own come before its subfolders'.

    leave_out: folders that are skipped, such as the output folder. Hidden files and folders are left
    out, and so are linked folders, which may form cycles. Raises SourceError if there are none.
    """
    without = {path.resolve() for path in leave_out}
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        found += _pictures_in(here)
        inner = [path for path in _entries(here) if path.is_dir() and not path.is_symlink()]
        inner = [path for path in inner if not path.name.startswith(".") and path.resolve() not in without]
        waiting += sorted(inner, key=lambda path: natural_key(path.name), reverse=True)
    if not found:
        raise _no_pictures(folder)
    return found


def all_pictures(given: Sequence[Path], *, leave_out: Collection[Path] = ()) -> list[Path]:
    """Pictures and the pictures of folders (see `picture_tree`), in the order given. Raises SourceError."""
    return [found for one in given for found in (picture_tree(one, leave_out=leave_out) if one.is_dir() else [one])]


def written_names(paths: Sequence[Path], folder: Path | None, *, suffix: str | None = None) -> list[Path]:
    """Each picture's name in the output folder: its own, with its path within `folder`.

    folder: None for pictures that were given by name. suffix: of the outputs, if not the pictures' own; a picture of a
    kind that cannot be written becomes a JPEG. Raises UsageError if two of them would get the same name.
    """
    owners: dict[Path, Path] = {}
    for path in paths:
        name = Path(path.name) if folder is None else path.relative_to(folder)
        if suffix is not None:
            name = name.with_suffix(suffix)
        elif name.suffix.lower() not in PICTURE_SUFFIXES or name.suffix.lower() in READ_ALONE:
            name = name.with_suffix(_INSTEAD)
        if owners.setdefault(name, path) != path:
            raise UsageError(f"{owners[name].name} and {path.name} would both become {name}; rename one of them")
    return list(owners)


def _pictures_in(folder: Path) -> list[Path]:
    found = [path for path in _entries(folder) if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]
    shown = (path for path in found if not path.name.startswith("."))
    return sorted(shown, key=lambda path: (natural_key(path.name), path.name))


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError as error:
        raise SourceError(f"{folder}: cannot read the folder ({error.strerror})") from error


def _no_pictures(folder: Path) -> SourceError:
    return SourceError(f"{folder}: no pictures in this folder; give one with {', '.join(PICTURE_SUFFIXES)} files")
