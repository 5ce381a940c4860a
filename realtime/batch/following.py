"""Which jobs follow from what became of others: a video that was cut is done in parts, and then joined."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bgcam.realtime.batch.jobs import Job, Outcome


class Following:
    """jobs: those of whole units. segment: whether videos may be cut."""

    def __init__(self, jobs: Iterable[Job], *, segment: bool):
        self._left: dict[str, set[int]] = {}
        self.jobs = [
            msgspec.structs.replace(job, step="cut") if segment and job.unit.kind == "video" else job for job in jobs
        ]
        self._jobs = {job.unit.ident: job for job in self.jobs}

    def after(self, outcome: Outcome) -> list[Job]:
        """The jobs that can be done now, because this became of another one."""
        ident = outcome.unit.ident
        job = self._jobs[ident]
        left = self._left.get(ident)
        if outcome.status == "cut":
            self._left[ident] = left = set(outcome.left)
            if left:
                return [msgspec.structs.replace(job, step="part", part=number) for number in sorted(left)]
        elif outcome.status == "part" and left:
            left.discard(outcome.part)
            if left:
                return []
        elif outcome.status == "whole":
            self._left.pop(ident, None)
            return [msgspec.structs.replace(job, step="whole")]
        else:
            return []
        return [msgspec.structs.replace(job, step="join")]


def is_moot(job: Job, outcome: Outcome) -> bool:
    """Whether a part need not be done any more, because this became of its video."""
    return job.step == "part" and outcome.status in ("failed", "whole") and job.unit.ident == outcome.unit.ident
