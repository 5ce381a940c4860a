"""Files of ours in folders that are not: shown before they are written, all of them or none, and known again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from bgcam.realtime.atomic_write import NewFile, write_whole
from bgcam.realtime.errors import SinkError

MARK = "# Written by bgcam"
# Of those that begin otherwise, such as SVG.
MARKS = (MARK, "<!-- Written by bgcam")
# Other users' programs read some of them, whatever root's umask is.
RIGHTS = 0o644


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
    with ExitStack() as undo:
        made: dict[Path, NewFile] = {}
        try:
            for path, text in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                made[path] = NewFile(path)
                undo.callback(made[path].discard)
                made[path].write(text.encode())
                made[path].sync()
            for path in files:
                made[path].commit(mode=RIGHTS)
        except OSError as error:
            for written, content in before.items():
                _put_back(written, content)
            raise SinkError(f"{path}: cannot be written ({error.strerror}); nothing was changed") from error


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
        return path.is_file() and path.read_text(errors="replace").startswith(MARKS)
    except OSError:
        return False


def _put_back(path: Path, content: bytes | None) -> None:
    try:
        if content is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != content:
            write_whole(path, content, mode=RIGHTS)
    except OSError:  # then it is as it was: what could not be written cannot have changed
        pass
