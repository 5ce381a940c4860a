"""The light of a frame against that of the learnt room: a gain and an offset per channel, and what is left locally.

On a grid of CELL x CELL pixels of the network's picture, where the network sees background:

1. gain = the median of (frame + DARK) / (plate + DARK) over the cells, per channel.
2. A cell fits if it is within max(NEAR, NEAR_SHARE * its brightest channel) of that gain's value in each channel. The
   others were moved, or are a person whom the network misses.
3. gain and offset by least squares over the cells that fit; STIFF pulls the gain to the median where the cells are of
   one brightness.
4. local = the mean of what is left over the cells that fit, in WINDOW x WINDOW cells: the shade that a person casts. It
   fades to 0 where none of the cells around fits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native
from bgcam.realtime.picture.native import room as native_room
from bgcam.realtime.picture.native.structures import LightRules

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

CELL = 16
# Added to both sides of a gain, because the ratio of two dark values means little.
DARK = np.float32(10)
NEAR, NEAR_SHARE = np.float32(12), np.float32(0.12)
STIFF = np.float32(100)
WINDOW, FADES, MOST = 3, 0.15, 15.0
# Fewer cells than this say nothing.
LEAST_CELLS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """frame = gain * plate + offset + local, in grey levels.

    gain, offset: (3,) float32, of blue, green and red. local: (rows, columns, 3) float32. fitting: the share of the
    cells that were asked and fit.
    """

    gain: Float
    offset: Float
    local: Float = field(repr=False)
    fitting: float


def grid_means(values: NDArray[np.uint8] | Float) -> Float:
    """Means over the cells: (h, w[, n]) to (rows, columns[, n]) float32. The last cells may reach over the edge."""
    height, width = values.shape[:2]
    size_wh = max(1, width // CELL), max(1, height // CELL)
    return np.asarray(cv2.resize(values, size_wh, interpolation=cv2.INTER_AREA), np.float32)


def fit_light(frame: Float, plate: Float, asked: NDArray[np.bool_]) -> Light | None:
    """The light of a frame's cells (rows, columns, 3) against the plate's; asked: (rows, columns), where to look.

    Returns None if too few cells fit.
    """
    if native.LIBRARY is not None:
        rules = LightRules(DARK, NEAR, NEAR_SHARE, STIFF, FADES, MOST, LEAST_CELLS)
        found = native_room.fit_light(frame, plate, asked, rules=rules)
        return None if found is None else Light(*found)
    cells, known = frame[asked], plate[asked]
    if len(cells) < LEAST_CELLS:
        return None
    median = np.asarray(np.median((cells + DARK) / (known + DARK), axis=0), np.float32)
    off = np.abs(cells + DARK - median * (known + DARK)).max(axis=1)
    fits = off < np.maximum(NEAR, NEAR_SHARE * cells.max(axis=1))
    if np.count_nonzero(fits) < LEAST_CELLS:
        return None
    x, y = known[fits], cells[fits]
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x = x - mean_x
    gain = ((x * y).mean(axis=0) + STIFF * median) / ((x * x).mean(axis=0) + STIFF)
    offset = mean_y - gain * mean_x
    inside = np.zeros(asked.shape, np.float32)
    inside[asked] = fits
    left = np.clip(frame - (plate * gain + offset), -MOST, MOST) * inside[..., None]
    weight = _around(inside)[..., None] + np.float32(FADES)
    local = _around(np.asarray(left, np.float32)) / weight
    return Light(gain.astype(np.float32), offset.astype(np.float32), local, float(fits.mean()))


def relit(plate_bgr: Picture, light: Light) -> Picture:
    """The plate (h, w, 3) uint8 in a frame's light: (h, w, 3) uint8."""
    lit = cv2.LUT(plate_bgr, light_levels(light)[None])
    shade = shade_of(light, (plate_bgr.shape[1], plate_bgr.shape[0]))
    return np.asarray(cv2.addWeighted(lit, 1, shade, 1, -128), np.uint8)


def light_levels(light: Light) -> Picture:
    """What gain and offset make of each level: (256, 3) uint8."""
    levels = np.arange(256, dtype=np.float32)[:, None]
    return np.asarray(np.clip(np.rint(levels * light.gain + light.offset), 0, 255), np.uint8)


def shade_of(light: Light, size_wh: tuple[int, int]) -> Picture:
    """What is left locally, plus 128: (h, w, 3) uint8."""
    local = np.clip(np.rint(light.local + 128), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(local, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)


def _around(values: Float) -> Float:
    return np.asarray(cv2.blur(values, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE), np.float32)
