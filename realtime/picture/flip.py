"""A frame and its matte, mirrored: left becomes right."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte


def flip_frame(frame: CameraFrame) -> CameraFrame:
    """The same frame with its columns in reverse order, in new memory, which counts as a camera's too."""
    return CameraFrame(frame.number, _flip(frame.room_bgr), frame.time_s, frame.captured_s)


def flip_matte(coarse: CoarseMatte) -> CoarseMatte:
    """The matte of the flipped frame, with what the network would see of that."""
    return CoarseMatte(coarse.number, np.ascontiguousarray(coarse.alpha[:, ::-1]), _flip(coarse.seen_bgr))


def _flip(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.flip(bgr, 1), np.uint8)
