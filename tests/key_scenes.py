"""A person with thin hair before a green or blue screen: uneven light, noise, and what else may be there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte

SIZE_WH, NETWORK_WH = (640, 360), (320, 192)
SCREENS = {"green": np.array([60, 165, 50]), "blue": np.array([170, 70, 40])}
HAIR, SKIN = np.array([38, 44, 58]), np.array([120, 150, 200])
# Rows and columns: a square on the person's chest in the colour of the screen, and the room beside the screen.
CHEST, BESIDE = (slice(230, 290), slice(290, 350)), (slice(0, 360), slice(0, 110))


@dataclass(frozen=True)
class KeyScene:
    """alpha: the true one, (H, W) float32. room: what is behind, without the person, and person, without the room."""

    frame: CameraFrame
    coarse: CoarseMatte
    alpha: NDArray[np.float32]
    room: NDArray[np.float32]
    person: NDArray[np.float32]


def true_alpha(size_wh: tuple[int, int] = SIZE_WH) -> NDArray[np.float32]:
    """A head and shoulders, and forty hairs of two pixels, drawn four times as large and made smaller."""
    width, height = size_wh
    large = np.zeros((4 * height, 4 * width), np.uint8)
    middle = 2 * width, int(1.45 * height)
    cv2.ellipse(large, (middle[0], 4 * height), (int(1.05 * width), int(1.75 * height)), 0, 180, 360, 255, -1)
    cv2.ellipse(large, middle, (int(0.42 * width), height), 0, 0, 360, 255, -1)
    for angle in np.linspace(np.pi, 2 * np.pi, 40):
        begin, end = (
            (int(middle[0] + share * 0.42 * width * np.cos(angle)), int(middle[1] + share * height * np.sin(angle)))
            for share in (0.95, 1.22)
        )
        cv2.line(large, begin, end, 255, 7)
    return np.asarray(cv2.resize(large, size_wh, interpolation=cv2.INTER_AREA) / 255, np.float32)


def key_scene(
    colour: str = "green",
    *,
    noise: float = 4.0,
    uneven: bool = True,
    beside: bool = False,
    number: int = 0,
    room: NDArray[np.int_] | None = None,
) -> KeyScene:
    """noise: its sigma in levels. beside: a part of the room is to be seen beside the screen. room: instead of the
    screen."""
    rng, alpha = np.random.default_rng(number + 1), true_alpha()
    width, height = SIZE_WH
    light = np.linspace(0.65, 1.15, width)[None, :, None] if uneven else 1.0
    behind = np.broadcast_to(SCREENS[colour] if room is None else room, (height, width, 3)) * light
    if beside:
        behind = behind.copy()
        behind[BESIDE] = rng.integers(60, 200, (1, 1, 3))
        behind[BESIDE][::8] = 30
    person = np.broadcast_to(HAIR, (height, width, 3)).astype(np.float64).copy()
    person[int(0.3 * height) :, int(0.3 * width) : int(0.7 * width)] = SKIN
    person[CHEST] = SCREENS[colour]
    mixed = person * alpha[..., None] + behind * (1 - alpha[..., None]) + rng.normal(0, noise, (height, width, 3))
    bgr = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    # What a network says of hair: a soft fringe, in which no strand can be told from another.
    fringe = cv2.GaussianBlur(np.asarray(cv2.dilate(alpha, np.ones((3, 3), np.uint8)), np.float32), (0, 0), 4)
    small = np.asarray(cv2.resize(fringe, NETWORK_WH, interpolation=cv2.INTER_AREA), np.float32)
    seen = np.asarray(cv2.resize(bgr, NETWORK_WH, interpolation=cv2.INTER_AREA), np.uint8)
    coarse = CoarseMatte(number, np.clip(small * 1.02 - 0.01, 0, 1, dtype=np.float32), seen)
    frame = CameraFrame(number, bgr, number / 30, 0.0)
    return KeyScene(frame, coarse, alpha, behind.astype(np.float32), person.astype(np.float32))
