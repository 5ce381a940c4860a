"""What is known of each output: a record of how it was made, or of why there is none. It lies beside the outputs.

In the folder `.bgcam` of the target: `done/IDENT.json` is an output's record, `failed/IDENT.json` says why a file was
set aside, and `frames/IDENT.jpg` shows the output's least sure frames. `work/` has files in progress.

A record is written before its output appears. So if a batch is killed between the two, the record names an output that
is missing, and the file is processed again; and an output without a record was written by something else, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from bgcam.realtime.batch.naming import PRIVATE_FOLDER, Unit
from bgcam.realtime.batch.store import Store
from bgcam.realtime.errors import SinkError

_FORMAT = 1


class Frame(msgspec.Struct, frozen=True):
    """A frame whose matte is unsure. unsure, flips: shares of the matte, see `unsure`."""

    time_s: float
    unsure: float
    flips: float

    @property
    def score(self) -> float:
        """Higher is less sure."""
        return self.unsure + self.flips


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """How an output was made.

    key: of the model and the options, see `plan`. replaces: the sha256 of the earlier output that it takes the place
    of. background_only: how many frames show the background alone, because their mattes were refused; why: the reason
    of the first. parts: of how many it was joined, 0 if it was processed at once. nobody: in how many frames nobody was
    found. took_s: how long it took. least_sure: the first is the worst. A figure that was not measured is None.
    """

    source: str
    source_bytes: int
    source_version: str
    source_sha256: str
    output: str
    output_bytes: int
    output_version: str
    output_sha256: str
    key: str
    options: dict[str, str | float | bool]
    bgcam: str
    model: str
    model_sha256: str
    backend: str
    frames: int
    took_s: float
    finished: str
    replaces: str = ""
    background_only: int = 0
    why: str = ""
    nobody: int | None = None
    parts: int = 0
    least_sure: list[Frame] = []
    format: int = _FORMAT


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why a file was set aside."""

    source: str
    output: str
    reason: str
    finished: str
    format: int = _FORMAT


class Ledger:
    """The records of a target."""

    def __init__(self, store: Store):
        self._store = store

    def records(self) -> dict[str, Record]:
        """By `Unit.ident`. A damaged one counts as missing. Raises SourceError if they cannot be read."""
        there = self._store.find(f"{PRIVATE_FOLDER}/done")
        idents = [name.removesuffix(".json") for name in there if name.endswith(".json")]
        names = {f"{PRIVATE_FOLDER}/done/{ident}.json": ident for ident in idents}
        found: dict[str, Record] = {}
        for name, data in self._store.read(names).items():
            try:
                record = msgspec.json.decode(data, type=Record)
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
            if record.format == _FORMAT:
                found[names[name]] = record
        return found

    def strips(self, idents: Iterable[str]) -> Mapping[str, bytes]:
        """The pictures of the least sure frames, JPEG files, by ident."""
        names = {f"{PRIVATE_FOLDER}/frames/{ident}.jpg": ident for ident in idents}
        return {names[name]: data for name, data in self._store.read(names).items()}

    def add(self, ident: str, record: Record, strip: bytes | None) -> None:
        """Before the output appears. Raises StoreRefused."""
        if strip is not None:
            self._store.write(f"{PRIVATE_FOLDER}/frames/{ident}.jpg", strip)
        self._store.write(f"{PRIVATE_FOLDER}/done/{ident}.json", _json(record))

    def set_aside(self, unit: Unit, reason: str, *, finished: str) -> None:
        """Raises StoreRefused."""
        failed = Failed(source=escaped(unit.source), output=escaped(unit.output), reason=reason, finished=finished)
        self._store.write(f"{PRIVATE_FOLDER}/failed/{unit.ident}.json", _json(failed))

    def not_set_aside(self, idents: Iterable[str]) -> None:
        """Forget why these were set aside: they are done."""
        try:
            there = self._store.find(f"{PRIVATE_FOLDER}/failed")
        except SinkError:
            return
        for ident in idents:
            if f"{ident}.json" in there:
                self._store.remove(f"{PRIVATE_FOLDER}/failed/{ident}.json")


def escaped(name: str) -> str:
    """A file's name as text for JSON: a name need not be Unicode."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _json(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
