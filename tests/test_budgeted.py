"""`--max-cpu`: how many frames a share of the machine is good for, by a clock that the test turns."""

from __future__ import annotations

import argparse
import math
import threading
import time

import numpy as np
import pytest
from clips import write_clip

from bgcam.realtime.command.cli import main
from bgcam.realtime.cores import CpuMeter, call_threads, limit_threads, matte_share, threads_within
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.settings.values import cpu_share
from bgcam.realtime.sources.budgeted import LEAST_FPS, BudgetedSource


class Machine:
    """A clock, a camera of 30 frames a second, and what a frame costs in processor seconds."""

    name, size_wh, fps, live, drops, frames = "camera", (2, 2), 30.0, True, 0, None
    note, notice = "", ""

    def __init__(self, cost_s: float, *, idle_share: float = 0.0):
        self.now_s = self.used_s = 0.0
        self.cost_s, self.idle_share, self.number, self.closed = cost_s, idle_share, 0, False

    def clock(self) -> float:
        return self.now_s

    def cpu(self) -> float:
        return self.used_s + self.idle_share * self.now_s

    def read(self) -> CameraFrame | None:
        self.now_s = (int(self.now_s * 30 + 1e-6) + 1) / 30
        self.used_s += self.cost_s
        self.number += 1
        return CameraFrame(self.number - 1, np.zeros((2, 2, 3), np.uint8), self.now_s, self.now_s)

    def close(self) -> None:
        self.closed = True


def run(machine: Machine, monkeypatch: pytest.MonkeyPatch, *, share: float, seconds: float) -> BudgetedSource:
    source = BudgetedSource(machine, share=share, clock=machine.clock, cpu=machine.cpu, machine_cores=2)

    def wait(timeout_s: float) -> bool:
        machine.now_s += timeout_s
        return False

    monkeypatch.setattr(source._closed, "wait", wait)
    end_s = machine.now_s + seconds
    while machine.now_s < end_s:
        assert source.read() is not None
    return source


@pytest.mark.parametrize("idle_share", [0.0, 0.1])
def test_frames_are_left_out_until_the_limit_is_kept(monkeypatch, idle_share: float) -> None:
    machine = Machine(0.02, idle_share=idle_share)
    source = run(machine, monkeypatch, share=0.15, seconds=10)
    before = machine.cpu(), machine.now_s, machine.number
    run_on = 20.0
    end_s = machine.now_s + run_on
    while machine.now_s < end_s:
        source.read()
    used = (machine.cpu() - before[0]) / (machine.now_s - before[1]) / 2
    assert 0.11 < used <= 0.152
    fps = (machine.number - before[2]) / run_on
    assert fps == pytest.approx((0.3 - idle_share) / 0.02, rel=0.25)
    assert "--max-cpu 15%" in source.notice
    assert "of 30 fps" in source.notice


def test_what_fits_is_left_alone(monkeypatch) -> None:
    machine = Machine(0.005)
    source = run(machine, monkeypatch, share=0.25, seconds=10)
    assert machine.number >= 29 * 10
    assert source.notice == ""


def test_a_limit_that_cannot_be_kept_gives_way_and_says_so(monkeypatch) -> None:
    machine = Machine(0.5)
    source = run(machine, monkeypatch, share=0.05, seconds=20)
    assert machine.number >= 0.9 * LEAST_FPS * 20
    assert "cannot be kept" in source.notice


def test_frames_come_back_when_they_cost_less(monkeypatch) -> None:
    machine = Machine(0.05)
    source = run(machine, monkeypatch, share=0.1, seconds=10)
    assert source.frame_s > 0.2 - 1e-6 or source.frame_s == pytest.approx(1 / LEAST_FPS)
    machine.cost_s = 0.001
    end_s = machine.now_s + 20
    while machine.now_s < end_s:
        source.read()
    assert source.frame_s < 1 / 30


def test_close_ends_a_wait_at_once() -> None:
    machine = Machine(0.0)
    source = BudgetedSource(machine, share=0.5, clock=time.monotonic)
    assert source.read() is not None
    source.frame_s = 60.0
    threading.Timer(0.05, source.close).start()
    assert source.read() is None
    assert machine.closed


def test_the_meter_counts_all_cores() -> None:
    machine = Machine(0.0)
    meter = CpuMeter(clock=machine.clock, cpu=machine.cpu, machine_cores=4)
    assert meter() == 0
    machine.now_s, machine.used_s = 2.0, 4.0
    assert meter() == pytest.approx(0.5)
    assert meter() == 0


@pytest.mark.parametrize(("share", "cores", "threads"), [(0.25, 2, 1), (0.5, 2, 1), (1.0, 2, 2), (0.25, 16, 4)])
def test_never_more_threads_than_the_limit_has_cores(share: float, cores: int, threads: int) -> None:
    assert threads_within(share, machine_cores=cores) == threads


def test_the_model_gets_half_of_the_limit_and_no_more_threads_than_it(monkeypatch) -> None:
    monkeypatch.setattr("bgcam.realtime.cores.cores", lambda: 4)
    limits = []
    monkeypatch.setattr("cv2.setNumThreads", limits.append)
    assert [limit_threads(wish, share=0.5) for wish in (0, 1, 8)] == [2, 1, 2]
    assert limits == [2, 2, 2]
    assert matte_share(0.5, threads=2) == pytest.approx(0.5)
    assert matte_share(None, threads=0) == math.inf


@pytest.mark.parametrize("text", ["25%", "25", " 25 %"])
def test_a_share_is_given_in_percent(text: str) -> None:
    assert cpu_share(text) == 0.25


@pytest.mark.parametrize("text", ["0", "101%", "a", "", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="25%"):
        cpu_share(text)


def test_the_command_keeps_the_limit_and_says_so(tmp_path, tiny_model, capsys, monkeypatch) -> None:
    monkeypatch.setattr("bgcam.realtime.run.status.PLAIN_EVERY_S", 0.05)
    monkeypatch.setattr("bgcam.realtime.sources.budgeted.WINDOW_S", 1e-4)
    monkeypatch.setattr("cv2.setNumThreads", lambda count: None)  # other tests go on with theirs
    clip = write_clip(tmp_path / "clip.mp4", frames=8)
    command = ["--input", str(clip), "--background", "green", "--model", str(tiny_model), "--max-cpu", "1"]
    assert main([*command, "--output", str(tmp_path / "out.mp4")]) == 0
    out = capsys.readouterr().out
    assert "8 frames" in out
    assert "--max-cpu 1%" in out


@pytest.mark.parametrize(("machine_cores", "threads"), [(1, 1), (2, 1), (8, 2), (16, 4)])
def test_a_call_keeps_most_processors(monkeypatch, machine_cores: int, threads: int) -> None:
    monkeypatch.setattr("bgcam.realtime.cores.cores", lambda: machine_cores)
    assert call_threads() == threads
