"""The look at a frame before each output holds by itself: it trusts neither the frame nor the sink."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from bgcam.realtime.failsafe.gate import check_shown, send
from bgcam.realtime.frames import CameraFrame, ComposedFrame, Matte
from bgcam.realtime.picture.composed import compose, composed_cutout, composed_i420

SIZE_WH = (64, 32)


class TrustingSink:
    """A sink of somebody else's, which writes what it gets."""

    name, takes_cutouts = "trusting", True

    def __init__(self) -> None:
        self.got: list[Any] = []

    def write(self, frame: Any) -> None:
        self.got.append(frame)


class Pretender:
    """Says of itself that it is a composed frame, and shows the room when it is read."""

    def __init__(self, frame: CameraFrame) -> None:
        self.number, self.bgr = frame.number, frame.room_bgr
        self.planes = [np.zeros_like(frame.room_bgr)]

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return ComposedFrame


def camera_frame(*, channels: int = 3) -> CameraFrame:
    pixels = np.random.default_rng(1).integers(1, 256, (SIZE_WH[1], SIZE_WH[0], channels), np.uint8)
    return CameraFrame(0, pixels[..., :3], 0.0, time.monotonic())


def test_what_says_that_it_is_a_composed_frame_is_none() -> None:
    pretender = Pretender(camera_frame())
    assert isinstance(pretender, ComposedFrame)
    with pytest.raises(TypeError, match="is not shown"):
        check_shown(pretender)


def test_the_bgr_of_a_frame_made_of_i420_is_looked_at_too() -> None:
    camera = camera_frame()
    made = composed_i420(camera, np.zeros((SIZE_WH[1] * 3 // 2, SIZE_WH[0]), np.uint8))
    check_shown(made)
    made._bgr = camera.room_bgr
    with pytest.raises(TypeError, match="shares a camera frame's memory"):
        check_shown(made)


def test_a_sink_that_does_not_look_gets_nothing_else() -> None:
    sink, frame = TrustingSink(), camera_frame()
    for given in (frame, frame.room_bgr, Pretender(frame), None):
        with pytest.raises(TypeError, match="is not shown"):
            send(sink, given)  # type: ignore[arg-type]
    assert sink.got == []


def test_no_cutout_is_made_of_a_cameras_memory() -> None:
    frame = camera_frame(channels=4)
    with pytest.raises(ValueError, match="cannot be made of a camera frame's own pixels"):
        composed_cutout(frame, frame.room_bgr.base)  # type: ignore[arg-type]


def test_a_room_that_is_asked_for_is_a_copy() -> None:
    frame = camera_frame()
    made = compose(frame, Matte(0, np.zeros(SIZE_WH[::-1], np.float32)), frame.room_bgr)
    assert (made.bgr == frame.room_bgr).all()
    assert not np.shares_memory(made.bgr, frame.room_bgr)
