"""Walls and backdrops: `studio`, `dark-studio` and `wall`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backgrounds.canvas import HEIGHT, WIDTH, Array, Canvas, develop, mix, rgb, smooth


def studio(scale: float) -> NDArray[np.uint8]:
    """A light grey paper backdrop that curves into the floor, with one big soft light from the upper left."""
    canvas, rng = Canvas(scale), np.random.default_rng(21)
    x, y = canvas.x, canvas.y
    pool = np.exp(-(((x - 880) / 900) ** 2 + ((y - 400) / 620) ** 2))
    side = 1.05 - 0.16 * x / WIDTH
    floor = smooth(y, 760, 1010)  # lit from above, it is brighter than the wall
    curve = np.exp(-(((y - 800) / 120) ** 2))
    light = (0.46 + 0.42 * pool) * side * (1 + 0.10 * floor - 0.07 * curve)
    light *= 1 + 0.006 * canvas.noise(rng, (900, 600), 3)
    picture = light[..., None] * (rgb("#f1f1f2") * (1 - 0.03 * pool[..., None]) + 0.03 * pool[..., None])
    return develop(canvas, picture, rng, bloom=0, vignette=0.16, grain=1.3)


def dark_studio(scale: float) -> NDArray[np.uint8]:
    """A hand-painted canvas backdrop, almost black at its edges, with a cool light on its middle and a warm one low."""
    canvas, rng = Canvas(scale), np.random.default_rng(22)
    x, y = canvas.x, canvas.y
    strokes = 0.6 * canvas.noise(rng, (520, 420), 4, 0.55) + 0.4 * canvas.noise(rng, (190, 240), 4, 0.6)
    strokes = canvas.soft(strokes, 9)
    pool = np.exp(-((((x - 1010) / 680) ** 2 + ((y - 430) / 500) ** 2) ** 0.85))
    warm = np.exp(-(((x - 150) / 620) ** 2 + ((y - 960) / 560) ** 2))
    paint = np.exp(0.13 * strokes)
    light = pool[..., None] * rgb("#8294a6") * 0.52 + warm[..., None] * rgb("#c98a55") * 0.10 + rgb("#2b3036") * 0.45
    return develop(canvas, light * paint[..., None], rng, bloom=0.03, vignette=0.45, grain=1.0)


def leaves(rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """A palm's fronds, as polygons: what stands between the sun and the wall."""
    shapes = []
    fronds = (((1740, 720), 118, 900), ((1900, 330), 150, 900))
    for foot, heading_deg, length in fronds:
        at = np.array(foot, np.float64)
        for i in range(1, 16):
            t = i / 15
            angle = np.deg2rad(heading_deg + 34 * t * t)  # the tip hangs down
            ahead = np.array([np.cos(angle), -np.sin(angle)])
            at = at + ahead * length / 15
            for sign in (-1, 1):
                turn = angle + sign * np.deg2rad(rng.uniform(40, 58) * (1 - 0.4 * t))
                long, wide = 230 * np.sin(np.pi * (0.12 + 0.84 * t)) ** 0.7 * rng.uniform(0.85, 1.1), 11
                s = np.linspace(0, 1, 8)
                half = wide * np.sin(np.pi * (0.1 + 0.9 * s)) ** 0.7
                along = np.concatenate([s, s[::-1]]) * long
                across = np.concatenate([half, -half[::-1]])
                c, d = np.cos(turn), -np.sin(turn)
                shapes.append(at + np.stack([along * c - across * d, along * d + across * c], 1))
    return shapes


def wall(scale: float) -> NDArray[np.uint8]:
    """A warm plaster wall in the evening: the sun draws a window's panes and a palm on it, both far out of focus."""
    canvas, rng = Canvas(scale), np.random.default_rng(23)
    x, y = canvas.x, canvas.y

    def pane(left: float, right: float, top: float, bottom: float) -> NDArray[np.float64]:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
        return np.stack([corners[:, 0] + 0.20 * corners[:, 1], corners[:, 1] + 0.24 * (corners[:, 0] - 900)], 1)

    panes = [pane(a, b, c, d) for a, b in ((330, 690), (730, 1090), (1130, 1490)) for c, d in ((-260, 190), (225, 690))]
    sun = canvas.disc_blur(canvas.polygons(panes), 30)
    branch = canvas.polygons(leaves(rng))
    near, far = canvas.disc_blur(branch, 11), canvas.disc_blur(np.roll(branch, round(-40 * scale), 1), 48)
    sun = sun * (1 - 0.9 * near) * (1 - 0.35 * far)
    relief = canvas.noise(rng, (150, 120), 5, 0.55)
    slope = np.gradient(canvas.soft(relief, 3))[1] * 1.5 * scale
    plaster = 1 + 0.022 * canvas.noise(rng, (700, 500), 3) + 0.010 * canvas.noise(rng, (60, 60), 3, 0.7)
    room = 0.50 + 0.14 * np.exp(-(((x - 1000) / 1000) ** 2 + ((y - 300) / 700) ** 2)) - 0.05 * y / HEIGHT
    light = room[..., None] * rgb("#f0e7e0") + (sun * 0.52)[..., None] * rgb("#ffd6a0")
    light = light + canvas.soft(sun, 200)[..., None] * rgb("#ffd9b0") * 0.10
    albedo: Array = rgb("#ead9c6") * plaster[..., None]
    picture = light * albedo * (1 + np.clip(slope, -0.03, 0.03) * (0.3 + sun))[..., None]
    picture = canvas.disc_blur(picture, 2.5)
    return develop(canvas, mix(picture, picture * 0.92, smooth(y, 500, 1080)), rng, bloom=0.04, vignette=0.22)
