"""A worker: a loaded model, and what it does with one file after the other."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from bgcam import __version__
from bgcam.realtime.batch.faults import is_nearly_full, one_line, stops
from bgcam.realtime.batch.jobs import Job, Outcome
from bgcam.realtime.batch.ledger import Ledger, Record, escaped
from bgcam.realtime.batch.parts_store import CutVideo, PartsStore
from bgcam.realtime.batch.plan import Plan
from bgcam.realtime.batch.process import Figures, Piece, process
from bgcam.realtime.batch.scratch import Scratch
from bgcam.realtime.batch.segments import Segments
from bgcam.realtime.batch.store import AGAIN, Store, StoreRefused
from bgcam.realtime.batch.stores import open_store
from bgcam.realtime.errors import SourceError
from bgcam.realtime.model.find import sha256_of
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.sources.video_part import NotInParts


class _Changed(Exception):
    """The source is not what it was."""


@dataclass(frozen=True)
class _OnOne:
    """What a step works on. local: the source; before: its state. staged: for the output. digest: of the source."""

    job: Job
    local: Path
    staged: Path
    digest: str
    begun_s: float
    tick: Callable[[], None]
    before: tuple[int, int]


class Worker:
    """Constructed once in each process; the model is loaded with the first unit.

    frames: how many frames of the unit in progress are done; total: of how many, 0 if that is unknown.
    """

    def __init__(self, plan: Plan, *, name: str = ""):
        self._plan, self._name = plan, name
        self._source: Store = open_store(plan.source)
        self._target: Store = open_store(plan.target)
        self._ledger = Ledger(self._target)
        self._scratch: Scratch | None = None
        self._matting: Matting | None = None
        self._loaded = False
        self._segments = Segments(plan, PartsStore(self._target))
        self._copy: tuple[tuple[str, int, str], Path] | None = None
        self._steps = {"whole": self._whole, "cut": self._cut, "part": self._part, "join": self._join}
        self.frames = self.total = 0

    def do(self, job: Job, tick: Callable[[], None] = lambda: None) -> Outcome:
        """One step of a unit. Raises nothing but KeyboardInterrupt and the like. tick: called while frames are done."""
        begun_s = time.monotonic()
        self.frames, self.total = 0, 0
        local: Path | None = None
        staged = self._work_folder() / f"{self._plan.run}-{secrets.token_hex(8)}{PurePosixPath(job.unit.output).suffix}"
        try:
            staged.parent.mkdir(parents=True, exist_ok=True)
            if is_nearly_full(staged.parent):
                raise StoreRefused(f"{staged.parent}: the disk is full; free some space, then {AGAIN}")
            try:
                local = self._fetched(job)
                before = _state(local)
                digest = "" if job.step in ("part", "join") else sha256_of(local)
            except (SourceError, OSError) as error:
                return self._failed(job, f"cannot be read ({_why(error)})", unread=True)
            on = _OnOne(job, local, staged, digest, begun_s, tick, before)
            return self._steps[job.step](on)
        except _Changed:
            return self._failed(job, "changed while it was read; the next run processes it")
        except NotInParts as error:
            return Outcome(unit=job.unit, status="whole", reason=str(error), worker=self._name)
        except Exception as error:
            said = self._named(one_line(error), {local: job.unit.source, staged: job.unit.output})
            if stops(error, folder=staged.parent, loaded=self._loaded):
                return Outcome(unit=job.unit, status="stop", reason=said, worker=self._name)
            return self._failed(job, said)
        finally:
            staged.unlink(missing_ok=True)
            if job.step == "whole":
                self._drop_copy()
            self.frames = self.total = 0

    def close(self) -> None:
        """Release the model and remove its temporary files."""
        self._matting, self._copy = None, None
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None

    def _whole(self, on: _OnOne) -> Outcome:
        figures = self._process(on)
        self._check_unchanged(on)
        return self._finished(on, figures, on.digest, time.monotonic() - on.begun_s)

    def _cut(self, on: _OnOne) -> Outcome:
        """A short video is processed at once, and so is one that cannot be cut."""
        if not self._segments.is_long(on.local):
            return self._whole(on)
        try:
            found, left = self._segments.cut(on.job.unit, on.local, on.digest)
        except NotInParts as error:
            return msgspec.structs.replace(self._whole(on), in_one_piece=str(error))
        return Outcome(unit=on.job.unit, status="cut", left=left, of_frames=found.frames, worker=self._name)

    def _part(self, on: _OnOne) -> Outcome:
        unit, number = on.job.unit, on.job.part
        found = self._checked_cut(on)

        def process(piece: Piece) -> Figures:
            return self._process(on, piece, of_frames=found.frames)

        figures = self._segments.do(unit, found, number, on.staged, process, clock=time.monotonic)
        self._check_unchanged(on)
        return Outcome(
            unit=unit,
            status="part",
            part=number,
            frames=figures.frames,
            of_frames=found.frames,
            took_s=time.monotonic() - on.begun_s,
            worker=self._name,
        )

    def _join(self, on: _OnOne) -> Outcome:
        found = self._checked_cut(on)
        fetched: list[Path] = []

        def fetch(name: str) -> Path:
            fetched.append(self._target.fetch(name, self._temporary))
            return fetched[-1]

        try:
            figures, parts = self._segments.join(on.job.unit, found, on.local, on.staged, fetch)
        finally:
            for path in fetched:
                if self._scratch is not None and path.parent == self._scratch.path:
                    path.unlink(missing_ok=True)
        self._check_unchanged(on)
        outcome = self._finished(on, figures, found.source_sha256, sum(one.took_s for one in parts), parts=len(parts))
        self._segments.forget(on.job.unit)
        return msgspec.structs.replace(outcome, frames=0, of_frames=figures.frames)

    def _finished(self, on: _OnOne, figures: Figures, digest: str, took_s: float, *, parts: int = 0) -> Outcome:
        """The record, and then the output, are put into the target."""
        unit = on.job.unit
        record = self._record(on.job, digest, on.staged, figures, took_s, parts)
        self._ledger.add(unit.ident, record, figures.watch.strip())
        self._target.put(on.staged, unit.output)
        return Outcome(
            unit=unit,
            status="done",
            reason=figures.why,
            frames=figures.frames,
            background_only=figures.background_only,
            took_s=took_s,
            worker=self._name,
        )

    def _process(self, on: _OnOne, piece: Piece | None = None, *, of_frames: int = 0) -> Figures:
        """of_frames: how many frames the whole video has, of which this is a piece."""
        settings = self._plan.settings

        def ticked(frames: int, total: int) -> None:
            self.frames, self.total = frames, of_frames or total
            on.tick()

        if self._matting is None:
            self._matting = Matting(Path(settings.model), backend=settings.backend, threads=settings.threads)
        given: dict[str, Any] = {"tick": ticked} | ({"piece": piece} if piece is not None else {})
        kind = on.job.unit.kind
        figures = process(on.local, on.staged, kind, self._plan.mode, settings, self._matting, **given)
        self._loaded = True
        return figures

    def _fetched(self, job: Job) -> Path:
        """The source as a local file. A copy is kept while the same video's parts are done."""
        key = job.unit.source, job.unit.size_bytes, job.unit.version
        if self._copy is not None and self._copy[0] == key and self._copy[1].exists():
            return self._copy[1]
        self._drop_copy()
        local = self._source.fetch(job.unit.source, self._temporary)
        if self._scratch is not None and local.parent == self._scratch.path:
            self._copy = key, local
        return local

    def _drop_copy(self) -> None:
        if self._copy is not None:
            self._copy[1].unlink(missing_ok=True)
            self._copy = None

    def _checked_cut(self, on: _OnOne) -> CutVideo:
        """How the video was cut. Raises _Changed if it is not the file that was."""
        found = self._segments.known(on.job.unit)
        unit = on.job.unit
        same = found.source_bytes == on.before[0] and (found.source_bytes, found.source_version) == (
            unit.size_bytes,
            unit.version,
        )
        if not same or (self._copy is None and str(on.before[1]) != unit.version):
            raise _Changed
        return found

    def _check_unchanged(self, on: _OnOne) -> None:
        if _state(on.local) != on.before:
            raise _Changed

    def _record(self, job: Job, digest: str, staged: Path, figures: Figures, took_s: float, parts: int) -> Record:
        stat = staged.stat()
        return Record(
            source=escaped(job.unit.source),
            source_bytes=job.unit.size_bytes,
            source_version=job.unit.version,
            source_sha256=digest,
            output=escaped(job.unit.output),
            output_bytes=stat.st_size,
            output_version=str(stat.st_mtime_ns),
            output_sha256=sha256_of(staged),
            replaces=job.replaces,
            key=self._plan.key,
            options=self._plan.options,
            bgcam=__version__,
            model=self._plan.model,
            model_sha256=self._plan.model_sha256,
            backend=figures.backend,
            frames=figures.frames,
            took_s=round(took_s, 3),
            finished=now(),
            background_only=figures.background_only,
            why=figures.why,
            nobody=figures.nobody,
            parts=parts,
            least_sure=figures.watch.least_sure,
        )

    def _failed(self, job: Job, reason: str, *, unread: bool = False) -> Outcome:
        return Outcome(unit=job.unit, status="failed", reason=reason, unread=unread, worker=self._name)

    def _work_folder(self) -> Path:
        return self._target.scratch() or self._temporary()

    def _temporary(self) -> Path:
        self._scratch = self._scratch or Scratch()
        return self._scratch.path

    def _named(self, said: str, names: dict[Path | None, str]) -> str:
        """A message with the names that the user knows."""
        for path, name in names.items():
            if path is not None:
                said = said.replace(str(path), name).replace(path.name, os.path.basename(name))
        return said.removeprefix(f"{next(iter(names.values()))}: ")


def now() -> str:
    """The time for a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())
