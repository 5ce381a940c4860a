"""Draw the demo's background: writes realtime/assets/backgrounds/beach.jpg (1920 x 1080). No photograph is used.

    python docs/make_beach.py [OUTPUT.jpg]

Sky, clouds, sea and sand are noise laid out in perspective; the palm is drawn leaf by leaf. All of it is a little out
of focus, as a background behind a person is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (H, W, 3) float32 BGR or (H, W) float32, in [0, 1]

OUTPUT = Path(__file__).resolve().parent.parent / "realtime" / "assets" / "backgrounds" / "beach.jpg"
WIDTH, HEIGHT = 1920, 1080
HORIZON = 520
SHORE = 742
SUN_XY = (420, 150)


def bgr(red: int, green: int, blue: int) -> Picture:
    return np.array([blue, green, red], np.float32) / 255


def tile(rng: np.random.Generator, cells: int, octaves: int, fall: float = 0.5) -> Picture:
    """Fractal noise (1024, 1024) in [0, 1] that repeats without a seam; `cells` blobs across at the coarsest."""
    out = np.zeros((1024, 1024), np.float32)
    for octave in range(octaves):
        n = cells * 2**octave
        coarse = np.pad(rng.random((n, n), np.float32), 4, mode="wrap")
        scale = 1024 / n
        fine = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        start = round(4 * scale)
        out += fine[start : start + 1024, start : start + 1024] * fall**octave
    low, high = np.percentile(out, (0.5, 99.5))
    return np.clip((out - low) / (high - low), 0, 1)


def in_perspective(noise: Picture, *, near: float, across: float, along: float) -> Picture:
    """Lay a tile on the plane that meets the horizon. near: rows from the horizon at which one pixel is one texel."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    depth = near / (np.abs(y - HORIZON) + 6)
    u = (x - WIDTH / 2) * depth * across % 1024
    v = depth * along % 1024
    return cv2.remap(noise, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def ramp(values: Picture, stops: list[tuple[float, Picture]]) -> Picture:
    """Colours (H, W, 3) along `values` (H, W), linear between the stops."""
    at = [s for s, _ in stops]
    return np.stack([np.interp(values, at, [c[i] for _, c in stops]) for i in range(3)], -1).astype(np.float32)


def smooth(values: Picture, low: float, high: float) -> Picture:
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def over(below: Picture, above: Picture, alpha: Picture) -> Picture:
    return below + (above - below) * alpha[..., None]


def draw_sky(rng: np.random.Generator) -> Picture:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    sky = ramp(
        y / HORIZON,
        [(0, bgr(62, 132, 200)), (0.55, bgr(128, 184, 226)), (0.9, bgr(214, 228, 232)), (1, bgr(240, 232, 220))],
    )
    far = np.hypot(x - SUN_XY[0], y - SUN_XY[1])
    noise = in_perspective(tile(rng, 4, 7, 0.55), near=300, across=0.55, along=700)
    lit = in_perspective(tile(rng, 3, 4), near=300, across=0.55, along=700)
    cover = smooth(noise + 0.25 * (lit - 0.5), 0.5, 0.95) * smooth(HORIZON - y, 10, 120)
    shade = smooth(noise, 0.62, 1.05)
    clouds = over(
        np.broadcast_to(bgr(255, 250, 242), sky.shape), np.broadcast_to(bgr(206, 214, 226), sky.shape), 0.7 * shade
    )
    sky = over(sky, clouds, 0.92 * cover)
    glow = bgr(255, 244, 220) * (0.55 * np.exp(-far / 130) + 0.28 * np.exp(-far / 480))[..., None]
    return 1 - (1 - np.clip(sky, 0, 1)) * (1 - glow)  # "screen": brighter, never clipped


def draw_sea(rng: np.random.Generator) -> Picture:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    t = (y - HORIZON) / (SHORE - HORIZON)
    sea = ramp(
        t, [(0, bgr(52, 118, 158)), (0.35, bgr(38, 138, 170)), (0.75, bgr(86, 186, 190)), (1, bgr(168, 218, 204))]
    )
    swell = in_perspective(tile(rng, 8, 6, 0.6), near=220, across=0.5, along=900)
    sea *= (0.82 + 0.36 * swell)[..., None]
    glints = in_perspective(tile(rng, 48, 4, 0.8), near=260, across=0.4, along=1500)
    path = np.exp(-(((x - SUN_XY[0] - 60) / (150 + 420 * np.clip(t, 0, 1))) ** 2))
    sea = over(sea, np.broadcast_to(bgr(255, 250, 232), sea.shape), smooth(glints, 0.62, 0.8) * (0.12 + 0.75 * path))
    haze = np.exp(-np.clip(y - HORIZON, 0, None) / 16)
    return over(sea, np.broadcast_to(bgr(206, 222, 226), sea.shape), 0.6 * haze)


def draw_sand(rng: np.random.Generator) -> Picture:
    y = np.mgrid[0:HEIGHT, 0:WIDTH][0].astype(np.float32)
    t = (y - SHORE) / (HEIGHT - SHORE)
    sand = ramp(t, [(0, bgr(226, 200, 160)), (0.4, bgr(238, 214, 174)), (1, bgr(222, 190, 144))])
    dunes = in_perspective(tile(rng, 6, 5, 0.55), near=420, across=0.9, along=1100)
    relief = np.gradient(cv2.GaussianBlur(dunes, (0, 0), 3))[0] * 9  # lit from the front: slopes, not blotches
    grain = rng.normal(0, 0.03, (HEIGHT, WIDTH)).astype(np.float32)
    return sand * (1 + np.clip(relief, -0.1, 0.1) + grain + 0.08 * (dunes - 0.5))[..., None]


def shoreline(rng: np.random.Generator) -> Picture:
    """Rows (1, W) at which the water ends: a slow wave."""
    x = np.arange(WIDTH, dtype=np.float32)
    line = SHORE + 16 * np.sin(x / 310 + 0.6) + 8 * np.sin(x / 127 + 2) + 5 * np.sin(x / 61)
    ragged = cv2.GaussianBlur(rng.normal(0, 1, (1, WIDTH)).astype(np.float32), (0, 0), 7) * 7
    return line[None] + ragged - 0.018 * (x[None] - WIDTH / 2)


def join_shore(sea: Picture, sand: Picture, rng: np.random.Generator) -> Picture:
    """Wet sand, thin water and foam where the two meet."""
    y = np.mgrid[0:HEIGHT, 0:WIDTH][0].astype(np.float32)
    below = y - shoreline(rng)
    lace = in_perspective(tile(rng, 40, 4, 0.7), near=260, across=0.7, along=900)
    wet = sand * bgr(188, 184, 184) * 0.95 + 0.10 * bgr(190, 215, 235)
    ground = over(wet, sand, smooth(below, 26, 96))
    ground = over(ground, ground * 0.72, np.exp(-(((below - 7) / 6) ** 2)))  # the foam's shadow
    picture = over(sea, ground, smooth(below, -2, 3))
    white = np.broadcast_to(bgr(252, 252, 248), picture.shape)
    edge = np.exp(-(((below + 3) / 7) ** 2))
    picture = over(picture, white, np.clip(edge * (0.65 + 0.5 * lace), 0, 1))
    for distance, width, strength in ((34, 11, 0.85), (78, 8, 0.7), (118, 5, 0.55), (150, 3, 0.4)):
        bend = 10 * np.sin(np.arange(WIDTH, dtype=np.float32) / (230 - distance) + distance)[None]
        off = below + distance + bend
        foam = np.exp(-(np.clip(off / width, 0, None) ** 2)) * np.exp(-np.clip(-off / (2.4 * width), 0, None))
        picture = over(picture, white, np.clip(strength * foam * smooth(lace, 0.25, 0.7) * 1.2, 0, 1))
    return picture


def draw_palm(rng: np.random.Generator) -> tuple[Picture, Picture]:
    """A palm leaning in from the right: colours (H, W, 3) and alpha (H, W)."""
    scale = 2  # drawn twice as large for smooth edges
    colour = np.zeros((HEIGHT * scale, WIDTH * scale, 3), np.float32)
    colour[:] = bgr(60, 98, 44)
    alpha = np.zeros(colour.shape[:2], np.float32)

    def fill(points: NDArray[np.float64], shade: Picture) -> None:
        ints = np.rint(points * scale).astype(np.int32)
        cv2.fillPoly(colour, [ints], shade.tolist(), cv2.LINE_AA)
        cv2.fillPoly(alpha, [ints], 1.0, cv2.LINE_AA)

    foot, bend, crown = np.array([1895.0, 1110.0]), np.array([1800.0, 560.0]), np.array([1585.0, 232.0])

    def curve(t: float, a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t * t * c

    rings = 64
    for i in range(rings):
        lower, upper = curve(i / rings, foot, bend, crown), curve((i + 1) / rings, foot, bend, crown)
        side = np.array([-(upper - lower)[1], (upper - lower)[0]]) / np.hypot(*(upper - lower))
        half = 26 - 15 * i / rings + (2 if i % 2 else 0) + 14 * np.exp(-i / 5)
        for part in range(6):  # light from the left, in strips
            a, b = -1 + part / 3, -1 + (part + 1) / 3
            light = 0.62 + 0.42 * np.cos((a + 0.75) * 1.4) + rng.normal(0, 0.03) - (0.12 if i % 2 else 0)
            strip = [lower + side * half * a, lower + side * half * b, upper + side * half * b, upper + side * half * a]
            fill(np.array(strip), np.clip(bgr(146, 118, 88) * light, 0, 1))

    fronds = [
        (-178, 430),
        (-160, 470),
        (-140, 400),
        (-112, 330),
        (-84, 330),
        (-58, 380),
        (-36, 400),
        (-12, 400),
        (8, 360),
    ]
    fronds += [(170, 390), (196, 350), (-150, 330), (24, 300), (150, 320)]
    for number, (angle_deg, length) in enumerate(fronds):
        angle = np.deg2rad(angle_deg)
        out = np.array([np.cos(angle), np.sin(angle)])
        middle = crown + out * length * 0.55 + np.array([0, -70.0])
        tip = crown + out * length + np.array([0, 150.0 - 60 * np.sin(angle)])
        light = 0.72 + 0.4 * (number % 3) / 2
        leaves = 62
        for i in range(2, leaves):
            t = i / leaves
            here, ahead = curve(t, crown, middle, tip), curve(min(t + 0.03, 1.03), crown, middle, tip)
            along = (ahead - here) / np.hypot(*(ahead - here))
            side = np.array([-along[1], along[0]])
            reach = 105 * np.sin(np.pi * min(0.16 + 0.84 * t, 0.97)) ** 0.6
            for sign in (-1, 1):
                to = here + reach * (0.72 * along + 0.62 * sign * side) + np.array([0, 34.0]) + rng.normal(0, 4, 2)
                mid = (here + to) / 2 + np.array([0, -7.0])
                wide = 3.4 * np.array([-(to - here)[1], (to - here)[0]]) / max(np.hypot(*(to - here)), 1)
                shade = light * (1.12 if sign * side[1] < 0 else 0.78) + rng.normal(0, 0.06)
                fill(np.array([here, mid + wide, to, mid - wide]), np.clip(bgr(92, 128, 58) * shade, 0, 1))
            fill(np.array([here - 2 * side, ahead - 2 * side, ahead + 2 * side, here + 2 * side]), bgr(132, 146, 82))
    for x, y, radius in ((-13, 12, 15), (12, 16, 16), (0, -2, 17), (-2, 26, 14), (-26, -2, 13), (22, -4, 14)):
        around = np.linspace(0, 2 * np.pi, 24)
        nut = np.stack([np.cos(around), 1.12 * np.sin(around)], 1)
        fill(crown + (x, y) + nut * radius, bgr(86, 72, 44))
        fill(crown + (x - radius * 0.25, y - radius * 0.3) + nut * radius * 0.55, bgr(118, 100, 62))
    size = (WIDTH, HEIGHT)
    return cv2.resize(colour, size, interpolation=cv2.INTER_AREA), cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)


def soften(picture: Picture, sigma: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def main(output: Path) -> None:
    rng = np.random.default_rng(8)
    y = np.mgrid[0:HEIGHT, 0:WIDTH][0].astype(np.float32)
    land = join_shore(draw_sea(rng), draw_sand(rng), rng)
    picture = soften(over(draw_sky(rng), land, smooth(y - HORIZON, -0.5, 1.5)), 2.6)
    near = smooth(y, 820, 1080)  # the sand at our feet is further out of focus
    picture = over(picture, soften(picture, 6), near)
    colour, alpha = draw_palm(rng)
    shadow = cv2.warpAffine(alpha, np.array([[1, 0, 30], [0, 0.10, 945.0]]), (WIDTH, HEIGHT))
    picture = over(picture, picture * bgr(150, 150, 168), 0.7 * soften(shadow, 7) * smooth(y, 850, 900))
    picture = over(picture, soften(colour, 2), soften(alpha, 2))
    output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(output), np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(f"{output}: {output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
