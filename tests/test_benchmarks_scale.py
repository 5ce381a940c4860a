"""The simulation of a batch on many workers agrees with what can be computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgcam.benchmarks.__main__ import main
from bgcam.benchmarks.scale import WORKERS, Batch, simulated_files_s

BATCH = Batch(compute_s=10, read_mb=50, written_mb=50, driver_ms=1, store_mb_s=1e6, link_mb_s=1e6)


def test_few_workers_are_as_fast_as_they_are_many() -> None:
    for workers in (1, 8):
        assert simulated_files_s(BATCH, workers, files=30 * workers) == pytest.approx(workers / BATCH.alone_s, rel=0.02)


@pytest.mark.parametrize(
    ("batch", "first"),
    [(replace(BATCH, driver_ms=500), "driver"), (replace(BATCH, store_mb_s=100), "store")],
    ids=["driver", "store"],
)
def test_what_all_share_is_the_limit(batch: Batch, first: str) -> None:
    limits = batch.limits_files_s(200)
    assert min(limits, key=lambda name: limits[name]) == first
    assert simulated_files_s(batch, 200, files=3000) == pytest.approx(limits[first], rel=0.05)


def test_a_slow_link_costs_its_own_worker_alone() -> None:
    slow = replace(BATCH, link_mb_s=10)
    assert simulated_files_s(slow, 4, files=120) == pytest.approx(4 / 20, rel=0.02)


def test_the_command_prints_a_row_for_each_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scale"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines[1:]] == [*WORKERS]
