"""Rooms, traced: `office`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backgrounds.canvas import Array, Canvas, develop, rgb
from backgrounds.light import render
from backgrounds.solids import Room

SIDE = 3  # rays a pixel, across and down
SHARE = 1 / 4  # of the canvas' size is what is traced: the blur takes the rest


def photograph(
    room: Room,
    canvas: Canvas,
    *,
    eye: tuple[float, float, float],
    look_at: tuple[float, float, float],
    view_deg: float,
    blur: float,
    seed: int,
) -> Array:
    """The room out of focus: discs of `blur` pixels of the full size."""
    size = (round(canvas.size_wh[0] * SHARE), round(canvas.size_wh[1] * SHARE))
    light = render(room, eye=eye, look_at=look_at, view_deg=view_deg, size_wh=size, side=SIDE, seed=seed)
    light = np.minimum(light, 60)
    full = np.maximum(cv2.resize(light, canvas.size_wh, interpolation=cv2.INTER_CUBIC), 0)
    return canvas.soft(canvas.disc_blur(full, blur), blur / 5)


def plant(room: Room, rng: np.random.Generator, foot: tuple[float, float, float], size: float, leaves: int) -> None:
    """A plant that grows from `foot`, `size` metres high: pointed leaves on stems that bend outwards."""
    middle = (foot[0], foot[1] + 0.36 * size, foot[2])
    with room.group():
        room.add("rod", middle, (0.018 * size, 0.4 * size, 0.018 * size), rgb("#6b6a48"))
        for _ in range(leaves):
            heading, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.85)
            flat = np.array([np.cos(heading), 0, np.sin(heading)])
            at = np.array(foot) + size * (np.array([0, height, 0]) + flat * rng.uniform(0.05, 0.28) * (0.4 + height))
            along = flat + np.array([0, rng.uniform(-0.3, 0.9), 0])
            along /= np.linalg.norm(along)
            across = np.cross(along, [0, 1, 0])
            across /= np.linalg.norm(across)
            turn = np.stack([along, np.cross(across, along), across], 1).astype(np.float32)
            long = size * rng.uniform(0.12, 0.22)
            green = rgb("#5f8548") * np.array([rng.uniform(0.7, 1.25), 1, 0.9], np.float32) * rng.uniform(0.4, 1.1)
            place = (float(at[0]), float(at[1]), float(at[2]))
            room.add("ball", place, (long, 0.05 * long, 0.32 * long), green.astype(np.float32), turn=turn)


def desk(room: Room, rng: np.random.Generator, x: float, z: float) -> None:
    """Two places side by side, each with a screen and a chair."""
    grey, cloth = rgb("#8d8f93"), rgb("#3f4a55")
    room.box((x - 1.3, 0.70, z - 0.7), (x + 1.3, 0.74, z + 0.7), rgb("#c6a27c"))
    for leg in (-1.2, 1.2):
        room.box((x + leg - 0.03, 0, z - 0.6), (x + leg + 0.03, 0.7, z + 0.6), grey)
    for seat in (-0.65, 0.65):
        yaw = float(rng.normal(0, 0.12))
        room.add("box", (x + seat, 1.08, z - 0.05), (0.29, 0.18, 0.02), rgb("#45494f"), yaw=yaw)
        room.box((x + seat - 0.03, 0.74, z), (x + seat + 0.03, 0.95, z + 0.04), grey)
        back = z - 1.0 + float(rng.normal(0, 0.1))
        room.add("box", (x + seat, 0.72, back), (0.23, 0.24, 0.04), cloth, yaw=2 * yaw)
        room.add("box", (x + seat, 0.46, back + 0.22), (0.24, 0.04, 0.22), cloth, yaw=2 * yaw)


def office(scale: float) -> NDArray[np.uint8]:
    """An open-plan office with a wall of windows on the left, desks, screens and plants."""
    canvas, rng = Canvas(scale), np.random.default_rng(31)

    def sky(direction: Array) -> Array:
        up = np.clip(direction[:, 1:2] * 3 + 0.35, 0, 1)
        along = np.arctan2(direction[:, 2:3], -direction[:, :1]) * 40
        block = np.floor(along)
        lot = np.mod(np.sin(block * 91.7) * 43758.5, 1)
        tone = rgb("#a9b4be") * (0.7 + 0.5 * np.mod(lot * 7, 1)) * 1.1
        return np.where(direction[:, 1:2] < 0.015 + 0.10 * lot, tone, rgb("#dfeaf6") * 2.6 * (0.7 + 0.3 * up))

    room = Room(sky)
    white, oak = rgb("#e8e6e2"), rgb("#c6a27c")
    left, right, back, top = -4.2, 4.6, 15.0, 2.9
    room.box((left - 1, -0.1, -3), (right + 1, 0, back + 1), rgb("#7c7770"))
    room.box((left - 1, top, -3), (right + 1, top + 0.1, back + 1), white)
    room.box((right, 0, -3), (right + 0.1, top, back), rgb("#d9d5cf"))
    room.box((left, 0, back), (right, top, back + 0.1), rgb("#b9c2c4"))
    room.box((left, 0, -3.1), (right, top, -3), white)
    room.box((left - 0.1, 0, -3), (left, 0.75, back), white)
    room.box((left - 0.1, 2.6, -3), (left, top, back), white)
    for z in np.arange(-3, back, 1.6):
        room.box((left - 0.12, 0.7, z - 0.05), (left + 0.02, 2.7, z + 0.05), rgb("#5a5d61"))
    room.window((left - 0.05, 0.75, -3), (0, 0, back + 3), (0, 1.85, 0), rgb("#e4eefa") * 6.0)
    for z in (2.5, 5.5, 8.5, 11.5, 14.0):
        for x in (-1.6, 2.2):
            room.add("box", (x, top - 0.01, z), (0.6, 0.01, 0.15), white, glow=rgb("#fff3e2") * 5, blocks=False)
            room.lamp((x, top - 0.12, z), 0.1, rgb("#fff0dc") * 0.9)
    for z in (4.0, 6.6, 9.2, 12.0):
        for x in (-2.7, 2.4):
            with room.group():
                desk(room, rng, x, z)
    for x, z, size in ((3.1, 5.3, 1.0), (-3.7, 8.0, 0.9), (4.1, 8.0, 1.0)):
        room.add("rod", (x, 0.25, z), (0.2, 0.25, 0.2), rgb("#d8d3cc"))
        plant(room, rng, (x, 0.45, z), 1.1 * size, 40)
    room.box((-2.4, 0, back - 0.02), (-1.4, 2.1, back), rgb("#5d666b"))
    room.box((1.2, 1.0, back - 0.04), (3.4, 2.1, back), rgb("#f0f0ee"))
    room.box((0.9, 0, back - 0.5), (3.7, 0.8, back), oak)
    light = photograph(room, canvas, eye=(0.3, 1.35, 0), look_at=(-0.1, 1.3, 10), view_deg=58, blur=15, seed=310)
    return develop(canvas, light, rng, exposure=1.2, bloom=0.10, vignette=0.2)
