"""Frames from real drivers to a real virtual camera."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lab
import numpy as np
from programs import Program
from writers import feed_webcam, write_clip

from bgcam.realtime.devices.listing import opened
from bgcam.realtime.devices.v4l2 import list_modes

Start = Callable[..., Program]
# vivid's first bars from the left: white, yellow, cyan, green, magenta, red, blue, black; B, G, R high or low.
BARS = [(1, 1, 1), (0, 1, 1), (1, 1, 0), (0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 0, 0), (0, 0, 0)]


def test_the_command_lists_the_devices(camera: str, output: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bgcam", "devices"], capture_output=True, text=True, timeout=lab.PATIENCE_S
    )
    cameras, virtual = told.stdout.split("virtual cameras:")
    assert told.returncode == 0, told.stderr
    assert camera in cameras
    assert f"bgcam  {output}" in virtual
    assert output not in cameras


def test_vivids_colour_bars_reach_the_virtual_camera(bgcam: Start, camera: str, output: str) -> None:
    lab.need_kernel()
    run = bgcam("--camera", "vivid", "--size", "320x180", "--background", "none", "--output", "virtual:bgcam")
    run.says(f"output: {output} (bgcam)")
    assert f"source: {camera} (vivid), 320x180 at" in run.text
    with lab.viewing(output) as viewer:
        assert (viewer.size_wh, viewer.fourcc) == ((320, 180), "YU12")
        bgr = viewer.reads_until(lambda picture: picture[:, :30].mean() > 150, "vivid's white bar")
    strip = bgr[150:170].mean(axis=0)
    seen = [tuple((strip[20 + 40 * bar] > 90).astype(int)) for bar in range(8)]
    assert seen == BARS
    assert run.stop() == 0


def test_ffmpegs_webcam_is_put_on_the_beach(
    bgcam: Start, output: str, beach: Path, tiny_model: Path, tmp_path: Path
) -> None:
    ffmpeg, webcam = lab.need_tool("ffmpeg"), lab.virtual_camera(lab.WEBCAM_LABEL)
    clip = write_clip(tmp_path / "person.avi")
    feed = [ffmpeg, "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(clip)]
    feeding = subprocess.Popen([*feed, "-pix_fmt", "yuyv422", "-f", "v4l2", webcam], stdin=subprocess.DEVNULL)
    try:
        lab.wait_until(lambda: lab.is_written(webcam), "ffmpeg's first frame")
        run = bgcam("--camera", lab.WEBCAM_LABEL, "--background", beach, "--model", tiny_model, "--threads", 1)
        run.says("output:")
        # 0.12 tells viewers of 30 frames a second, whatever its writer says.
        assert f"source: {webcam} ({lab.WEBCAM_LABEL}), 320x240 at" in run.text
        assert "(asked for 1280x720 at 30 fps)" in run.text
        with lab.viewing(output) as viewer:
            viewer.reads_until(lab.shows_person, "the person on the beach")
            assert (viewer.size_wh, viewer.fourcc) == ((320, 240), "YU12")
        raw = np.frombuffer(lab.read_raw(output, 320 * 240 * 3 // 2), np.uint8)
        assert raw.size == 320 * 240 * 3 // 2
        assert run.stop() == 0
    finally:
        feeding.kill()
        feeding.wait()
        if lab.IN_KERNEL:
            lab.load_loopback()  # ffmpeg leaves 0.12 shut for other writers


def test_a_webcams_mjpg_is_taken(bgcam: Start, program: Start, output: str, beach: Path, tiny_model: Path) -> None:
    webcam = lab.virtual_camera(lab.WEBCAM_LABEL)
    program(lambda: feed_webcam(webcam, fourcc="MJPG"), "webcam")
    lab.wait_until(lambda: lab.is_written(webcam), "the webcam's first picture")
    with opened(webcam) as descriptor:
        assert {mode.fourcc for mode in list_modes(descriptor)} == {"MJPG"}
    run = bgcam("--camera", lab.WEBCAM_LABEL, "--background", beach, "--model", tiny_model, "--threads", 1)
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
    assert run.stop() == 0
