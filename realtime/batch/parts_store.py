"""What is kept of videos that are done in parts: how they were cut, and the parts that are done. It lies beside the
outputs, in `.bgcam/parts`, until they are joined.

`IDENT.json` says how a video was cut. `IDENT-0003.mp4` is a part, `IDENT-0003.jpg` shows its least sure frames, and
`IDENT-0003.json`, which is written last, says that it is done.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from bgcam.realtime.batch.ledger import Frame
from bgcam.realtime.batch.naming import PRIVATE_FOLDER, Unit
from bgcam.realtime.batch.store import Store
from bgcam.realtime.sources.video_part import Part

FOLDER = f"{PRIVATE_FOLDER}/parts"
_FORMAT = 1
_NAME = re.compile(r"(?P<ident>[0-9a-f]{32})(?:-(?P<part>\d+))?\.(?P<suffix>\w+)")


class CutVideo(msgspec.Struct, frozen=True, kw_only=True):
    """How a video was cut. key: of model and options, see `plan`. segment_s: as the user asked for. start_s: of its
    first frame on its own clock. delay_s: by how much its pictures begin later than its sound."""

    source_bytes: int
    source_version: str
    source_sha256: str
    key: str
    segment_s: float
    start_s: float
    delay_s: float
    sound: bool
    parts: list[Part]
    format: int = _FORMAT

    @property
    def frames(self) -> int:
        """Of all parts."""
        return sum(part.frames for part in self.parts)

    @property
    def name(self) -> str:
        """Tells parts of this cut from those of others: of another source, another key, or in other places."""
        told = [self.source_sha256, self.key, self.delay_s, self.parts]
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:32]


class DonePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is done; see `ledger.Record`. cut: the name of its `CutVideo`. first_tick: see `VideoSink`."""

    cut: str
    file_bytes: int
    first_tick: int
    frames: int
    backend: str
    took_s: float
    background_only: int = 0
    why: str = ""
    nobody: int | None = None
    least_sure: list[Frame] = []


class PartsStore:
    """See above. Its calls raise what those of a `Store` do."""

    def __init__(self, store: Store):
        self._store = store

    def cut_of(self, unit: Unit) -> CutVideo | None:
        """How a video was cut; None if that is not known."""
        name = f"{FOLDER}/{unit.ident}.json"
        try:
            cut = msgspec.json.decode(self._store.read([name]).get(name, b""), type=CutVideo)
        except msgspec.DecodeError:
            return None
        return cut if cut.format == _FORMAT else None

    def keep_cut(self, unit: Unit, cut: CutVideo) -> None:
        """Before its parts are done."""
        self._store.write(f"{FOLDER}/{unit.ident}.json", msgspec.json.encode(cut))

    def done(self, unit: Unit, cut: CutVideo) -> dict[int, DonePart]:
        """The parts that are done and there, by their numbers."""
        there = self._store.find(FOLDER)
        names = {
            self.name(unit, part.number, ".json"): part.number
            for part in cut.parts
            if self._short(unit, part.number, ".json") in there
        }
        found: dict[int, DonePart] = {}
        for name, data in self._store.read(names).items():
            number = names[name]
            try:
                one = msgspec.json.decode(data, type=DonePart)
            except msgspec.DecodeError:
                continue
            file = there.get(self._short(unit, number, PurePosixPath(unit.output).suffix))
            if one.cut == cut.name and file is not None and file.size_bytes == one.file_bytes:
                found[number] = one
        return found

    def add(self, unit: Unit, number: int, done: DonePart, file: Path, strip: bytes | None) -> None:
        """A part: its file is moved there."""
        self._store.put(file, self.name(unit, number, PurePosixPath(unit.output).suffix))
        if strip is not None:
            self._store.write(self.name(unit, number, ".jpg"), strip)
        self._store.write(self.name(unit, number, ".json"), msgspec.json.encode(done))

    def strips(self, unit: Unit, cut: CutVideo) -> Mapping[int, bytes]:
        """The pictures of each part's least sure frames."""
        names = {self.name(unit, part.number, ".jpg"): part.number for part in cut.parts}
        return {names[name]: data for name, data in self._store.read(names).items()}

    def name(self, unit: Unit, number: int, suffix: str) -> str:
        """What a file of a part is called in the store."""
        return f"{FOLDER}/{self._short(unit, number, suffix)}"

    def forget(self, unit: Unit) -> None:
        """Remove what is kept of a video."""
        self._remove(lambda ident: ident == unit.ident)

    def clear(self, *, but: Collection[str] = ()) -> None:
        """Remove what is kept of all videos but these, by `Unit.ident`."""
        self._remove(lambda ident: ident not in but)

    def _remove(self, which: Callable[[str], bool]) -> None:
        found = [(name, shape) for name in self._store.find(FOLDER) if (shape := _NAME.fullmatch(name))]
        # A part without its record is not done, so that comes first.
        for name, shape in sorted(found, key=lambda one: one[1]["suffix"] != "json"):
            if which(shape["ident"]):
                self._store.remove(f"{FOLDER}/{name}")

    @staticmethod
    def _short(unit: Unit, number: int, suffix: str) -> str:
        return f"{unit.ident}-{number:04d}{suffix}"
