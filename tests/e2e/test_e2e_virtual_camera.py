"""The virtual camera as viewers see it: its format, who comes and goes, and what another writer does to it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import lab
import numpy as np
import pytest
from programs import Program
from writers import write_grey

from bgcam.realtime.devices.listing import query_capability

Start = Callable[..., Program]
SIZE_WH = (320, 240)
pytestmark = pytest.mark.usefixtures("each_driver")


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


def test_viewers_leave_and_come_back(on_beach: Start, output: str) -> None:
    run = on_beach()
    for _ in range(3):
        with lab.viewing(output) as viewer:
            viewer.reads_until(lab.shows_person, "the person on the beach")
    assert run.stop() == 0


def test_several_watch_at_once_or_the_driver_keeps_all_but_one_out(on_beach: Start, output: str) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        other = lab.Viewer(output)
        if lab.driver_version() < (0, 14):
            other.reads_until(lab.shows_person, "the person on the beach, for a second viewer")
        else:
            assert not other.opened or other.read() is None
            viewer.reads_until(lab.shows_person, "the person on the beach, still")
        other.close()
    assert run.stop() == 0


def test_a_viewer_that_came_first_gets_the_picture_when_bgcam_starts(on_beach: Start, output: str) -> None:
    with open(output, "rb", buffering=0) as early:  # before there is a writer it can only wait
        run = on_beach()
        lab.wait_until(lambda: lab.is_written(output), "bgcam's first picture")
        count = SIZE_WH[0] * SIZE_WH[1] * 3 // 2
        assert len(early.read(count)) == count
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
    assert run.stop() == 0


def test_it_stops_and_starts_again_in_other_sizes_without_the_module_reloaded(on_beach: Start, output: str) -> None:
    for size in ("320x240", "160x120", "320x240"):
        run = on_beach("--size", size)
        with lab.viewing(output) as viewer:
            viewer.reads_until(lab.shows_person, f"the person on the beach at {size}")
            assert "x".join(map(str, viewer.size_wh)) == size
        assert run.stop() == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_viewer_that_stays_gets_pictures_again_when_bgcam_is_back(
    on_beach: Start, output: str, ending: signal.Signals
) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        os.kill(run.pid, ending)
        run.ends()
        again = on_beach("--background", "none")  # so that no picture of the first run will do
        viewer.reads_until(lambda bgr: lab.near(bgr[:20, :40], (lab.ROOM_GREY,) * 3), "the person in the room")
    assert again.stop() == 0


def test_a_second_writer_is_noticed_at_the_start(on_beach: Start, program: Start, output: str) -> None:
    other = program(lambda: write_grey(output), "othercam")
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
        other = program(lambda: write_grey(output), "othercam")
        # 0.12 lets it write, others do not: what viewers get is a whole picture of one or the other.
        for _ in range(12):
            bgr = viewer.read()
            assert bgr is None or lab.shows_person(bgr) or lab.is_placeholder(bgr) or np.ptp(bgr) < 8
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
