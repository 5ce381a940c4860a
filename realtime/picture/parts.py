"""Where a frame needs work: tiles that hold an edge, and tiles that are the person's alone. The rest is background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.buffers import Place


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Rectangles of pixels, rows and columns, which do not overlap: those with an edge, and those with alpha 1 alone.

    Elsewhere alpha is 0. Every rectangle begins at a multiple of the tile's side.
    """

    edge: list[Place]
    person: list[Place]


def find_parts(
    small: NDArray[np.float32], unsure: NDArray[np.bool_], *, frame_wh: tuple[int, int], tile_px: int
) -> Parts:
    """The tiles of a frame of (W, H) pixels by its small matte (h, w) and where that is unsure (`guided.Lines`).

    A tile in which no pixel's four cells are unsure is all person or all background, as any of its cells says.
    """
    (rows, tops), (columns, lefts) = (
        _tiles(side, cells, tile_px) for side, cells in zip(frame_wh[::-1], small.shape, strict=True)
    )
    # sums[i, j]: how many unsure cells lie above i and left of j.
    sums = cv2.integral(unsure.astype(np.uint8))
    counts = sums[rows[1]][:, columns[1]] - sums[rows[0]][:, columns[1]]
    counts += sums[rows[0]][:, columns[0]] - sums[rows[1]][:, columns[0]]
    edge = counts > 0
    person = ~edge & (small[rows[0]][:, columns[0]] > 0.5)
    return Parts(_runs(edge, tops, lefts), _runs(person, tops, lefts))


def widened(unsure: NDArray[np.bool_], *, frame_wh: tuple[int, int], reach_px: float) -> NDArray[np.bool_]:
    """Where, at network size (h, w), a cell within so many pixels of the frame is unsure."""
    shares = (cells / px for cells, px in zip(unsure.shape, frame_wh[::-1], strict=True))
    sides = [2 * int(np.ceil(reach_px * share)) + 1 for share in shares]
    return cv2.dilate(unsure.astype(np.uint8), np.ones(sides, np.uint8)).astype(np.bool_)


@lru_cache(maxsize=16)
def _tiles(side_px: int, cells: int, tile_px: int) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], list[int]]:
    """For each tile along one side, the first cell and the one after the last that its pixels are made of; its borders.

    Pixel x lies between the centres of cells floor(c) and floor(c) + 1, with c = (x + 0.5) * cells / side_px - 0.5.
    """
    borders = [*range(0, side_px, tile_px), side_px]
    at = (np.array(borders) + 0.5) * cells / side_px - 0.5
    step = cells / side_px
    first = np.clip(np.floor(at[:-1]).astype(np.int64), 0, cells - 1)
    end = np.clip(np.floor(at[1:] - step).astype(np.int64) + 2, 1, cells)
    return (first, end), borders


def _runs(tiles: NDArray[np.bool_], tops: list[int], lefts: list[int]) -> list[Place]:
    """Neighbours in a row of tiles, as one rectangle."""
    padded = np.pad(tiles, ((0, 0), (1, 1))).astype(np.int8)
    changes = np.diff(padded, axis=1)
    rows, begins = np.nonzero(changes == 1)
    _, ends = np.nonzero(changes == -1)
    return [
        (slice(tops[row], tops[row + 1]), slice(lefts[begin], lefts[end]))
        for row, begin, end in zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True)
    ]
