"""The virtual camera as viewers see it: its format, who comes and goes, and what another writer does to it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import lab
import numpy as np
import pytest
from lab import Program

from bgcam.realtime.devices import query_capability
from bgcam.realtime.v4l2 import HeldFormat, output_format, set_output_format, start_output

Start = Callable[..., Program]
SIZE_WH = (320, 240)


@pytest.fixture
def on_beach(bgcam: Start, beach: Path, tiny_model: Path, tmp_path: Path) -> Callable[..., Program]:
    """Starts bgcam with a person on the beach: one picture, which stays."""
    import cv2

    picture = tmp_path / "person.png"
    assert cv2.imwrite(str(picture), lab.person_bgr())

    def start(*more: object) -> Program:
        matte = ("--background", beach, "--model", tiny_model, "--threads", 1)
        return bgcam("--input", picture, "--output", "virtual:bgcam", *matte, *more)

    return start


def test_viewers_are_shown_the_person_in_i420(on_beach: Start, output: str) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        assert (viewer.size_wh, viewer.fourcc) == (SIZE_WH, "YU12")
    told = subprocess.run(
        [lab.need_tool("v4l2-ctl"), "-d", output, "--get-fmt-video"], capture_output=True, text=True, check=True
    )
    assert "Width/Height      : 320/240" in told.stdout
    assert "'YU12'" in told.stdout
    assert run.stop() == 0


def test_exclusive_caps_show_a_camera_while_bgcam_runs_and_an_output_before_and_after(
    on_beach: Start, output: str
) -> None:
    def bits() -> int:
        return query_capability(output).bits & (lab.CAPTURE | lab.OUTPUT)

    assert bits() == lab.OUTPUT
    run = on_beach()
    lab.wait_until(lambda: bits() == lab.CAPTURE, "the device to be a camera")
    assert run.stop() == 0
    assert bits() == lab.OUTPUT


def test_viewers_leave_and_come_back_and_several_watch_at_once(on_beach: Start, output: str) -> None:
    run = on_beach()
    for _ in range(3):
        with lab.viewing(output) as viewer:
            viewer.reads_until(lab.shows_person, "the person on the beach")
    with lab.viewing(output) as viewer, lab.viewing(output) as other:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        other.reads_until(lab.shows_person, "the person on the beach, for a second viewer")
    assert run.stop() == 0


def test_a_viewer_that_came_first_gets_the_picture_when_bgcam_starts(on_beach: Start, output: str) -> None:
    early = os.open(output, os.O_RDONLY)  # before there is a writer it can only wait
    try:
        run = on_beach()
        lab.wait_until(lambda: lab.is_written(output), "bgcam's first picture")
        count = SIZE_WH[0] * SIZE_WH[1] * 3 // 2
        luma = np.frombuffer(os.read(early, count), np.uint8)
        assert luma.size == count
        with lab.viewing(output) as viewer:
            viewer.reads_until(lab.shows_person, "the person on the beach")
        assert run.stop() == 0
    finally:
        os.close(early)


def test_it_stops_and_starts_again_in_other_sizes_without_the_module_reloaded(on_beach: Start, output: str) -> None:
    for size in ("320x240", "160x120", "320x240"):
        run = on_beach("--size", size)
        with lab.viewing(output) as viewer:
            viewer.reads_until(lab.shows_person, f"the person on the beach at {size}")
            assert "x".join(map(str, viewer.size_wh)) == size
        assert run.stop() == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_background_alone_in_sight(on_beach: Start, output: str, ending: signal.Signals) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        os.kill(run.pid, ending)
        last = None
        while run.code is None and (bgr := viewer.read()) is not None:
            last = bgr
        while last is not None and not lab.is_card(last) and (bgr := viewer.read()) is not None:
            last = bgr
    assert last is not None
    assert lab.is_card(last)
    assert run.ends() == 0


def test_a_second_writer_is_noticed_at_the_start(on_beach: Start, program: Start, output: str) -> None:
    other = program(lambda: _write_yuyv(output), "othercam")
    other.says("writing")
    run = on_beach()
    assert run.ends() == 1
    (line,) = run.text.strip().splitlines()[-1:]
    assert "othercam (pid" in line, line
    assert output in line


def test_a_second_writer_that_comes_later_shears_no_frame(on_beach: Start, program: Start, output: str) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        other = program(lambda: _write_yuyv(output), "othercam")
        # 0.12 lets it write, others do not: what viewers get is a whole picture of one or the other.
        for _ in range(12):
            bgr = viewer.read()
            assert bgr is None or lab.shows_person(bgr) or lab.is_card(bgr) or np.ptp(bgr) < 8
        other.kill()
        viewer.reads_until(lab.shows_person, "the person on the beach, once the other is gone")
    assert run.stop() == 0


def test_v4l2_compliance_leaves_the_run_alone(on_beach: Start, output: str) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
    told = subprocess.run(
        [lab.need_tool("v4l2-compliance"), "-d", output], capture_output=True, text=True, timeout=lab.PATIENCE_S
    )
    failed = [line.strip() for line in told.stdout.splitlines() if "FAIL" in line or "Total for" in line]
    print("v4l2-compliance:", *failed, sep="\n  ")
    assert "Total for" in told.stdout, told.stdout + told.stderr
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach, after it was examined")
        assert (viewer.size_wh, viewer.fourcc) == (SIZE_WH, "YU12")
    assert run.stop() == 0


def test_who_may_not_write_to_it_is_told(bgcam: Start, camera: str, output: str) -> None:
    lab.need_kernel()
    os.chmod(camera, 0o666)
    os.chmod(output, 0o660)
    run = bgcam("--camera", camera, "--background", "none", "--output", f"virtual:{output}", uid=lab.NOBODY)
    assert run.ends() == 1
    (line,) = [line for line in run.text.splitlines() if line.startswith("bgcam:")]
    assert output in line
    assert "usermod -aG video" in line, line


def _write_yuyv(path: str) -> int:
    """Another program that writes grey pictures in a format of its own, five a second."""
    import time

    device = os.open(path, os.O_RDWR)
    wanted = HeldFormat((160, 120), "YUYV")
    set_output_format(device, wanted, picture_bytes=160 * 120 * 2, line_bytes=160 * 2)
    start_output(device)
    held = output_format(device)
    print("writing", held, flush=True)
    count = held.size_wh[0] * held.size_wh[1]
    grey = np.full(count * 2 if held.fourcc == "YUYV" else count * 3 // 2, 128, np.uint8)
    while True:
        os.write(device, grey.data)
        time.sleep(0.2)
