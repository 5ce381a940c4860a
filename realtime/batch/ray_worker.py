"""A worker in a process that Ray starts, on this machine or on another one."""

from __future__ import annotations

import msgspec

from bgcam.realtime.batch.jobs import Job, Outcome
from bgcam.realtime.batch.naming import PRIVATE_FOLDER, Unit
from bgcam.realtime.batch.placing import Slot
from bgcam.realtime.batch.plan import Plan
from bgcam.realtime.batch.stores import open_store
from bgcam.realtime.batch.worker import Worker
from bgcam.realtime.errors import BgcamError

RUN_FILE = f"{PRIVATE_FOLDER}/run"


class RayWorker:
    """Ray calls `do` in one thread and `progress` in another. Its constructor does nothing that may fail."""

    def __init__(self, plan: Plan, slot: Slot, number: int):
        settings = msgspec.structs.replace(plan.settings, backend=slot.backend, threads=slot.threads)
        self._plan = msgspec.structs.replace(plan, settings=settings)
        self._slot, self._number = slot, number
        self._worker: Worker | None = None
        self._unit: Unit | None = None

    def do(self, jobs: list[Job]) -> list[Outcome]:
        """What became of each; the last may be a "stop", and then the rest was not begun."""
        outcomes: list[Outcome] = []
        for job in jobs:
            self._unit = job.unit
            try:
                outcomes.append(self._opened().do(job))
            except BgcamError as error:
                outcomes.append(Outcome(unit=job.unit, status="stop", reason=str(error)))
            finally:
                self._unit = None
            if outcomes[-1].status == "stop":
                break
        return outcomes

    def progress(self) -> tuple[Unit | None, int, int]:
        """The unit in progress, how many frames of it are done, and of how many."""
        worker = self._worker
        return (self._unit, worker.frames, worker.total) if worker is not None else (None, 0, 0)

    def _opened(self) -> Worker:
        if self._worker is None:
            import platform

            import cv2

            name = f"{platform.node()} {'GPU' if self._slot.gpus else 'CPU'} {self._number}"
            told = open_store(self._plan.target).read([RUN_FILE])
            if told.get(RUN_FILE, b"").decode(errors="replace") != self._plan.run:
                raise BgcamError(
                    f"{platform.node()} does not see what is in {self._plan.target}; on a cluster, give folders that "
                    "all machines share, or addresses such as s3://bucket/done"
                )
            if not self._slot.gpus:
                cv2.setNumThreads(self._slot.threads)
            self._worker = Worker(self._plan, name=name)
        return self._worker
