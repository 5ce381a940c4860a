"""A whole batch: what is to do, who does it, and what is said of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from bgcam.packages import install_command, packages_of
from bgcam.realtime.batch.following import Following
from bgcam.realtime.batch.jobs import FINAL, Job, Outcome
from bgcam.realtime.batch.ledger import Ledger
from bgcam.realtime.batch.naming import Mode, Unit, Unnamed, ident_of, name_units
from bgcam.realtime.batch.parts_store import PartsStore
from bgcam.realtime.batch.plan import Plan, make_plan
from bgcam.realtime.batch.pool import Heard, OneByOne, Pool
from bgcam.realtime.batch.progress import Progress
from bgcam.realtime.batch.report import print_report
from bgcam.realtime.batch.resume import Left, check_in_the_way, what_is_left
from bgcam.realtime.batch.scratch import only_batch
from bgcam.realtime.batch.segments import why_whole
from bgcam.realtime.batch.sheet import SHEET, sheet
from bgcam.realtime.batch.store import AGAIN, Store
from bgcam.realtime.batch.stores import open_store
from bgcam.realtime.batch.worker import now
from bgcam.realtime.errors import BgcamError, SinkError, SourceError, UsageError
from bgcam.realtime.settings import Settings

# When this many files in a row cannot be read at all, the source itself is out of reach.
MOST_UNREAD = 10


def batch(
    source: str,
    target: str,
    mode: Mode,
    settings: Settings,
    *,
    address: str = "",
    workers: int | None = None,
    segment_s: float = 0.0,
) -> int:
    """Process every file of `source` into `target`, but those that are done. Gives the exit code: 1 if any was set
    aside, or shows the background alone in some frames.

    address: of a Ray cluster, "" for this machine. workers: at most this many, None for all that fit. segment_s: cut
    long videos into parts of about this length; 0: never.
    Raises BgcamError for what concerns all files, after those that are done were reported; a later call goes on.
    """
    whole = why_whole(mode, settings) if segment_s else ""
    if whole:
        print(f"no video is cut into parts: {whole}")
        segment_s = 0.0
    plan = make_plan(source, target, mode, settings, run=secrets.token_hex(4), segment_s=segment_s)
    read, written = open_store(plan.source), open_store(plan.target)
    units, unnamed, others = _units(read, written, plan)
    with only_batch(written.scratch(), written.shown):
        ledger = Ledger(written)
        outputs = {one.name: one for one in written.files()}
        left = what_is_left(units, ledger.records(), outputs, plan, source=read, target=written)
        parts = PartsStore(written)
        parts.clear(but={job.unit.ident for job in left.jobs} if segment_s else ())
        check_in_the_way(left, written.shown, overwrite=settings.overwrite)
        if others:
            print(f"{others} other file{'s' * (others > 1)} left alone: neither video nor picture")
        outcomes = [_unnamed(one) for one in unnamed]
        if left.jobs:
            outcomes = _Run(plan, ledger, left, written, address, workers, outcomes).outcomes()
        elif outcomes:
            print_report(outcomes, before=len(left.done), left=0, took_s=0.0, target=written.shown)
        else:
            print(f"nothing to do: all {len(units)} files are done")
        again = [record for record in left.done if record.background_only]
        for record in again:
            print(f"to look at: {record.output}: {record.background_only} frames show the background alone")
        failed = sum(one.status == "failed" or one.background_only > 0 for one in outcomes)
        return 1 if failed or again else 0


def _units(source: Store, target: Store, plan: Plan) -> tuple[list[Unit], list[Unnamed], int]:
    if os.path.isfile(plan.source):
        raise UsageError(f"{source.shown} is a file; to process one: bgcam -i {source.shown} -o FILE")
    if "://" not in plan.source and not os.path.isdir(plan.source):
        raise SourceError(f"{source.shown}: no such folder; check the path")
    if plan.target == plan.source or _is_within(plan.source, plan.target):
        raise UsageError(f"{target.shown} is the source's folder, or one that it is in; give another for the outputs")
    inside = plan.target[len(plan.source.rstrip("/")) + 1 :] if _is_within(plan.target, plan.source) else ""
    units, unnamed, others = name_units(source.files(leave_out=inside.rstrip("/")), plan.mode)
    if not units:
        raise SourceError(f"{source.shown}: there are no videos or pictures in it; check the address")
    return units, unnamed, others


def _is_within(inner: str, outer: str) -> bool:
    outer = outer.rstrip("/")
    return inner.startswith(f"{outer}/") and PurePosixPath(inner) != PurePosixPath(outer)


def _unnamed(one: Unnamed) -> Outcome:
    return Outcome(unit=Unit(one.source, "", "video"), status="failed", reason=one.reason)


class _Stopped(Exception):
    """A worker says that no file can be done."""


class _Run:
    """One run over the jobs that are left. known: what became of other files already."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        left: Left,
        target: Store,
        address: str,
        workers: int | None,
        known: Sequence[Outcome],
    ):
        self._plan, self._ledger, self._left, self._target = plan, ledger, left, target
        self._address, self._workers = address, workers
        self._outcomes = [*known]
        self._following = Following(left.jobs, segment=plan.segment_s > 0)
        self._left_over = len(left.jobs)
        self._unread = 0
        self._uncut: dict[str, str] = {}  # why a video that was cut is processed as a whole, by `Unit.ident`

    def outcomes(self) -> list[Outcome]:
        """Do the jobs, and report. Raises BgcamError if all is to stop, KeyboardInterrupt if the user wants it."""
        jobs, before = self._following.jobs, len(self._left.done)
        begun_s = time.monotonic()
        pool = self._pool()
        stopped: BaseException | None = None
        print(f"{len(jobs)} files to do: {pool.described}", flush=True)
        progress = Progress(jobs, before=before)
        try:
            with progress:
                pool.run(jobs, self._heard(progress), progress.tick)
        except (_Stopped, BgcamError, KeyboardInterrupt) as error:
            stopped = error
        finally:
            pool.close()
        with contextlib.suppress(SinkError, SourceError):
            ended = {one.unit.ident for one in self._outcomes if one.status == "done"}
            PartsStore(self._target).clear(but={job.unit.ident for job in jobs} - ended)
            self._write_sheet()
        print_report(
            self._outcomes,
            before=before,
            left=self._left_over,
            took_s=time.monotonic() - begun_s,
            target=self._target.shown,
        )
        if isinstance(stopped, _Stopped):
            raise BgcamError(str(stopped)) from stopped
        if isinstance(stopped, KeyboardInterrupt):
            raise BgcamError(f"stopped before it finished; {AGAIN}") from stopped
        if stopped is not None:
            raise stopped
        return self._outcomes

    def _pool(self) -> Pool:
        alone = len(self._left.jobs) == 1 and not self._plan.segment_s
        if not self._address and (self._workers == 1 or alone):
            return OneByOne(self._plan)
        if not _has_ray() and not self._address and self._workers is None:
            command = install_command(*(packages_of("batch") or ["ray", "fsspec"]))
            print(
                f"one file after the other; with Ray, all processors and GPUs or a cluster would share them: {command}",
                file=sys.stderr,
            )
            return OneByOne(self._plan)
        from bgcam.realtime.batch.ray_pool import RayPool
        from bgcam.realtime.batch.ray_worker import RUN_FILE

        self._target.write(RUN_FILE, self._plan.run.encode())
        return RayPool(self._plan, address=self._address, workers=self._workers)

    def _heard(self, progress: Progress) -> Heard:
        def heard(outcome: Outcome) -> list[Job]:
            if outcome.status == "stop":
                raise _Stopped(outcome.reason)
            progress.heard(outcome)
            if outcome.status == "whole":
                self._uncut[outcome.unit.ident] = outcome.reason
            elif outcome.status != "cut":
                why = outcome.in_one_piece or self._uncut.get(outcome.unit.ident, "")
                self._outcomes.append(msgspec.structs.replace(outcome, in_one_piece=why))
            if outcome.status in FINAL:
                self._ended(outcome)
            return self._following.after(outcome)

        return heard

    def _ended(self, outcome: Outcome) -> None:
        self._left_over -= 1
        if outcome.status == "failed":
            self._ledger.set_aside(outcome.unit, outcome.reason, finished=now())
        self._unread = self._unread + 1 if outcome.unread else 0
        if self._unread >= MOST_UNREAD:
            raise _Stopped(f"the last {MOST_UNREAD} files {outcome.reason}; check the source, then {AGAIN}")

    def _write_sheet(self) -> None:
        done = [ident_of(one.unit.output) for one in self._outcomes if one.status == "done"]
        self._ledger.not_set_aside(done)
        records = self._ledger.records()
        there = {one.name for one in self._target.files()}
        idents = {ident_of(name) for name in there}
        shown = {ident: record for ident, record in records.items() if ident in idents}
        if not shown:
            return
        page = sheet(shown, self._ledger.strips(shown), title=f"{len(shown)} outputs in {self._target.shown}")
        self._target.write(SHEET, page)
        print(f"contact sheet: {self._target.shown}/{SHEET}")


def _has_ray() -> bool:
    import importlib.util

    return importlib.util.find_spec("ray") is not None
