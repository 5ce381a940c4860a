"""Who does the jobs: this process, one after the other; see `ray_pool` for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bgcam.realtime.batch.naming import Unit
from bgcam.realtime.batch.plan import Plan
from bgcam.realtime.batch.worker import Job, Outcome, Worker


@dataclass(frozen=True)
class Busy:
    """A unit in progress. frames: done; total: of how many, 0 if that is unknown."""

    unit: Unit
    frames: int
    total: int


Heard = Callable[[Outcome], None]
Tick = Callable[[Sequence[Busy]], None]


class Pool(Protocol):
    """described: of what it consists, for the user."""

    described: str

    def run(self, jobs: Sequence[Job], heard: Heard, tick: Tick) -> None:
        """Do all jobs. heard: gets what became of each, and may raise, which ends the run. tick: called about once a
        second or more often."""

    def close(self) -> None:
        """Stop what is in progress."""


class OneByOne:
    """See `Pool`."""

    def __init__(self, plan: Plan):
        self._worker = Worker(plan)
        self.described = "one file after the other"

    def run(self, jobs: Sequence[Job], heard: Heard, tick: Tick) -> None:
        for job in jobs:

            def ticked(unit: Unit = job.unit) -> None:
                tick([Busy(unit, self._worker.frames, self._worker.total)])

            ticked()
            heard(self._worker.do(job, ticked))

    def close(self) -> None:
        self._worker.close()
