"""A city after dark: `night`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backgrounds.canvas import HEIGHT, WIDTH, Array, Canvas, develop, mix, ramp, rgb, smooth

LAMPS = ("#ffb45e", "#ffb45e", "#ffc987", "#ffe0b8", "#fff1dd", "#cfe0ff", "#ff6a4a")


def spot(canvas: Canvas, light: Array, at_xy: tuple[float, float], size: float, colour: Array) -> None:
    """Add a small square of light."""
    x0, x1 = (round((at_xy[0] + s * size) * canvas.scale) for s in (-1, 1))
    y0, y1 = (round((at_xy[1] + s * size) * canvas.scale) for s in (-1, 1))
    area = max(x1 - x0, 1) * max(y1 - y0, 1) / (2 * size * canvas.scale) ** 2
    light[max(y0, 0) : max(y1, y0 + 1, 0), max(x0, 0) : max(x1, x0 + 1, 0)] += colour / area


def towers(
    canvas: Canvas, rng: np.random.Generator, *, count: int, top: tuple[float, float], light: float
) -> tuple[Array, Array]:
    """A row of buildings: its mask (H, W), and its windows' light (H, W, 3)."""
    mask, glow = np.zeros_like(canvas.x), canvas.flat((0, 0, 0))
    for at in np.linspace(-60, WIDTH + 60, count) + rng.normal(0, 70, count):
        wide, roof = rng.uniform(60, 150), rng.uniform(*top)
        corners = np.array([[at - wide, roof], [at + wide, roof], [at + wide, HEIGHT], [at - wide, HEIGHT]])
        mask = np.maximum(mask, canvas.polygons([corners]))
        lit, warm = rng.uniform(0.05, 0.28), rng.random() < 0.7
        for row in np.arange(roof + 14, 800, 19):
            for column in np.arange(at - wide + 12, at + wide - 8, 22):
                if rng.random() < lit:
                    colour = rgb("#ffd29a") if warm == (rng.random() < 0.85) else rgb("#d9e6ff")
                    spot(canvas, glow, (column, row), 4.5, colour * light * float(rng.lognormal(0, 0.6)))
    return mask, glow


def night(scale: float) -> NDArray[np.uint8]:
    """A city's lights at night, far out of focus, from a high window whose sill and frame are nearly black."""
    canvas, rng = Canvas(scale), np.random.default_rng(51)
    x, y = canvas.x, canvas.y
    picture = ramp(y / 760, [(0, rgb("#0b1226")), (0.5, rgb("#1a2240")), (0.85, rgb("#3a3348")), (1, rgb("#5a4548"))])
    picture = (
        picture
        + (np.exp(-(((y - 700) / 190) ** 2)) * (0.7 + 0.3 * np.sin(x / 400 + 1)))[..., None] * rgb("#7a5038") * 0.35
    )
    for count, top, tone, power, blur in (
        (26, (470, 620), "#1f2236", 1.3, 15),
        (15, (360, 600), "#151828", 2.6, 20),
        (7, (250, 640), "#0d101b", 4.5, 27),
    ):
        mask, glow = towers(canvas, rng, count=count, top=top, light=power)
        body = canvas.flat(rgb(tone)) + smooth(y, 500, 820)[..., None] * rgb("#8a5a3a") * 0.05
        picture = mix(picture, body, mask) + glow * mask[..., None]
        picture = canvas.disc_blur(picture, blur * 0.62)
    # Streets: lamps in rows that run away, and cars between them.
    lights = canvas.flat((0, 0, 0))
    for start, end in (
        ((-100, 1010), (900, 735)),
        ((2050, 985), (1060, 735)),
        ((300, 900), (1700, 800)),
        ((0, 770), (1920, 755)),
    ):
        for _ in range(34):
            t = rng.beta(1.6, 1.0)
            at = np.array(start) * (1 - t) + np.array(end) * t + rng.normal(0, 9, 2)
            colour = rgb(LAMPS[rng.integers(len(LAMPS))]) * float(rng.lognormal(2.0, 0.8))
            spot(canvas, lights, (float(at[0]), float(at[1])), 3.6, np.minimum(colour, 40))
    picture = (
        mix(picture, rgb("#15131c"), smooth(y, 720, 900) * 0.9)
        + canvas.disc_blur(lights, 30) * smooth(1010 - y, 0, 160)[..., None]
    )
    # The room's own faint reflection, and the window: its frame is nearer, and so further out of focus.
    reflection = np.exp(-(((x - 400) / 360) ** 2 + ((y - 260) / 300) ** 2))
    picture = picture + reflection[..., None] * rgb("#ffcf9a") * 0.012
    frame = canvas.polygons(
        [
            np.array([[1452.0, -60], [1490, -60], [1490, 1100], [1452, 1100]]),
            np.array([[-60.0, 1000], [1980, 1000], [1980, 1140], [-60, 1140]]),
        ]
    )
    picture = mix(picture, rgb("#0d0c0e"), canvas.disc_blur(frame, 22))
    return develop(canvas, picture, rng, exposure=1.35, bloom=0.14, vignette=0.3, grain=1.0, shoulder=0.55)
