"""Which files of a folder a batch takes, and what their outputs are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal

import msgspec

from bgcam.realtime.sources.base import PICTURE_SUFFIXES
from bgcam.realtime.sources.picture_files import READ_ALONE, natural_key

Kind = Literal["video", "picture"]
Mode = Literal["background", "transparent", "matte", "cutout"]

VIDEO_SUFFIXES = (
    *(".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv"),
    *(".3gp", ".ogv", ".gif"),
)
# What a video of another kind becomes, and the kinds that stay as they are.
_KEPT = (".mp4", ".mkv", ".webm", ".mov")
_KEPT_TRANSPARENT = (".webm", ".mov")
# What bgcam keeps beside the outputs; see `ledger`.
PRIVATE_FOLDER = ".bgcam"


class Found(msgspec.Struct, frozen=True):
    """A file in a store. name: its path there, with "/"; version: changes when its content does, "" if unknown."""

    name: str
    size_bytes: int
    version: str = ""


class Unit(msgspec.Struct, frozen=True):
    """One file to process: its name in the source, and that of its output in the target."""

    source: str
    output: str
    kind: Kind
    size_bytes: int = 0
    version: str = ""

    @property
    def ident(self) -> str:
        """Names what is kept about the output: 32 hexadecimal digits, whatever characters and length its name has."""
        return ident_of(self.output)


class Unnamed(msgspec.Struct, frozen=True):
    """A file without an output: another one gets the name that it would have."""

    source: str
    reason: str


def ident_of(output: str) -> str:
    """See `Unit.ident`."""
    return hashlib.sha256(output.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def kind_of(name: str) -> Kind | None:
    """By the suffix, so that no file has to be fetched; None for what is neither a video nor a picture."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    return "video" if suffix in VIDEO_SUFFIXES else None


def is_hidden(name: str) -> bool:
    """Whether a file or one of its folders begins with a dot."""
    return any(part.startswith(".") for part in name.split("/"))


def output_name(name: str, kind: Kind, mode: Mode) -> str:
    """The name of a file's output: its own, with another suffix where the output is of another kind."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    transparent = mode in ("transparent", "cutout")
    if kind == "picture":
        if transparent or mode == "matte":
            return str(path.with_suffix(".png"))
        return str(path.with_suffix(".jpg")) if suffix in READ_ALONE else name
    if transparent:
        return name if suffix in _KEPT_TRANSPARENT else str(path.with_suffix(".webm"))
    return name if suffix in _KEPT else str(path.with_suffix(".mp4"))


def name_units(found: Iterable[Found], mode: Mode) -> tuple[list[Unit], list[Unnamed], int]:
    """The units of these files in natural order, the files without an output, and how many are of no kind to process.

    If several files would get one name, the file that has it already does, otherwise the first.
    """
    units: dict[str, Unit] = {}
    unnamed: list[Unnamed] = []
    others = 0
    named = sorted(found, key=lambda one: ([natural_key(part) for part in one.name.split("/")], one.name))

    def gets_another_name(one: Found) -> bool:
        kind = kind_of(one.name)
        return kind is None or output_name(one.name, kind, mode) != one.name

    for one in sorted(named, key=gets_another_name):
        kind = kind_of(one.name)
        if kind is None:
            others += 1
            continue
        output = output_name(one.name, kind, mode)
        if output in units:
            taken = units[output].source
            unnamed.append(Unnamed(one.name, f"would become {output}, as {taken} does; rename one of them"))
            continue
        units[output] = Unit(one.name, output, kind, one.size_bytes, one.version)
    place = {one.name: number for number, one in enumerate(named)}
    return sorted(units.values(), key=lambda unit: place[unit.source]), unnamed, others
