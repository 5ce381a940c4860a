"""What all scenes share: coordinates, noise, lens blur in linear light, and the last steps to an 8-bit picture.

Scenes are laid out in pixels of the full size, 1920 x 1080, whatever the size they are drawn at. A picture is
(H, W, 3) float32 RGB in linear light, 0 or more; a mask is (H, W) float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WIDTH, HEIGHT = 1920, 1080


class Canvas:
    """Coordinates of a picture that is drawn at `scale` times the full size."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.size_wh = (round(WIDTH * scale), round(HEIGHT * scale))
        y, x = np.mgrid[0 : self.size_wh[1], 0 : self.size_wh[0]].astype(np.float32)
        self.x, self.y = (x + 0.5) / scale, (y + 0.5) / scale  # in pixels of the full size

    def flat(self, colour: Sequence[float] | Array) -> Array:
        """One colour everywhere."""
        return np.broadcast_to(np.asarray(colour, np.float32), (*self.x.shape, 3)).copy()

    def noise(
        self, rng: np.random.Generator, cell_wh: tuple[float, float], octaves: int = 4, fall: float = 0.5
    ) -> Array:
        """Fractal noise (H, W) with mean 0 and standard deviation 1; `cell_wh` is the coarsest blobs' size.

        The same generator gives the same noise at every scale, up to the pixels' size.
        """
        out = np.zeros(self.x.shape, np.float32)
        for octave in range(octaves):
            w, h = cell_wh[0] / 2**octave, cell_wh[1] / 2**octave
            grid = rng.normal(0, 1, (int(HEIGHT / h) + 5, int(WIDTH / w) + 5)).astype(np.float32)
            fine = cv2.remap(grid, self.x / w + 1, self.y / h + 1, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            out += fine * fall**octave
        return (out - out.mean()) / max(float(out.std()), 1e-6)

    def polygons(self, shapes: Sequence[NDArray[np.float64]]) -> Array:
        """The mask (H, W) of filled polygons, each (N, 2) in pixels of the full size, with smooth edges."""
        mask = np.zeros(self.x.shape, np.uint8)
        for points in shapes:
            fixed = np.rint((points * self.scale - 0.5) * 256).astype(np.int32)
            cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 8)
        return mask.astype(np.float32) / 255

    def fill(self, picture: Array, points: NDArray[np.float64], colour: Sequence[float]) -> None:
        """Fill a polygon in `picture`."""
        fixed = np.rint((points * self.scale - 0.5) * 256).astype(np.int32)
        cv2.fillPoly(picture, [fixed], [float(c) for c in colour], cv2.LINE_8, 8)

    def disc_blur(self, picture: Array, radius: float) -> Array:
        """Out of focus: a disc of `radius` pixels of the full size. Run it on linear light, or highlights go grey."""
        r = radius * self.scale
        if r < 0.6:
            return picture
        half = int(np.ceil(r + 1))
        y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
        distance = np.hypot(x, y)
        kernel = np.clip(r + 0.5 - distance, 0, 1) * (0.85 + 0.15 * (distance / r) ** 4)  # lenses brighten the rim
        kernel /= kernel.sum()
        return cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)

    def soft(self, picture: Array, sigma: float) -> Array:
        """A Gaussian blur, for shadows and light."""
        return cv2.GaussianBlur(picture, (0, 0), max(sigma * self.scale, 0.1), borderType=cv2.BORDER_REPLICATE)


def rgb(text: str) -> Array:
    """A colour of the screen, "#rrggbb", in linear light."""
    value = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def mix(below: Array, above: Array | Sequence[float], mask: Array) -> Array:
    above = np.asarray(above, np.float32)
    return below + (above - below) * mask[..., None]


def ramp(values: Array, stops: Sequence[tuple[float, Array]]) -> Array:
    """Colours (H, W, 3) along `values` (H, W), linear between the stops."""
    at = [s for s, _ in stops]
    return np.stack([np.interp(values, at, [c[i] for _, c in stops]) for i in range(3)], -1).astype(np.float32)


def smooth(values: Array, low: float, high: float) -> Array:
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def develop(
    canvas: Canvas,
    picture: Array,
    rng: np.random.Generator,
    *,
    exposure: float = 1.0,
    bloom: float = 0.05,
    vignette: float = 0.25,
    grain: float = 0.9,
    shoulder: float = 0.75,
) -> NDArray[np.uint8]:
    """Light -> the screen's RGB (H, W, 3) uint8: bloom, vignette, a soft shoulder for highlights, and fine grain.

    shoulder: below it, linear light stays as it is. grain: in 8-bit levels; without any, soft slopes show bands.
    """
    light = picture * exposure
    if bloom:
        light = light * (1 - bloom) + bloom * 0.5 * (canvas.soft(light, 30) + canvas.soft(light, 110))
    across, down = (canvas.x - WIDTH / 2) / WIDTH, (canvas.y - HEIGHT / 2) / WIDTH
    light = light * (1 - vignette * smooth(np.hypot(across, down), 0.18, 0.62))[..., None]
    light = np.where(
        light > shoulder,
        shoulder + (1 - shoulder) * (1 - np.exp(-(light - shoulder) / (1 - shoulder))),
        light,
    )
    light = np.clip(light, 0, 1)
    screen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    noise = rng.normal(0, grain, screen.shape[:2]).astype(np.float32)
    noise = 0.6 * noise + 0.8 * cv2.GaussianBlur(noise, (0, 0), 0.8) * 2
    return np.clip(np.rint(screen + noise[..., None]), 0, 255).astype(np.uint8)
