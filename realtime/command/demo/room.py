"""The room behind the demo's person, drawn by code: wall, window, curtain, shelves with books, a lamp, two plants."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 1280, 720
SCALE = 2  # drawn twice as large, for smooth edges

Colour = tuple[int, int, int]  # red, green, blue in 0..255
Point = tuple[float, float]

BOOK_COLOURS: Sequence[Colour] = (
    (150, 62, 54), (52, 84, 112), (208, 186, 142), (74, 104, 82),
    (188, 128, 62), (98, 72, 104), (222, 214, 198), (60, 62, 70),
)  # fmt: skip


def draw_room(seed: int = 4) -> NDArray[np.uint8]:
    """The empty room: (720, 1280, 3) uint8 BGR, a little out of focus. The same seed gives the same room."""
    rng = np.random.default_rng(seed)
    canvas = _wall(rng)
    _window(canvas, rng)
    _shelves(canvas, rng)
    _lamp(canvas)
    _floor_plant(canvas, rng)
    soft = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.6 * SCALE), np.float32)
    small = cv2.resize(_lit(soft), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    grain = rng.normal(0, 1.2, (HEIGHT, WIDTH, 1))
    return np.asarray(np.rint(np.clip(small + grain, 0, 255)), np.uint8)


def _poly(canvas: NDArray[np.float32], points: Sequence[Point], colour: Colour, shade: float = 1.0) -> None:
    ints = np.rint(np.array(points) * SCALE).astype(np.int32)
    cv2.fillPoly(canvas, [ints], [min(c * shade, 255.0) for c in colour[::-1]], cv2.LINE_AA)


def _rect(
    canvas: NDArray[np.float32], x0: float, y0: float, x1: float, y1: float, colour: Colour, shade: float = 1
) -> None:
    _poly(canvas, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), colour, shade)


def _noise(rng: np.random.Generator, across: int, down: int) -> NDArray[np.float32]:
    """Smooth noise (H, W) in about [-1, 1] on the canvas, `across` by `down` blobs."""
    coarse = rng.uniform(-1, 1, (down, across)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (WIDTH * SCALE, HEIGHT * SCALE), interpolation=cv2.INTER_CUBIC), np.float32)


def _wall(rng: np.random.Generator) -> NDArray[np.float32]:
    canvas = np.empty((HEIGHT * SCALE, WIDTH * SCALE, 3), np.float32)
    canvas[:] = (168, 182, 190)
    canvas *= (1 + 0.015 * _noise(rng, 9, 6) + 0.012 * _noise(rng, 160, 90))[..., None]
    _rect(canvas, 0, 596, WIDTH, HEIGHT, (196, 186, 172))  # panelling, with a rail on top
    for x in range(-40, WIDTH, 130):
        _rect(canvas, x, 596, x + 4, HEIGHT, (164, 154, 142))
        _rect(canvas, x + 4, 596, x + 7, HEIGHT, (214, 206, 194))
    _rect(canvas, 0, 584, WIDTH, 598, (214, 206, 194))
    _rect(canvas, 0, 598, WIDTH, 602, (158, 148, 136))
    return canvas


def _window(canvas: NDArray[np.float32], rng: np.random.Generator) -> None:
    left, top, right, bottom = 96, 56, 384, 470
    _rect(canvas, left - 20, top - 20, right + 20, bottom + 20, (228, 224, 216))
    for row in range(top, bottom):  # sky, paler downwards
        t = (row - top) / (bottom - top)
        _rect(canvas, left, row, right, row + 1, (round(176 + 60 * t), round(208 + 30 * t), round(238 + 6 * t)))
    for _ in range(240):  # trees outside: many leaves, the sunny ones last
        x, y = rng.uniform(left, right), bottom - abs(rng.normal(0, 74))
        radius = rng.uniform(8, 24)
        light = rng.uniform(0.7, 1.15) - 0.15 * (bottom - y < 50)
        centre = (round(x * SCALE), round(max(y, top + 40) * SCALE))
        cv2.circle(canvas, centre, round(radius * SCALE), [92 * light, 156 * light, 122 * light], -1, cv2.LINE_AA)
    outside = canvas[top * SCALE : bottom * SCALE, left * SCALE : right * SCALE]
    outside[:] = 0.82 * cv2.GaussianBlur(outside, (0, 0), 7 * SCALE) + 0.18 * 255  # far away and overexposed
    _rect(canvas, (left + right) / 2 - 7, top, (left + right) / 2 + 7, bottom, (222, 218, 210))
    _rect(canvas, left, 222, right, 233, (222, 218, 210))
    _rect(canvas, left - 20, bottom, right + 20, bottom + 20, (228, 224, 216))
    for edge in (
        (left - 20, top - 20, left - 16, bottom + 20),
        (left, top, right, top + 4),
        (left, top, left + 4, bottom),
    ):
        _rect(canvas, *edge, (180, 174, 166))
    _rect(canvas, left - 42, bottom + 18, right + 42, bottom + 34, (232, 228, 220))
    _rect(canvas, left - 42, bottom + 34, right + 42, bottom + 40, (160, 152, 142))
    _rect(canvas, 20, 22, 470, 29, (92, 76, 62))  # curtain rod
    for x0, x1 in ((28, 112), (372, 452)):
        _rect(canvas, x0, 26, x1, 560, (186, 172, 142))
        for i in range(24):
            fold = 0.86 + 0.16 * np.sin(i * 1.35 + x0) + 0.04 * np.sin(i * 0.5)
            a, b = (x0 + (x1 - x0) * (i + k) / 24 for k in (0, 1.15))
            sway = 5 * np.sin(i * 0.9)
            _poly(canvas, ((a, 26), (b, 26), (b + sway, 560), (a + sway, 560)), (204, 190, 160), fold)


def _shelves(canvas: NDArray[np.float32], rng: np.random.Generator) -> None:
    left, right = 880, 1240
    for y in (150, 300, 450):
        shadow = canvas[(y + 14) * SCALE : (y + 60) * SCALE, left * SCALE : right * SCALE]
        shadow *= np.linspace(0.72, 1, shadow.shape[0], dtype=np.float32)[:, None, None]
        _rect(canvas, left, y, right, y + 5, (176, 132, 88))
        _rect(canvas, left, y + 5, right, y + 15, (136, 96, 60))
    rows = ((150, (900, 1050)), (300, (1010, 1220)), (450, (896, 1080)))
    number = 0
    for y, (start, end) in rows:
        x = float(start)
        while x < end:
            wide, tall = rng.uniform(13, 26), rng.uniform(74, 112)
            number += int(rng.integers(1, 4))
            colour = BOOK_COLOURS[number % len(BOOK_COLOURS)]
            lean = 9.0 if x + 30 > end else 0.0
            _poly(canvas, ((x, y), (x + wide, y), (x + wide + lean, y - tall), (x + lean, y - tall)), colour)
            _poly(canvas, ((x, y), (x + 3, y), (x + 3 + lean, y - tall), (x + lean, y - tall)), colour, 1.25)
            _rect(
                canvas, x + 3 + lean * 0.8, y - tall * 0.84, x + wide - 2 + lean * 0.8, y - tall * 0.79, (226, 204, 150)
            )
            x += wide + 1.5
    _rect(canvas, 1100, 54, 1204, 150, (58, 50, 44))  # a framed picture of hills
    _rect(canvas, 1108, 62, 1196, 142, (238, 232, 220))
    _rect(canvas, 1118, 72, 1186, 132, (156, 190, 210))
    _poly(canvas, ((1118, 132), (1118, 112), (1140, 92), (1158, 108), (1186, 98), (1186, 132)), (102, 132, 112))
    _poly(canvas, ((1118, 132), (1148, 116), (1186, 120), (1186, 132)), (196, 168, 110))
    _poly(canvas, ((908, 300), (962, 300), (970, 240), (900, 240)), (204, 110, 76))  # a pot with a hanging plant
    _rect(canvas, 896, 236, 974, 250, (218, 126, 90))
    for _ in range(110):
        angle, reach = rng.uniform(-np.pi, 0), rng.uniform(14, 66)
        leaf_x, leaf_y = 935 + 0.9 * np.cos(angle) * reach, 238 + np.sin(angle) * reach * 0.8
        if rng.random() < 0.25:
            leaf_x, leaf_y = rng.choice((898, 972)) + rng.normal(0, 7), rng.uniform(236, 352)
        size, shade = rng.uniform(9, 16), rng.uniform(0.65, 1.25)
        _leaf(canvas, leaf_x, leaf_y, rng.uniform(0, 2 * np.pi), size, (86, 140, 78), shade)


def _lamp(canvas: NDArray[np.float32]) -> None:
    y, x = np.mgrid[0 : HEIGHT * SCALE, 0 : WIDTH * SCALE].astype(np.float32) / SCALE
    glow = np.exp(-(((x - 1162) / 150) ** 2 + ((y - 400) / 130) ** 2))
    canvas += glow[..., None] * np.array((30, 62, 84), np.float32)
    _poly(canvas, ((1136, 450), (1188, 450), (1182, 436), (1142, 436)), (70, 64, 60))
    _rect(canvas, 1158, 388, 1166, 440, (96, 84, 70))
    _poly(canvas, ((1118, 394), (1206, 394), (1186, 330), (1138, 330)), (252, 226, 172))
    _poly(canvas, ((1130, 394), (1170, 394), (1166, 330), (1146, 330)), (255, 242, 206))


def _floor_plant(canvas: NDArray[np.float32], rng: np.random.Generator) -> None:
    base_x, base_y = 196, 612
    for i in range(46):
        angle = -np.pi / 2 + float(np.clip(rng.normal(0, 0.6), -1.25, 1.25))
        reach = rng.uniform(90, 230)
        tip = (base_x + np.cos(angle) * reach, base_y + np.sin(angle) * reach)
        stem = [(round(p[0] * SCALE), round(p[1] * SCALE)) for p in ((base_x, base_y), tip)]
        cv2.line(canvas, stem[0], stem[1], (62, 104, 84), 2 * SCALE, cv2.LINE_AA)
        _leaf(canvas, *tip, angle + rng.normal(0, 0.3), rng.uniform(34, 56), (70, 124, 76), 0.62 + 0.65 * i / 46)
    _poly(canvas, ((138, 604), (254, 604), (240, 740), (152, 740)), (206, 198, 186))
    _poly(canvas, ((192, 604), (254, 604), (240, 740), (192, 740)), (232, 224, 212))
    _rect(canvas, 132, 598, 260, 614, (226, 220, 210))


def _leaf(
    canvas: NDArray[np.float32], x: float, y: float, angle: float, length: float, colour: Colour, shade: float
) -> None:
    along = np.array((np.cos(angle), np.sin(angle)))
    side = np.array((-along[1], along[0]))
    t = np.linspace(0, 1, 9)[:, None]
    half = 0.26 * length * np.sin(np.pi * t) ** 0.8
    spine = np.array((x, y)) + along * length * (t - 0.5)
    _poly(canvas, [*map(tuple, spine + side * half), *map(tuple, (spine - side * half)[::-1])], colour, shade)
    _poly(canvas, [*map(tuple, spine), *map(tuple, (spine - side * half)[::-1])], colour, shade * 1.14)


def _lit(canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Daylight falls in from the window; the corners are darker."""
    y, x = np.mgrid[0 : HEIGHT * SCALE, 0 : WIDTH * SCALE].astype(np.float32) / SCALE
    daylight = np.exp(-(((x - 240) / 620) ** 2 + ((y - 280) / 520) ** 2))
    corners = ((x / WIDTH - 0.5) ** 2 + (y / HEIGHT - 0.5) ** 2) * 0.35
    out = canvas * (0.86 + 0.2 * daylight - corners)[..., None]
    return np.asarray(out, np.float32)
