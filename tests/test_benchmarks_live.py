"""`benchmarks live`: processor time and wakeups of a run as in a call."""

from __future__ import annotations

import json
import sys
import threading
import time

import pytest
from tiny_model import write_tiny_model

from bgcam.benchmarks import __main__ as benchmarks
from bgcam.benchmarks import live
from bgcam.benchmarks.live import LiveClock, Usage, figures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="wakeups are counted on Linux only")


def test_a_thread_that_sleeps_often_is_named_with_its_wakeups() -> None:
    ended = threading.Event()

    def poll() -> None:
        while not ended.wait(0.004):
            pass

    thread = threading.Thread(target=poll, name="polls")
    thread.start()
    try:
        first, clock = Usage.now(), LiveClock()
        for _ in range(4):
            time.sleep(0.05)
            clock.written_s.append(time.monotonic())
        found = figures(first, Usage.now(), clock)
    finally:
        ended.set()
        thread.join()
    assert found["frames"] == 4
    assert found["wakeups_by_thread"]["polls"] > 20
    assert found["wakeups"] >= found["wakeups_by_thread"]["polls"] * 0.9
    assert next(iter(found["wakeups_by_thread"])) == "polls"


def test_a_run_prints_its_figures(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(live, "WARM_UP_S", 0.3)
    model = write_tiny_model(tmp_path / "tiny.onnx")
    options = ["--model", str(model), "--size", "64x36", "--fps", "20", "--seconds", "2.2", "--threads", "1", "--json"]
    assert benchmarks.main(["live", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] > 5
    assert found["cpu_ms"] > 0
    assert found["wakeups"] > 0
    assert "bgcam-picture" in found["wakeups_by_thread"]


@pytest.mark.parametrize("options", [["--seconds", "1"], ["--fps", "0"]])
def test_figures_that_say_nothing_are_refused(options: list[str], capsys) -> None:
    assert benchmarks.main(["live", *options]) == 2
    assert "--seconds above 2" in capsys.readouterr().err
