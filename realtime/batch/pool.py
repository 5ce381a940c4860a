"""Who does the jobs: this process, one after the other; see `ray_pool` for many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bgcam.realtime.batch.following import is_moot
from bgcam.realtime.batch.jobs import Job, Outcome
from bgcam.realtime.batch.naming import Unit
from bgcam.realtime.batch.plan import Plan
from bgcam.realtime.batch.worker import Worker


@dataclass(frozen=True)
class Busy:
    """A unit in progress. frames: done; total: of how many, 0 if that is unknown; of a part, how many of the whole."""

    unit: Unit
    frames: int
    total: int


# Gives the jobs that follow.
Heard = Callable[[Outcome], list[Job]]
Tick = Callable[[Sequence[Busy]], None]


class Pool(Protocol):
    """described: of what it consists, for the user."""

    described: str

    def run(self, jobs: Sequence[Job], heard: Heard, tick: Tick) -> None:
        """Do all jobs, and those that follow. heard: gets what became of each, and may raise, which ends the run. tick:
        called about once a second or more often."""

    def close(self) -> None:
        """Stop what is in progress."""


class OneByOne:
    """See `Pool`."""

    def __init__(self, plan: Plan):
        self._worker = Worker(plan)
        self.described = "one file after the other"

    def run(self, jobs: Sequence[Job], heard: Heard, tick: Tick) -> None:
        waiting = deque(jobs)
        while waiting:
            job = waiting.popleft()

            def ticked(unit: Unit = job.unit) -> None:
                tick([Busy(unit, self._worker.frames, self._worker.total)])

            ticked()
            outcome = self._worker.do(job, ticked)
            waiting = deque(one for one in waiting if not is_moot(one, outcome))
            waiting.extendleft(reversed(heard(outcome)))

    def close(self) -> None:
        self._worker.close()
