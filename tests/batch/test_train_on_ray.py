"""Training under Ray Train, on two workers of this machine."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from node_training import train
from training_set import write_training_set

from bgcam.train import checkpoint as ckpt

pytest.importorskip("ray.train.torch", reason="Ray Train is not installed", exc_type=ImportError)

DRIVER = textwrap.dedent(
    """
    import os
    import sys

    tests, data, out, results = sys.argv[1:]
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    def work(config):
        import sys
        from pathlib import Path

        sys.path.insert(0, config["tests"])
        from node_training import train

        train(Path(config["data"]), Path(config["out"]), 3)

    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = "240"  # both import PyTorch, on a busy machine too
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    given = {"tests": tests, "data": data, "out": out}
    TorchTrainer(
        work,
        train_loop_config=given,
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(storage_path=results),
    ).fit()
    """
)


def test_two_workers_of_ray_train_give_what_one_process_gives(tmp_path: Path) -> None:
    data, one, two = tmp_path / "data", tmp_path / "one", tmp_path / "two"
    write_training_set(data, 8)
    one.mkdir()
    two.mkdir()
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    given = [str(Path(__file__).parents[1]), str(data), str(two), str(tmp_path / "results")]
    done = subprocess.run(
        [sys.executable, str(script), *given], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path.read_text() for path in two.glob("processes-3-[01]")} == {"2"}
    found, expected = ckpt.load(two / "last.pt"), train(data, one, 3)
    for key, value in expected.network.items():
        torch.testing.assert_close(found.network[key], value, rtol=1e-3, atol=1e-4)
