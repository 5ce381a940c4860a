"""Divides a frame into tiles: those that contain an edge, those of the person alone, and the background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.buffers import Region

BACKGROUND, PERSON, EDGE = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Regions that do not overlap; outside them alpha is 0. Each begins at a multiple of the tile's side.

    edge: regions with any alpha.
    person: regions with alpha 1 only.
    """

    edge: list[Region]
    person: list[Region]


def find_tiles(
    small: NDArray[np.float32], unsure: NDArray[np.bool_], *, frame_wh: tuple[int, int], tile_px: int
) -> Tiles:
    """The tiles of a frame of (W, H) pixels, by its small matte (h, w) and `guided_filter.Coefficients.unsure`.

    A tile whose pixels have no unsure cell among their four is all person or all background, as its first cell is.
    """
    height, width = small.shape
    tiles = _tiles(frame_wh, (width, height), tile_px)
    # sums[i, j]: how many unsure cells lie above i and left of j.
    sums = cv2.integral(np.asarray(unsure).view(np.uint8)).ravel()
    counts = sums[tiles.corners[0]] - sums[tiles.corners[1]] - sums[tiles.corners[2]] + sums[tiles.corners[3]]
    kinds = np.where(counts > 0, EDGE, np.where(small.ravel()[tiles.first] > 0.5, PERSON, BACKGROUND))
    return _runs(kinds, tiles)


def widened(unsure: NDArray[np.bool_], *, frame_wh: tuple[int, int], reach_px: float) -> NDArray[np.bool_]:
    """Which cells (h, w) have an unsure cell within `reach_px` pixels of the frame."""
    shares = (cells / px for cells, px in zip(unsure.shape, frame_wh[::-1], strict=True))
    sides = [2 * int(np.ceil(reach_px * share)) + 1 for share in shares]
    return cv2.dilate(unsure.astype(np.uint8), np.ones(sides, np.uint8)).astype(np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """The division of frames of one size.

    first: the flat index of each tile's first cell, (rows, columns).
    corners: flat indices of the four sums that give a tile's count of unsure cells, each (rows, columns).
    tops, lefts: the borders in pixels.
    """

    first: NDArray[np.int64]
    corners: tuple[NDArray[np.int64], ...]
    tops: list[int]
    lefts: list[int]


@lru_cache(maxsize=16)
def _tiles(frame_wh: tuple[int, int], network_wh: tuple[int, int], tile_px: int) -> _Tiles:
    (lefts, left, right), (tops, upper, lower) = (
        _cells(side_px, cells, tile_px) for side_px, cells in zip(frame_wh, network_wh, strict=True)
    )
    width, row = network_wh[0], network_wh[0] + 1
    ends = ((lower, right), (lower, left), (upper, right), (upper, left))
    corners = tuple(rows[:, None] * row + columns for rows, columns in ends)
    return _Tiles(upper[:, None] * width + left, corners, tops, lefts)


def _cells(side_px: int, cells: int, tile_px: int) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64]]:
    """The tiles' borders along one side, and the first and last + 1 of the cells that each tile's pixels lie between.

    Pixel x lies between the centres of cells floor(c) and floor(c) + 1, with c = (x + 0.5) * cells / side_px - 0.5.
    """
    borders = [*range(0, side_px, tile_px), side_px]
    at = (np.array(borders) + 0.5) * cells / side_px - 0.5
    step = cells / side_px
    first = np.clip(np.floor(at[:-1]).astype(np.int64), 0, cells - 1)
    end = np.clip(np.floor(at[1:] - step).astype(np.int64) + 2, 1, cells)
    return borders, first, end


def _runs(kinds: NDArray[np.int64], tiles: _Tiles) -> Tiles:
    """Joins neighbours of one kind in a row of tiles into one region."""
    # A column of background after each row, so that no run continues in the next; and one before the first.
    rows, columns = kinds.shape
    line = np.zeros(rows * (columns + 1) + 1, kinds.dtype)
    line[1:].reshape(rows, columns + 1)[:, :columns] = kinds
    changes = np.flatnonzero(line[1:] != line[:-1])
    parts = Tiles([], [])
    for kind, begin, end in zip(line[1:][changes].tolist(), changes.tolist(), changes[1:].tolist(), strict=False):
        if kind != BACKGROUND:
            row, column = divmod(begin, columns + 1)
            left, right = tiles.lefts[column], tiles.lefts[column + end - begin]
            region = slice(tiles.tops[row], tiles.tops[row + 1]), slice(left, right)
            (parts.edge if kind == EDGE else parts.person).append(region)
    return parts
