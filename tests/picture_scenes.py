"""Scenes for the tests of `picture`: a person that is a disc, in one colour, before a room in another."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte

ROOM, PERSON = np.array([40, 200, 40]), np.array([60, 80, 210])


def disc(height: int, width: int, *, radius: float, softness: float = 6.0) -> NDArray[np.float32]:
    """Alpha of a disc in the middle, with a soft edge `softness` pixels wide."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x - width / 2, y - height / 2)
    return np.clip((radius - distance) / softness + 0.5, 0, 1).astype(np.float32)


def before(alpha: NDArray[np.float32], person: NDArray[np.int_], room: NDArray[np.int_]) -> NDArray[np.uint8]:
    """A person of one colour before a room of one colour, (H, W, 3) BGR."""
    return np.rint(person * alpha[..., None] + room * (1 - alpha[..., None])).astype(np.uint8)


def shrunk(picture: NDArray[Any], size_wh: tuple[int, int]) -> NDArray[Any]:
    return cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)


def scene(
    number: int = 0,
    *,
    size_wh: tuple[int, int] = (320, 240),
    network_wh: tuple[int, int] = (80, 64),
    room: NDArray[np.int_] = ROOM,
) -> tuple[CameraFrame, CoarseMatte, NDArray[np.float32]]:
    """A frame, its coarse matte, and the true alpha at the frame's size: a disc of 0.3 of the shorter side."""
    alpha = disc(size_wh[1], size_wh[0], radius=0.3 * min(size_wh))
    bgr = before(alpha, PERSON, room)
    coarse = CoarseMatte(number, shrunk(alpha, network_wh), shrunk(bgr, network_wh))  # type: ignore[arg-type]
    return CameraFrame(number, bgr, number / 30, 0.0), coarse, alpha
