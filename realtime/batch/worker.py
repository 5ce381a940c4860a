"""A worker: a loaded model, and what it does with one file after the other."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from bgcam import __version__
from bgcam.realtime.batch.faults import is_nearly_full, one_line, stops
from bgcam.realtime.batch.ledger import Ledger, Record, escaped
from bgcam.realtime.batch.naming import Unit
from bgcam.realtime.batch.plan import Plan
from bgcam.realtime.batch.process import Figures, process
from bgcam.realtime.batch.scratch import Scratch
from bgcam.realtime.batch.store import AGAIN, Store, StoreRefused
from bgcam.realtime.batch.stores import open_store
from bgcam.realtime.errors import SourceError
from bgcam.realtime.model.find import sha256_of
from bgcam.realtime.model.matting import Matting

Status = Literal["done", "failed", "stop"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a unit. reason: why it has no output, for "failed"; why all is to stop, for "stop".

    unread: it could not be read at all, as when a bucket refuses.
    """

    unit: Unit
    status: Status
    reason: str = ""
    unread: bool = False
    frames: int = 0
    background_only: int = 0
    took_s: float = 0.0
    worker: str = ""


class Job(msgspec.Struct, frozen=True):
    """A unit, and what it replaces: the sha256 of an output that is there now, "" for none."""

    unit: Unit
    replaces: str = ""


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
        self.frames = self.total = 0

    def do(self, job: Job, tick: Callable[[], None] = lambda: None) -> Outcome:
        """Process a unit. Raises nothing but KeyboardInterrupt and the like. tick: called while frames are done."""
        begun_s = time.monotonic()
        self.frames, self.total = 0, 0

        def ticked(frames: int, total: int) -> None:
            self.frames, self.total = frames, total
            tick()

        local: Path | None = None
        staged = self._work_folder() / f"{self._plan.run}-{secrets.token_hex(8)}{PurePosixPath(job.unit.output).suffix}"
        try:
            staged.parent.mkdir(parents=True, exist_ok=True)
            if is_nearly_full(staged.parent):
                raise StoreRefused(f"{staged.parent}: the disk is full; free some space, then {AGAIN}")
            try:
                local = self._source.fetch(job.unit.source, self._temporary)
                before = _state(local)
                digest = sha256_of(local)
            except (SourceError, OSError) as error:
                return self._failed(job, f"cannot be read ({_why(error)})", unread=True)
            figures = self._process(job, local, staged, ticked)
            if _state(local) != before:
                return self._failed(job, "changed while it was read; the next run processes it")
            took_s = time.monotonic() - begun_s
            self._ledger.add(job.unit.ident, self._record(job, digest, staged, figures, took_s), figures.watch.strip())
            self._target.put(staged, job.unit.output)
            return Outcome(
                unit=job.unit,
                status="done",
                reason=figures.why,
                frames=figures.frames,
                background_only=figures.background_only,
                took_s=took_s,
                worker=self._name,
            )
        except Exception as error:
            said = self._named(one_line(error), {local: job.unit.source, staged: job.unit.output})
            if stops(error, folder=staged.parent, loaded=self._loaded):
                return Outcome(unit=job.unit, status="stop", reason=said, worker=self._name)
            return self._failed(job, said)
        finally:
            staged.unlink(missing_ok=True)
            if local is not None and self._scratch is not None and local.parent == self._scratch.path:
                local.unlink(missing_ok=True)
            self.frames = self.total = 0

    def close(self) -> None:
        """Release the model and remove its temporary files."""
        self._matting = None
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None

    def _process(self, job: Job, local: Path, staged: Path, tick: Callable[[int, int], None]) -> Figures:
        settings = self._plan.settings
        if self._matting is None:
            self._matting = Matting(Path(settings.model), backend=settings.backend, threads=settings.threads)
        figures = process(local, staged, job.unit.kind, self._plan.mode, settings, self._matting, tick=tick)
        self._loaded = True
        return figures

    def _record(self, job: Job, digest: str, staged: Path, figures: Figures, took_s: float) -> Record:
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
