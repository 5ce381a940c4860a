"""Foreground colours: what the person would look like alone, without the room's colour in the soft edge.

There are two steps. On a coarse grid, the smooth colours of the person and of the room are each extended across the
edge, from fine to ever coarser levels, as in Thomas Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020
(2006.14970). Then, pixel by pixel, the part of the frame that these two do not explain is added to the person in
proportion to alpha, as in the blur fusion of Marco Forte and Francois Pitie, "Approximate Fast Foreground Colour
Estimation", ICIP 2021:

    F = person + alpha * (frame - alpha * person - (1 - alpha) * room), from 0 to 255
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native
from bgcam.realtime.picture.buffers import Region

Float = NDArray[np.float32]

# A grid cell is about this many of the network's cells wide: finer ones took as long as all other stages together, and
# were no better.
NETWORK_CELLS = 2
# A cell between these contains the colours of both sides, whatever `guided_filter` later makes of it.
LOW, HIGH = 0.04, 0.96
# Levels above the grid, each of half the size; and the weight that a cell needs before the coarser level counts less
# than the cell itself.
LEVELS = 4
LEAST = np.float32(0.03)
TINY = np.float32(1e-4)


@dataclass(frozen=True, slots=True)
class Grid:
    """Square cells of whole pixels, from the frame's upper left; the last ones may extend beyond the frame."""

    cell_px: int
    columns: int
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """The smooth colours of both sides on a grid: each (rows, columns, 3) float32 BGR from 0 to 255."""

    person: Float
    room: Float
    grid: Grid


def grid_of(frame_wh: tuple[int, int], network_wh: tuple[int, int]) -> Grid:
    """The grid for frames of (W, H) pixels of which the network sees (w, h)."""
    scale = max(frame / network for frame, network in zip(frame_wh, network_wh, strict=True))
    cell_px = max(1, round(NETWORK_CELLS * scale))
    columns, rows = (-(-side // cell_px) for side in frame_wh)
    return Grid(cell_px, columns, rows)


def coarser(grid: Grid, times: int) -> Grid:
    """A grid over the same pixels, with cells of `times` the side."""
    return Grid(grid.cell_px * times, -(-grid.columns // times), -(-grid.rows // times))


def to_grid(small: NDArray[Any], grid: Grid, *, frame_wh: tuple[int, int]) -> NDArray[Any]:
    """A picture at network size, (h, w) or (h, w, 3), at the centres of a grid's cells: bilinear, borders repeated."""
    height, width = small.shape[:2]
    step_x, step_y = grid.cell_px * width / frame_wh[0], grid.cell_px * height / frame_wh[1]
    matrix = np.array([[step_x, 0, step_x / 2 - 0.5], [0, step_y, step_y / 2 - 0.5]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(small, matrix, (grid.columns, grid.rows), flags=how, borderMode=cv2.BORDER_REPLICATE)


def near_colours(seen_bgr: NDArray[np.uint8], alpha: Float, *, frame_wh: tuple[int, int]) -> Colours:
    """From what the network saw, (h, w, 3) uint8 BGR, and its alpha (h, w) in [0, 1], for frames of (W, H) pixels."""
    grid = grid_of(frame_wh, (alpha.shape[1], alpha.shape[0]))
    colours = to_grid(seen_bgr, grid, frame_wh=frame_wh).astype(np.float32)
    share = share_on_grid(alpha, grid, frame_wh=frame_wh)
    return Colours(fill(colours, pure(share)), fill(colours, pure(1 - share)), grid)


def share_on_grid(alpha: Float, grid: Grid, *, frame_wh: tuple[int, int]) -> Float:
    """Alpha (h, w) at the centres of the grid's cells, from 0 at LOW to 1 at HIGH."""
    share = (to_grid(alpha, grid, frame_wh=frame_wh) - np.float32(LOW)) / np.float32(HIGH - LOW)
    return np.asarray(np.clip(share, 0, 1), np.float32)


def pure(share: Float) -> Float:
    """The weight of a cell's colour, share^4 for a share (h, w) in [0, 1]: mixed cells hardly count.

    Computed as two squares: NumPy's power takes twenty times as long.
    """
    return np.square(np.square(share))


def fill(colours: Float, weight: Float, *, levels: int = LEVELS) -> Float:
    """Colours (h, w, 3) smoothed by their weight (h, w) in [0, 1], and extended to cells without weight.

    At each level: (box3(weight * colour) + LEAST * coarser) / (box3(weight) + LEAST). The coarser level is the same at
    half the size (means of 2x2 cells, the last row or column repeated to an even count), resized bilinearly. Where no
    cell has weight, the result is 0.
    """
    if native.LIBRARY is not None:
        return native.foreground_fill(colours, weight, levels=levels, least=float(LEAST), tiny=float(TINY))
    return fill_weighted(weighted(colours, weight), levels=levels)


def weighted(colours: NDArray[Any], weight: Float) -> Float:
    """(h, w, 3) of any type and a weight (h, w) to (h, w, 4) float32: weight * colour, and the weight."""
    known = cv2.cvtColor(colours, cv2.COLOR_BGR2BGRA)
    known[..., 3] = 1
    return np.asarray(cv2.multiply(known, cv2.merge([weight] * 4), dtype=cv2.CV_32F), np.float32)


def colours_at(values: Float, cell_px: int, region: Region) -> Float:
    """A region of the full-size picture of a grid (rows, columns, 3): bilinear between the centres of cells, repeated
    beyond them. A pixel's value does not depend on the region.

    region: rows and columns of pixels, with begin and end, that begin at multiples of cell_px.
    """
    cells, cuts = [], []
    for part, count in zip(region, values.shape, strict=False):
        first, last = part.start // cell_px, -(-part.stop // cell_px)
        padded = max(0, first - 1)
        cells.append(slice(padded, min(count, last + 1)))
        cuts.append(slice(part.start - padded * cell_px, part.stop - padded * cell_px))
    near = values[cells[0], cells[1]]
    size_wh = near.shape[1] * cell_px, near.shape[0] * cell_px
    return np.asarray(cv2.resize(near, size_wh, interpolation=cv2.INTER_LINEAR), np.float32)[cuts[0], cuts[1]]


def estimate_foreground(frame_bgr: NDArray[np.uint8], alpha: Float, colours: Colours) -> NDArray[np.uint8]:
    """The person's colours, (H, W, 3) uint8 BGR, of a frame and its alpha (H, W) in [0, 1].

    Where alpha is 1 they are exactly the frame's. Where alpha is 0 they are estimated from the person's colours nearby.
    """
    region = slice(0, alpha.shape[0]), slice(0, alpha.shape[1])
    person, room = (colours_at(side, colours.grid.cell_px, region) for side in (colours.person, colours.room))
    share = alpha[..., None]
    foreground = person + share * (frame_bgr - share * person - (1 - share) * room)
    return np.asarray(np.rint(foreground.clip(0, 255)), np.uint8)


def fill_weighted(known: Float, *, levels: int) -> Float:
    """As `fill`, from the result of `weighted`."""
    return np.ascontiguousarray(_fill(known, levels)[..., :3])


def _fill(known: Float, levels: int) -> Float:
    """`fill` for `weighted` colours; the fourth channel of the result is undefined.

    All arithmetic is OpenCV's on four channels: NumPy takes six times as long to divide three channels by one.
    """
    height, width = known.shape[:2]
    near = np.asarray(cv2.blur(known, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)
    weight = cv2.merge([near[..., 3]] * 4)
    if levels == 0 or min(height, width) < 2:
        return np.asarray(cv2.divide(near, weight + TINY), np.float32)
    even = cv2.copyMakeBorder(known, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    half_wh = even.shape[1] // 2, even.shape[0] // 2
    coarser = _fill(np.asarray(cv2.resize(even, half_wh, interpolation=cv2.INTER_AREA), np.float32), levels - 1)
    wide = cv2.resize(coarser, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(cv2.scaleAdd(wide, float(LEAST), near), weight + LEAST), np.float32)
