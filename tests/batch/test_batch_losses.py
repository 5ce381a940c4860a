"""`bgcam batch` on Ray when more than a worker is lost: a node of several, the driver, and a file's every worker."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from batch_setup import in_progress, outputs, records, write_source
from batch_workers import has_open, killing, workers_of
from clips import write_clip
from command import Run, one_line
from waiting import wait_for

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)
# The parts of a cluster on one machine listen on its own address, and know each other by a token.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes of one processor each; this process is connected to them."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    with warnings.catch_warnings(action="ignore"):
        ray.shutdown()
        made.shutdown()
        gc.collect()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bgcam", "batch", *arguments]


def alone(bgcam: Run, source: Path, target: Path) -> dict[str, bytes]:
    """What one process writes without being interrupted."""
    code, out, err = bgcam("batch", str(source), str(target), "--workers", "1")
    assert (code, err) == (0, ""), out
    return outputs(target)


def test_a_lost_node_costs_its_files_a_second_try(cluster: Any, bgcam: Run, tmp_path: Path) -> None:
    source = write_source(tmp_path / "src", clips=2)
    for number in range(4):
        write_clip(source / f"long{number}.mp4", frames=200 + number)
    lost = threading.Event()

    def lose() -> None:
        wait_for(lambda: len(records(tmp_path / "dst")) >= 2, limit_s=120)
        cluster.remove_node(sorted(cluster.worker_nodes, key=id)[0], allow_graceful=False)
        lost.set()

    thread = threading.Thread(target=lose)
    thread.start()
    code, out, err = bgcam("batch", str(source), str(tmp_path / "dst"), "--address", cluster.address)
    thread.join()
    assert (lost.is_set(), code, err) == (True, 0, ""), out
    assert "on the cluster" in out
    assert outputs(tmp_path / "dst") == alone(bgcam, source, tmp_path / "one")
    assert in_progress(tmp_path / "dst") == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_driver_loses_the_files_in_progress_alone(
    bgcam: Run, tiny_model: Path, tmp_path: Path, workers: str
) -> None:
    source = write_source(tmp_path / "src", clips=4)
    for number in range(3):
        write_clip(source / f"long{number}.mp4", frames=200 + number)
    given = ("--model", str(tiny_model), "--threads", "1", "--workers", workers)
    run = command(str(source), str(tmp_path / "dst"), *given)
    driver = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(records(tmp_path / "dst")) >= 2, limit_s=120)
    below = workers_of(psutil.Process(driver.pid))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert not psutil.wait_procs(below, timeout=60)[1]  # its workers end with it
    before = outputs(tmp_path / "dst")
    ran = subprocess.run(run, capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"{len(before)} done before" in ran.stdout or "nothing to do" in ran.stdout
    assert outputs(tmp_path / "dst") == alone(bgcam, source, tmp_path / "one")
    assert in_progress(tmp_path / "dst") == []


def test_a_cluster_that_does_not_answer_is_one_line(bgcam: Run, tmp_path: Path) -> None:
    source = write_source(tmp_path / "src")
    code, _, err = bgcam("batch", str(source), str(tmp_path / "dst"), "--address", "127.0.0.1:9")
    assert code == 1
    assert "the Ray cluster 127.0.0.1:9 does not answer" in one_line(err)


def test_a_file_that_kills_its_workers_is_set_aside(cluster: Any, bgcam: Run, tmp_path: Path) -> None:
    source = write_source(tmp_path / "src", clips=2)
    write_clip(source / "poison.mp4", frames=300)
    with killing(lambda worker: has_open(worker, "poison.mp4"), at_most=5) as killed:
        code, out, err = bgcam("batch", str(source), str(tmp_path / "dst"), "--address", cluster.address)
    assert (len(killed), code, err) == (3, 1, "")
    assert "set aside: poison.mp4: the worker died 3 times while working on it" in out
    assert list(outputs(tmp_path / "dst")) == ["clip0.mp4", "clip1.mp4", "inner/photo0.jpg"]
    assert list(records(tmp_path / "dst", "failed")) == ["poison.mp4"]
    assert bgcam("batch", str(source), str(tmp_path / "dst"), "--workers", "1")[0] == 0
