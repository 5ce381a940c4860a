"""Files of ours in folders that are not: shown before they are written, all of them or none, and known again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bgcam.realtime.errors import SinkError

MARK = "# Written by bgcam"


def show(files: Mapping[Path, str]) -> None:
    """Print each file under its name."""
    for path, text in files.items():
        print(f"{path}:\n" + "".join(f"    {line}\n" for line in text.splitlines()))


def write_all(files: Mapping[Path, str]) -> None:
    """Write all or none: each goes under another name first. Raises SinkError; refuses a file that is not bgcam's."""
    for path in files:
        if path.exists() and not is_ours(path):
            raise SinkError(f"{path} is there and was not written by bgcam; move it away and run this again")
    before = {path: path.read_bytes() if path.exists() else None for path in files}
    partial = {path: path.with_name(f"{path.name}.part") for path in files}
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_text(text)
        for path in files:
            os.replace(partial[path], path)
    except OSError as error:
        for path, content in before.items():
            _put_back(path, content)
        what = f"{error.filename or path}: cannot be written ({error.strerror})"
        raise SinkError(f"{what}; nothing was changed") from error
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


def remove_all(paths: Iterable[Path]) -> list[Path]:
    """Remove those that are there and bgcam's. Gives them. Raises SinkError."""
    found = [path for path in paths if is_ours(path)]
    for path in found:
        try:
            path.unlink()
        except OSError as error:
            raise SinkError(f"{path}: cannot be removed ({error.strerror}); remove it by hand") from error
    return found


def is_ours(path: Path) -> bool:
    """Whether bgcam wrote it."""
    try:
        return path.read_text(errors="replace").startswith(MARK)
    except OSError:
        return False


def _put_back(path: Path, content: bytes | None) -> None:
    try:
        if content is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != content:
            path.write_bytes(content)
    except OSError:  # then it is as it was: what could not be written cannot have changed
        pass
