"""Out of doors: `forest` and `mountains`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backgrounds.canvas import HEIGHT, WIDTH, Array, Canvas, develop, mix, ramp, rgb, smooth


def sparks(canvas: Canvas, rng: np.random.Generator, *, chance: Array, count: int, sizes: tuple[float, float]) -> Array:
    """Gaps between leaves (H, W): small spots where `chance` (H, W) allows them, of very different light."""
    out = np.zeros_like(chance)
    at = np.stack([rng.uniform(0, WIDTH, count), rng.uniform(0, HEIGHT, count)], 1)
    lot, size, light = rng.random(count), rng.uniform(*sizes, count), rng.lognormal(0, 0.8, count)
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for (px, py), draw, radius, power in zip(at, lot, size, light, strict=True):
        row, column = (min(int(v * canvas.scale), n - 1) for v, n in ((py, chance.shape[0]), (px, chance.shape[1])))
        if draw < chance[row, column]:
            spot = np.array([px, py]) + radius * np.stack([np.cos(turn), np.sin(turn)], 1)
            canvas.fill(out, spot, [float(np.clip(power, 0.2, 4))])
    return out


def forest(scale: float) -> NDArray[np.uint8]:
    """A wood in summer: leaves with the sun behind them, trunks and undergrowth, all far out of focus."""
    canvas, rng = Canvas(scale), np.random.default_rng(41)
    x, y = canvas.x, canvas.y
    sun = np.exp(-(((x - 1240) / 560) ** 2 + ((y - 230) / 340) ** 2))
    wide_sun = np.exp(-(((x - 1150) / 1000) ** 2 + ((y - 330) / 430) ** 2))
    # The far wood: light that comes through leaves.
    thick = canvas.noise(rng, (300, 280), 6, 0.66)
    bright = smooth(thick + 2.0 * wide_sun + 0.8 * sun - 0.9 - 2.2 * smooth(y, 520, 900), -2.2, 3.4)
    far = ramp(
        bright,
        [
            (0, rgb("#1b2a14")),
            (0.35, rgb("#44612a")),
            (0.65, rgb("#86a548")),
            (0.88, rgb("#cfd98c")),
            (1, rgb("#f2f1c8")),
        ],
    )
    chance = np.clip(0.05 + 0.55 * wide_sun + 0.5 * sun, 0, 1) * smooth(690 - y, 0, 330) * smooth(thick, -1.2, 0.8)
    gaps = sparks(canvas, rng, chance=chance, count=900, sizes=(3, 9))
    picture = canvas.disc_blur(canvas.disc_blur(far, 16) + gaps[..., None] * rgb("#fff4cc") * 4.5, 27)
    # Undergrowth and the ground, without a line between them.
    depth = np.clip((y - 640) / (HEIGHT - 640), 0, 1)
    spots = canvas.noise(rng, (420, 110), 6, 0.66)
    grass = (
        ramp(depth, [(0, rgb("#5d7a35")), (0.35, rgb("#4c6a2d")), (1, rgb("#243818"))])
        * np.exp(0.38 * spots)[..., None]
    )
    dapple = smooth(
        canvas.noise(rng, (300, 46), 4, 0.7) + 1.1 * np.exp(-(((x - 1180) / 600) ** 2)) - 1.2 * depth, 0.9, 2.6
    )
    grass = grass + dapple[..., None] * rgb("#e3dc8c") * 0.55
    edge = smooth(y - 700 - 34 * canvas.noise(rng, (190, 400), 4, 0.6), -70, 90)
    picture = mix(picture, canvas.disc_blur(grass, 26), canvas.soft(edge, 18))
    # Trunks, from far to near: half width, foot, blur, haze, and where they stand.
    rows = (
        (9, 735, 20, 0.68, rng.uniform(-20, WIDTH + 20, 16)),
        (17, 775, 23, 0.42, np.array([70, 330, 505, 660, 1420, 1560, 1840.0])),
        (44, 900, 36, 0.12, np.array([205.0, 1715.0])),
    )
    for wide, foot, blur, haze, spread in rows:
        mask, shade = np.zeros_like(x), np.zeros_like(x)
        for at in spread:
            half = wide * rng.uniform(0.7, 1.25)
            middle = at + rng.normal(0, 0.025) * (y - 500) + 0.2 * half * np.sin(y / 170 + at)
            base = foot + rng.uniform(-15, 25)
            across = (x - middle) / (half * (1 + 0.7 * np.exp(-np.maximum(base - y, 0) / 50)))
            trunk = smooth(1 - np.abs(across), 0, 0.25) * smooth(base - y, -20, 20)
            lit = np.clip(0.30 + 0.6 * across * (1 if at < 1240 else -1), 0.04, 1) ** 1.5
            shade = np.where(trunk > mask, lit, shade)
            mask = np.maximum(mask, trunk)
        bark = mix(canvas.flat(rgb("#1f1a13") * 0.8), rgb("#a88f5e") * 0.7, shade)
        bark = mix(bark * np.exp(0.2 * canvas.noise(rng, (30, 130), 3))[..., None], picture, np.full_like(x, haze))
        alpha = canvas.disc_blur(mask, blur)
        colour = canvas.disc_blur(bark * mask[..., None], blur) / np.maximum(alpha, 1e-3)[..., None]
        picture = mix(picture, colour, alpha)
    # Leaves near the camera, at the top and the sides only.
    clump = (
        canvas.noise(rng, (260, 210), 5, 0.72) + 2.2 * smooth(300 - y, 0, 380) + 1.5 * smooth(np.abs(x - 960), 560, 960)
    )
    mask = smooth(clump - 2.2 * smooth(y, 260, 640), 1.9, 2.3)
    tone = smooth(canvas.noise(rng, (90, 80), 4, 0.75) + 1.4 * wide_sun, -1.2, 3)
    leaves = ramp(tone, [(0, rgb("#16260e")), (0.5, rgb("#3f5f24")), (1, rgb("#a9c45c") * 1.1)])
    leaves = (
        leaves
        + sparks(canvas, rng, chance=0.5 * mask * wide_sun, count=260, sizes=(3, 7))[..., None] * rgb("#e9f0a8") * 1.6
    )
    alpha = canvas.disc_blur(mask, 44)
    colour = canvas.disc_blur(leaves * mask[..., None], 44) / np.maximum(alpha, 1e-3)[..., None]
    picture = mix(picture, colour, alpha * 0.92)
    picture = picture + (sun**2)[..., None] * rgb("#fff0b8") * 0.14
    return develop(canvas, picture, rng, exposure=1.0, bloom=0.16, vignette=0.3, shoulder=0.6)


def ridge(rng: np.random.Generator, *, top: float, high: float, rough: float, at: Array) -> Array:
    """The skyline (W,) in rows: sums of triangle-like waves, finer and flatter."""
    line = np.zeros_like(at)
    for octave in range(8):
        step = 900 / 2**octave
        knots = rng.normal(0, 1, int(WIDTH / step) + 4)
        wave = np.interp(at / step, np.arange(len(knots)) - 1, knots)
        line += wave * rough**octave
    return (top - high * line / 2.2).astype(np.float32)


def mountains(scale: float) -> NDArray[np.uint8]:
    """Ridges behind ridges at dawn, with mist between them, over a still lake."""
    canvas, rng = Canvas(scale), np.random.default_rng(47)
    x, y = canvas.x, canvas.y
    shore = 742.0
    sky = ramp(
        y / shore,
        [
            (0, rgb("#6d8fbb")),
            (0.3, rgb("#a9bdd3")),
            (0.55, rgb("#ecd6c4")),
            (0.72, rgb("#fbd9ac")),
            (1, rgb("#f7cf9d")),
        ],
    )
    glow = np.exp(-(((x - 620) / 520) ** 2 + ((y - 470) / 230) ** 2))
    sky = sky + glow[..., None] * rgb("#ffd9a0") * 0.45
    cloud = smooth(canvas.noise(rng, (900, 90), 6, 0.55), 0.3, 2.2) * smooth(430 - y, 0, 260)
    picture = mix(sky, sky * 0.75 + rgb("#ffdcc0") * 0.3, cloud * 0.75)
    columns = x[0]
    far, near = rgb("#c6bfc6"), rgb("#22353d")
    layers = ((452, 150, 0.50), (540, 130, 0.52), (598, 110, 0.55), (652, 78, 0.56), (706, 42, 0.62))
    for number, (top, high, rough) in enumerate(layers):
        t = number / (len(layers) - 1)
        line = ridge(rng, top=top, high=high, rough=rough, at=columns)[None]
        below = y - line
        body = far + (near - far) * t**1.15
        face = canvas.noise(rng, (160, 220), 5, 0.6)
        tint = body * (1 + 0.05 * (0.4 + t) * face)[..., None] + glow[..., None] * rgb("#ffcf98") * 0.30 * (1 - t)
        mist = smooth(below, 0, 170 - 40 * t) * (0.75 - 0.35 * t)
        veil = far * 0.55 + rgb("#f6d6b4") * 0.45
        tint = mix(tint, veil, np.clip(mist * (1 + 0.25 * canvas.noise(rng, (700, 60), 3)), 0, 1))
        picture = mix(picture, tint, smooth(below, -1.5, 1.5))
    # The lake mirrors what is above the shore, darker and drawn out by small waves.
    wave = canvas.soft(canvas.noise(rng, (520, 18), 3, 0.5), 4) * np.clip((y - shore) / 60, 0.1, 3)
    source_y = (2 * shore - y) * 1.0 + 3.5 * wave - 0.10 * (y - shore)
    mirror = cv2.remap(
        picture,
        x * scale - 0.5,
        np.clip(source_y, 0, shore - 2) * scale - 0.5,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    mirror = canvas.soft(mirror, 5)
    fresnel = 0.80 - 0.34 * np.clip((y - shore) / (HEIGHT - shore), 0, 1)
    lake = mirror * fresnel[..., None] + rgb("#31505c") * (1 - fresnel)[..., None] * 0.8
    fog = np.exp(-(((y - shore) / 26) ** 2)) * (0.55 + 0.12 * canvas.noise(rng, (600, 200), 3))
    picture = mix(picture, lake, smooth(y - shore, -1.5, 2.5))
    picture = mix(picture, rgb("#f3d8bd") * 0.9, np.clip(fog, 0, 0.8))
    return develop(canvas, canvas.disc_blur(picture, 4.5), rng, exposure=0.92, bloom=0.08, vignette=0.2)
