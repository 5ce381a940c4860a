"""Cameras that are busy, forbidden, gone and back; and one that is on only while somebody watches."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lab
import numpy as np
import pytest
from programs import Program
from writers import feed_webcam

from bgcam.realtime.devices.users import find_holders

Start = Callable[..., Program]
VIVID_DRIVER = Path("/sys/bus/platform/drivers/vivid")


@pytest.fixture
def vivid() -> Iterator[None]:
    """vivid as it was, afterwards. To be asked for first: what holds the camera has to end before."""
    lab.need_kernel()
    yield
    lab.load_vivid()


def test_asked_for_what_the_camera_lacks_it_says_what_it_gives(bgcam: Start, camera: str) -> None:
    lab.need_kernel()
    run = bgcam("--camera", camera, "--size", "333x222", "--fps", 7, "--background", "none", "--output", "null")
    run.says("source:")
    (line,) = [line for line in run.text.splitlines() if line.startswith("source:")]
    print(line)
    assert "333x222" in line
    assert run.stop() == 0


def test_a_camera_that_another_program_uses_is_named_with_it(bgcam: Start, program: Start, camera: str) -> None:
    def hold() -> int:
        viewer = lab.Viewer(camera)
        while viewer.read() is not None:
            print("streams", flush=True)
        return 1

    other = program(hold, "videocall")
    other.says("streams")
    run = bgcam("--camera", camera, "--background", "none", "--output", "null")
    assert run.ends() == 1
    (line,) = run.text.strip().splitlines()
    assert f"videocall (pid {other.pid}) has it open" in line
    assert camera in line


def test_nobody_may_not_use_the_camera(bgcam: Start, camera: str) -> None:
    lab.need_kernel()
    os.chmod(camera, 0o660)
    run = bgcam("--camera", camera, "--background", "none", "--output", "null", uid=lab.NOBODY)
    assert run.ends() == 1
    (line,) = run.text.strip().splitlines()
    assert "usermod -aG video" in line


def test_a_camera_that_is_plugged_out_is_found_again_under_another_number(
    vivid: None, bgcam: Start, output: str, beach: Path, tiny_model: Path
) -> None:
    run = bgcam("--camera", "vivid", "--size", "320x180", "--background", beach, "--model", tiny_model, "--threads", 1)
    with lab.viewing(output) as viewer:
        # Of vivid's bars the tiny model keeps the bright ones, on the left.
        viewer.reads_until(lambda bgr: _shows_bars(bgr), "vivid's bars on the beach")
        (VIVID_DRIVER / "unbind").write_text("vivid.0")
        viewer.reads_until(lab.is_placeholder, "the background alone")
        run.says("plug it back in")
        lab.wait_until(lambda: not os.path.exists("/dev/video0"), "the camera to be gone")
        lab.load_vivid("vid_cap_nr=20")
        assert lab.camera() == "/dev/video20"
        viewer.reads_until(lambda bgr: _shows_bars(bgr), "vivid's bars on the beach again")
        assert viewer.size_wh == (320, 180)
    assert run.stop() == 0


def test_a_webcam_whose_pictures_stop_shows_the_background_until_they_come_again(
    bgcam: Start, program: Start, output: str, beach: Path, tiny_model: Path
) -> None:
    webcam = lab.virtual_camera(lab.WEBCAM_LABEL)
    feed = program(lambda: feed_webcam(webcam), "webcam")
    lab.wait_until(lambda: lab.is_written(webcam), "the webcam's first picture")
    run = bgcam("--camera", lab.WEBCAM_LABEL, "--background", beach, "--model", tiny_model, "--threads", 1)
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        feed.kill()
        viewer.reads_until(lab.is_placeholder, "the background alone")
        program(lambda: feed_webcam(webcam), "webcam")
        viewer.reads_until(lab.shows_person, "the person on the beach again")
    assert run.stop() == 0


def test_a_camera_that_fails_in_mid_stream_is_opened_again(vivid: None, bgcam: Start, camera: str, output: str) -> None:
    run = bgcam("--camera", "vivid", "--size", "320x180", "--background", "none", "--output", "virtual:bgcam")
    with lab.viewing(output) as viewer:
        for _ in range(2):
            viewer.reads_until(lambda bgr: bgr[:, 4:30].mean() > 150, "vivid's white bar")
            # vivid is there again as soon as nobody has it open.
            subprocess.run([lab.need_tool("v4l2-ctl"), "-d", camera, "-c", "disconnect=1"], check=True)
            viewer.reads_until(lambda bgr: bool(np.ptp(bgr) < 8), "plain grey: the background is the room")
        viewer.reads_until(lambda bgr: bgr[:, 4:30].mean() > 150, "vivid's white bar again")
    assert run.stop() == 0


def test_on_demand_the_camera_is_on_only_while_somebody_watches(
    bgcam: Start, camera: str, output: str, beach: Path, tiny_model: Path
) -> None:
    lab.need_kernel()
    arguments = ("--camera", "vivid", "--size", "320x180", "--background", beach, "--model", tiny_model)
    run = bgcam(*arguments, "--threads", 1, "--on-demand", "--output", f"virtual:{output}")

    def is_on() -> bool:
        return bool(find_holders(camera).found)

    run.says("waiting for a viewer")
    lab.wait_until(lambda: not is_on(), "the camera to be off, with nobody watching")
    for _ in range(2):
        with lab.viewing(output) as viewer:
            # The driver keeps the last picture for who comes next, which is to be the placeholder.
            viewer.reads_until(lambda bgr: _shows_bars(bgr), "vivid's bars on the beach")
            assert is_on()
        left_s = time.monotonic()
        lab.wait_until(lambda: not is_on(), "the camera to be off again")
        print(f"off after {time.monotonic() - left_s:.1f} s, in emulation")
    assert lab.is_written(output)  # the placeholder: a call may pick the camera while it is off
    assert run.stop() == 0


def _shows_bars(bgr: np.ndarray) -> bool:
    """vivid's first bars, white and yellow, are bright: the person of the tiny model; its last are the beach."""
    bars, rest = bgr[bgr.shape[0] * 3 // 4 :, 4:30], bgr[-20:, -60:]
    return bool(bars.mean() > 150 and not lab.near(bars, lab.BEACH_BGR, by=40)) and lab.near(rest, lab.BEACH_BGR)
