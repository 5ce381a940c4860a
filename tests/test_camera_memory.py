"""The places of camera frames' pixels: by overlap, for as long as the memory is there, and no longer."""

from __future__ import annotations

import numpy as np
import pytest

from bgcam.realtime import camera_memory
from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.frames import CameraFrame


def test_a_crop_is_remembered_as_long_as_its_buffer_is_there() -> None:
    buffer = np.ones((64, 64, 3), np.uint8)
    frame = CameraFrame(0, buffer[8:40], 0.0, 0.0)
    assert is_camera_memory(frame.room_bgr)
    del frame
    assert is_camera_memory(buffer[8:40])
    assert not is_camera_memory(buffer[40:])


@pytest.mark.parametrize("rows", [slice(0, 64), slice(0, 20), slice(30, 64), slice(10, 30), slice(8, 40)])
def test_any_overlap_counts(rows: slice) -> None:
    buffer = np.ones((64, 64, 3), np.uint8)
    frame = CameraFrame(0, buffer[8:40], 0.0, 0.0)
    assert is_camera_memory(buffer[rows])
    assert frame.number == 0


def test_what_is_gone_is_forgotten() -> None:
    for width in range(1, 41):  # of other sizes, so that they do not all take the same places
        held = [CameraFrame(number, np.ones((16, 16 * width, 3), np.uint8), 0.0, 0.0) for number in range(50)]
        del held
    assert len(camera_memory._places) < 500
