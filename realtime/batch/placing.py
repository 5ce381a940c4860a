"""How many workers a machine or cluster gets, and what each may use."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bgcam.realtime.batch.jobs import Job
from bgcam.realtime.model.backends import GPU_MODULES, cpu_order

# Decoding and encoding go on beside a GPU's network.
GPU_WORKERS_CPUS = 2
# Pictures are handed out in groups: each takes less time than to ask for the next one.
GROUP_PICTURES = 16


@dataclass(frozen=True)
class Slot:
    """A worker's share of its machine. backend: as in the settings. threads: for the model."""

    cpus: int
    gpus: int
    backend: str
    threads: int


def place(resources: Mapping[str, float], *, backend: str, threads: int, workers: int | None) -> list[Slot]:
    """The workers for these resources, {"CPU": 8, "GPU": 1}; those with a GPU first.

    backend, threads: as the user asked. workers: at most this many; None for all that fit. At least one.
    A worker without a GPU computes on one thread unless the user asks for more: many of these do more than one of many.
    """
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    takes_gpu = backend == "auto" or backend in GPU_MODULES
    count = min(gpus, max(1, cpus // GPU_WORKERS_CPUS)) if takes_gpu else 0
    slots = [Slot(min(GPU_WORKERS_CPUS, max(1, cpus)), 1, backend, threads)] * count
    if not (count and backend in GPU_MODULES):
        own = max(1, threads)
        left = (cpus - count * GPU_WORKERS_CPUS) // own
        slots += [Slot(own, 0, _on_processor(backend), own)] * max(left, 0 if slots else 1)
    return slots[:workers] if workers is not None else slots


def grouped(jobs: Sequence[Job], *, workers: int) -> list[list[Job]]:
    """The jobs as they are handed out: a video alone, the largest first, then pictures in groups."""
    videos = sorted((job for job in jobs if job.unit.kind == "video"), key=lambda job: -job.unit.size_bytes)
    pictures = [job for job in jobs if job.unit.kind == "picture"]
    size = max(1, min(GROUP_PICTURES, len(pictures) // (4 * workers)))
    return [[job] for job in videos] + [pictures[at : at + size] for at in range(0, len(pictures), size)]


def _on_processor(backend: str) -> str:
    """Ray may put a worker without a GPU on a machine that has one, which is another worker's."""
    if backend != "auto":
        return backend
    return next((name for name in cpu_order() if importlib.util.find_spec(name)), backend)
