"""Training by several processes, started as torchrun and Ray Train start them: shares, and checkpoints that go on."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from node_training import SIZE_WH, train
from training_set import write_training_set

from bgcam.train.data import Backgrounds, PhotoSet, Sampler, Steps
from bgcam.train.fit import launched_processes
from bgcam.train.pairs import find_pairs


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nodes") / "data"
    write_training_set(folder, 8)
    return folder


@pytest.fixture(scope="module")
def sampler(data: Path) -> Sampler:
    return Sampler(PhotoSet(find_pairs(data)[0]), Backgrounds(None), seed=3)


def drawn(sampler: Sampler, monkeypatch: pytest.MonkeyPatch, numbers: Sequence[int]) -> list[int]:
    """The photos that these samples begin with."""
    found: list[int] = []
    draw = sampler._draw_photo

    def noted(rng: np.random.Generator, number: int | None = None) -> Any:
        index, photo = draw(rng, number)
        found.extend([index] if number is not None else [])
        return index, photo

    with monkeypatch.context() as patched:
        patched.setattr(sampler, "_draw_photo", noted)
        for number in numbers:
            sampler.sample(number, SIZE_WH)
    return found


@pytest.mark.parametrize("world", [1, 2, 4])
def test_each_photo_is_used_once_an_epoch_by_any_number_of_processes(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch, world: int
) -> None:
    asked: list[int] = []
    batch = sampler.batch

    def noted(numbers: Sequence[int], size_wh: tuple[int, int]) -> Any:
        asked.extend(numbers)
        return batch(numbers, size_wh)

    count = len(sampler.photos)
    orders = []
    for epoch in range(2):
        asked.clear()
        with monkeypatch.context() as patched:
            patched.setattr(sampler, "batch", noted)
            for rank in range(world):
                steps = Steps(sampler, [[SIZE_WH]] * 4, count // 2, rank, world)
                for step in (2 * epoch, 2 * epoch + 1):
                    _ = steps[step]
        assert sorted(asked) == list(range(epoch * count, (epoch + 1) * count))
        orders.append(drawn(sampler, monkeypatch, sorted(asked)))
        assert sorted(orders[-1]) == list(range(count))
    assert orders[0] != orders[1]


def test_a_photo_of_more_weight_is_used_more_often(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(sampler.photos)
    weights = np.array([3.0] + [1.0] * (count - 1))
    monkeypatch.setattr(sampler, "_cumulative", np.cumsum(weights / weights.sum()))
    times = np.bincount(drawn(sampler, monkeypatch, range(4 * count)), minlength=count)
    assert times[0] == pytest.approx(4 * count * 3 / (count + 2), abs=4)
    assert times[1:].max() < times[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def one_of_many(environment: dict[str, str], data: Path, out: Path, stop: int) -> None:
    """In a process of its own, which knows of the others by its environment alone."""
    os.environ.update(environment)
    train(data, out, stop)


def together(world: int, data: Path, out: Path, stop: int) -> None:
    """Train by this many processes. They are forked from one that has imported PyTorch."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "lightning_fabric", "bgcam.train.fit"])
    shared = {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "NODE_RANK": "0", "OMP_NUM_THREADS": "1"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    begun = []
    for rank in range(world):
        environment = shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        begun.append(context.Process(target=one_of_many, args=(environment, data, out, stop)))
        begun[-1].start()
    for process in begun:
        process.join(240)
        assert process.exitcode == 0


def test_a_checkpoint_goes_on_with_another_number_of_processes(data: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    whole.mkdir()
    out.mkdir()
    expected = train(data, whole, 3)
    assert train(data, out, 1).step == 1
    together(2, data, out, 2)
    together(4, data, out, 3)
    found = train(data, out, 3)
    assert found.step == expected.step == 3
    assert len(list(out.glob("processes-2-*"))) == 2
    assert {path.read_text() for path in out.glob("processes-3-[123]")} == {"4"}
    for key, value in expected.network.items():
        torch.testing.assert_close(found.network[key], value, rtol=1e-3, atol=1e-4)


def test_what_started_the_processes_is_told_by_their_environment() -> None:
    of_ray = {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    assert launched_processes(of_ray) == (4, 2)
    assert launched_processes(of_ray | {"TORCHELASTIC_RUN_ID": "x"}) == (4, 2)
    assert launched_processes({"SLURM_NTASKS": "4"}) is None
    with pytest.raises(ValueError, match="3 of 8 processes are on one node; give each node the same number"):
        launched_processes(of_ray | {"LOCAL_WORLD_SIZE": "3"})
