"""A pool of workers on Ray: each loads the model once, and does one task at a time.

Ray restarts a worker that died, on another machine if its own is gone, and its task is given out again from its
beginning. A task whose worker died MOST_DEATHS times is set aside: it may be the reason. A group of pictures is split
at the first death, so that one picture does not take the others with it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bgcam.packages import missing
from bgcam.realtime.batch.following import is_moot
from bgcam.realtime.batch.jobs import Job, Outcome
from bgcam.realtime.batch.placing import Slot, grouped, place
from bgcam.realtime.batch.plan import Plan
from bgcam.realtime.batch.pool import Busy, Heard, Tick
from bgcam.realtime.batch.ray_worker import RayWorker
from bgcam.realtime.cores import cores
from bgcam.realtime.errors import BgcamError

MOST_DEATHS = 3
# How often workers are asked for their progress. Tens of thousands of calls a second are Ray's limit.
ASK_EVERY_S = 1.0
_OBJECTS_BYTES = 80 << 20  # what Ray asks for at least; nothing but names and figures goes through it
# Ray is started for this batch alone: nobody else may use it, nor reach it from another machine. Its ports would
# otherwise be open to the network. It reports its use to its makers unless told not to.
_PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux too, this keeps a local Ray on the loopback address
    "RAY_AUTH_MODE": "token",
}


@dataclass
class _Task:
    jobs: list[Job]
    deaths: int = 0
    why: str = ""


class RayPool:
    """See `Pool`. address: of a cluster, "" to start Ray on this machine. workers: at most this many, None for all that
    fit. Raises BgcamError if Ray is missing or does not answer.
    """

    def __init__(self, plan: Plan, *, address: str = "", workers: int | None = None):
        self._ray = import_ray(local=not address)
        self._began = not self._ray.is_initialized()
        if self._began:
            begin(self._ray, address)
        settings = plan.settings
        try:
            resources = self._ray.cluster_resources()
            slots = place(resources, backend=settings.backend, threads=settings.threads, workers=workers)
            self._actors = [self._start(plan, slot, number) for number, slot in enumerate(slots, 1)]
        except BaseException:
            self.close()
            raise
        gpus = sum(slot.gpus for slot in slots)
        on = f" on the cluster {address}" if address else ""
        self.described = f"{len(slots)} workers{on}" + (f", {gpus} of them with a GPU" if gpus else "")

    def run(self, jobs: Sequence[Job], heard: Heard, tick: Tick) -> None:
        waiting = deque(_Task(group) for group in grouped(jobs, workers=len(self._actors)))
        idle = deque(self._actors)
        working: dict[Any, tuple[Any, _Task]] = {}
        asked: dict[Any, Any] = {}
        busy: dict[Any, Busy] = {}
        restarting: set[Any] = set()
        asked_s = 0.0
        while waiting or working:
            while waiting and idle:
                actor, task = idle.popleft(), waiting.popleft()
                working[actor.do.remote(task.jobs)] = actor, task
            ready = self._wait([*working] or [*asked])
            for reference in ready:
                if reference not in working:
                    continue
                actor, task = working.pop(reference)
                busy.pop(actor, None)
                outcomes = self._outcomes(reference, task)
                if outcomes is None:
                    restarting.add(actor)  # what it gets before it is there again would fail too
                    outcomes = self._give_out_again(task, waiting)
                else:
                    idle.append(actor)
                for outcome in outcomes:
                    waiting = deque(task for task in waiting if not is_moot(task.jobs[0], outcome))
                    waiting.extendleft(_Task([job]) for job in reversed(heard(outcome)))
            if time.monotonic() - asked_s >= ASK_EVERY_S:
                asked_s = time.monotonic()
                at_work = {actor for actor, _ in working.values()}
                for actor in self._ask(at_work | restarting, asked, busy) & restarting:
                    restarting.remove(actor)
                    idle.append(actor)
            tick([busy[actor] for actor, _ in working.values() if actor in busy])

    def close(self) -> None:
        if not self._ray.is_initialized():
            return
        for actor in getattr(self, "_actors", ()):
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        if self._began:
            self._ray.shutdown()

    def _start(self, plan: Plan, slot: Slot, number: int) -> Any:
        kind = self._ray.remote(RayWorker)
        return kind.options(num_cpus=slot.cpus, num_gpus=slot.gpus, max_restarts=-1, max_concurrency=2).remote(
            plan, slot, number
        )

    def _wait(self, references: list[Any]) -> list[Any]:
        if not references:
            time.sleep(ASK_EVERY_S)
            return []
        ready: list[Any] = self._ray.wait(references, num_returns=1, timeout=ASK_EVERY_S)[0]
        return ready

    def _outcomes(self, reference: Any, task: _Task) -> list[Outcome] | None:
        """What became of a task's jobs; None if its worker died."""
        try:
            done: list[Outcome] = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            reason = f"unexpected error: {' '.join(str(error.cause).split())}"
            return [Outcome(unit=job.unit, status="failed", reason=reason) for job in task.jobs]
        except self._ray.exceptions.RayError as error:
            task.why = _why(error)
            return None
        return done

    def _give_out_again(self, task: _Task, waiting: deque[_Task]) -> list[Outcome]:
        """Let another worker try; or what became of it, if that was done often enough."""
        task.deaths += 1
        if task.deaths < MOST_DEATHS or len(task.jobs) > 1:
            waiting.extend(_Task([job], min(task.deaths, MOST_DEATHS - 1)) for job in task.jobs)
            return []
        reason = f"the worker died {task.deaths} times while working on it ({task.why})"
        return [Outcome(unit=job.unit, status="failed", reason=reason) for job in task.jobs]

    def _ask(self, actors: set[Any], asked: dict[Any, Any], busy: dict[Any, Busy]) -> set[Any]:
        """Collect the answers to the last question, and ask those of these who have answered. Gives who is there."""
        ready, _ = self._ray.wait([*asked], num_returns=len(asked), timeout=0) if asked else ([], [])
        there = set()
        for reference in ready:
            actor = asked.pop(reference)
            busy.pop(actor, None)
            with contextlib.suppress(self._ray.exceptions.RayError):
                unit, frames, total = self._ray.get(reference)
                there.add(actor)
                if unit is not None:
                    busy[actor] = Busy(unit, frames, total)
        for actor in actors - {*asked.values()}:
            asked[actor.progress.remote()] = actor
        return there


def import_ray(*, local: bool) -> Any:
    """The package; how Ray behaves is set before. local: it is to serve this process alone. Raises BgcamError."""
    if local:
        for name, value in _PRIVATE.items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise BgcamError(missing("ray", extras="batch")) from None
    return ray


def begin(ray: Any, address: str) -> None:
    """Start Ray here, or connect to a cluster. Raises BgcamError."""
    given: dict[str, Any] = {"address": address}
    if not address:
        given = {"address": "local", "num_cpus": cores(), "object_store_memory": _OBJECTS_BYTES}
        given |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if in_main else None
    try:
        _check_answers(address)
        ray.init(**given, log_to_driver=False, logging_level=logging.ERROR, namespace="bgcam")
    except Exception as error:  # ConnectionError, RuntimeError, ValueError by what is wrong
        where = f"the Ray cluster {address} does not answer" if address else "Ray cannot be started"
        advice = "check the address" if address else "try --workers 1, which does without"
        raise BgcamError(f"{where} ({_why(error)}); {advice}") from error
    finally:
        if in_main and handler is not None:
            signal.signal(signal.SIGTERM, handler)  # Ray's own ends the process at once


def _check_answers(address: str) -> None:
    """Ray itself would try for minutes. Raises OSError."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=5).close()


def _why(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
