"""Existing files are replaced only where the user says so: by `--overwrite`, or by a yes on the terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bgcam.realtime.errors import SinkError

# What a folder gets without names of the input's own; see `sinks.images.FolderSink`.
NUMBERED = re.compile(r"[0-9]{5,}\.png")
Ask = Callable[[str], bool]


def ask_on_terminal(question: str) -> bool:
    """A yes from the user at a terminal; False if there is no terminal, or for any other answer."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def check_existing(paths: Iterable[Path], *, overwrite: bool, ask: Ask = ask_on_terminal) -> None:
    """Raise SinkError where one of the files exists and may not be replaced.

    overwrite: the user has said so already. ask: put a question, and tell whether the answer is yes.
    """
    if overwrite:
        return
    there = [path for path in paths if os.path.lexists(path)]
    if not there:
        return
    others = f" and {len(there) - 1} more" if len(there) > 1 else ""
    exist = "exist" if others else "exists"
    if not ask(f"bgcam: {there[0]}{others} {exist} already. Replace?"):
        what = "them" if others else "it"
        raise SinkError(
            f"{there[0]}{others} {exist} already; give another name, or --overwrite to replace {what}; nothing changed"
        )


def numbered_pictures(folder: Path) -> list[Path]:
    """What a folder holds of the names that `FolderSink` numbers its pictures by."""
    try:
        found = [folder / name for name in os.listdir(folder) if NUMBERED.fullmatch(name)]
    except OSError:  # not there yet, or not readable: opening it says so
        return []
    return sorted(found)


def written_files(output: str, names: Sequence[Path] | None) -> list[Path]:
    """The files that an output's spec may replace. names: of the pictures in a folder, where they are known."""
    from bgcam.realtime.sinks import is_file, is_folder

    if is_folder(output):
        return numbered_pictures(Path(output)) if names is None else [Path(output) / name for name in names]
    return [Path(output)] if is_file(output) else []
