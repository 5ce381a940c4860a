"""Which workers a batch gets on what a machine or cluster has, what Ray is asked for, and what is said without it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from batch_setup import write_source
from command import Run, one_line

from bgcam.realtime.batch import ray_pool
from bgcam.realtime.batch.placing import Slot, place
from bgcam.realtime.batch.plan import make_plan
from bgcam.realtime.settings import Settings


def of(slots: list[Slot]) -> list[tuple[int, int, str, int]]:
    return [(one.cpus, one.gpus, one.backend, one.threads) for one in slots]


@pytest.mark.parametrize(
    ("resources", "backend", "threads", "workers", "expected"),
    [
        ({"CPU": 8, "GPU": 2}, "auto", 0, None, [(2, 1, "auto", 0)] * 2 + [(1, 0, "openvino", 1)] * 4),
        ({"CPU": 8, "GPU": 2}, "tensorrt", 0, None, [(2, 1, "tensorrt", 0)] * 2),
        ({"CPU": 8, "GPU": 2}, "torch", 0, 1, [(2, 1, "torch", 0)]),
        ({"CPU": 8, "GPU": 2}, "openvino", 4, None, [(4, 0, "openvino", 4)] * 2),
        ({"CPU": 2, "GPU": 8}, "tensorrt", 0, None, [(2, 1, "tensorrt", 0)]),
        ({"CPU": 3}, "auto", 0, 2, [(1, 0, "openvino", 1)] * 2),
        ({}, "auto", 0, None, [(1, 0, "openvino", 1)]),
    ],
)
def test_gpu_workers_take_the_gpu_backend(
    monkeypatch: pytest.MonkeyPatch,
    resources: dict[str, float],
    backend: str,
    threads: int,
    workers: int | None,
    expected: list[tuple[int, int, str, int]],
) -> None:
    monkeypatch.setattr("bgcam.realtime.batch.placing.cpu_order", lambda: ["openvino"])
    assert of(place(resources, backend=backend, threads=threads, workers=workers)) == expected


def test_ray_is_asked_for_what_each_worker_needs(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Kind:
        """What `ray.remote` gives."""

        def options(self, **given: Any) -> Any:
            asked.append(given)
            return SimpleNamespace(remote=lambda plan, slot, number: slot)

    fake = SimpleNamespace(
        is_initialized=lambda: True,
        cluster_resources=lambda: {"CPU": 5.0, "GPU": 1.0},
        remote=lambda kind: Kind(),
    )
    monkeypatch.setattr(ray_pool, "import_ray", lambda *, local: fake)
    plan = make_plan("src", "dst", "matte", Settings(model=str(tiny_model)), run="x")
    pool = ray_pool.RayPool(plan)
    assert pool.described == "4 workers, 1 of them with a GPU"
    assert [(one["num_cpus"], one["num_gpus"]) for one in asked] == [(2, 1), (1, 0), (1, 0), (1, 0)]


@pytest.mark.parametrize("more", [("--workers", "2"), ("--address", "auto"), ("--segment", "2", "--workers", "2")])
def test_without_ray_more_than_one_worker_is_one_line(
    bgcam: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    source = write_source(tmp_path / "src")
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = bgcam("batch", str(source), str(tmp_path / "dst"), *more)
    assert code == 1
    assert "the package ray is not installed; run: " in one_line(err)
    assert "ray" in err.rpartition("run: ")[2]


def test_without_fsspec_an_address_is_one_line(bgcam: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_source(tmp_path / "src")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    code, _, err = bgcam("batch", str(source), "s3://bucket/done")
    assert code == 1
    assert "the package fsspec is not installed; run: " in one_line(err)
