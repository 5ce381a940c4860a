"""Despill: removes the tint that a room of one strong colour leaves on the person's edge, and in thin hair.

It works like despill for green and blue screens, for any colour. The room's mean colour minus its grey is a direction
in colour space. Near the edge, the person's colour is limited in this direction to what it is deeper inside. So a green
shirt in front of a green wall stays green, and dark hair becomes dark again. Rooms without one strong colour have no
effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.buffers import Region
from bgcam.realtime.picture.foreground import (
    LOW,
    Grid,
    coarser,
    colours_at,
    fill,
    grid_of,
    pure,
    share_on_grid,
    to_grid,
)

Float = NDArray[np.float32]

# The distance of the room's mean colour from grey, in levels, at which despill begins and at which it has its full
# effect.
TINTED = (20.0, 50.0)
# As shares of the frame's shorter side: how far inside the person is free of spill, and the sigma with which it fades.
DEEP_SHARE, FADE_SHARE = 0.026, 0.023
# Despill has its full effect where at least a sixth of the surroundings is room.
NEAR = np.float32(6)
# Limits are smooth: their cells have this many times the side of the colours' cells.
COARSER = 2
LEVELS = 4
# Spill of fewer levels is not worth the time.
SHOWS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Spill:
    """The spill of one frame.

    direction: (3,) float32 BGR, of length 1 and sum 0.
    limit_near: (rows, columns, 2) float32 on `grid`: how much of that direction the person may have, in levels; and the
        share, from 0 to 1, of the excess that is removed.
    grid: of limit_near.
    shows: bool (h, w), at network size: where there is spill to remove.
    """

    direction: Float
    limit_near: Float
    grid: Grid
    shows: NDArray[np.bool_]


def find_spill(seen_bgr: NDArray[np.uint8], alpha: Float, *, frame_wh: tuple[int, int]) -> Spill | None:
    """From what the network saw, (h, w, 3) uint8 BGR, and its alpha (h, w) in [0, 1], for frames of (W, H) pixels.

    None if the room has no strong colour, or is not visible.
    """
    network_wh = alpha.shape[1], alpha.shape[0]
    mean = np.array(cv2.mean(seen_bgr, (alpha < LOW).astype(np.uint8))[:3])
    tint = mean - mean.mean()
    length = float(np.linalg.norm(tint))
    strength = (length - TINTED[0]) / (TINTED[1] - TINTED[0])
    if strength <= 0:
        return None
    direction = (tint / length).astype(np.float32)
    grid = coarser(grid_of(frame_wh, network_wh), COARSER)
    cells = min(frame_wh) / grid.cell_px
    share = share_on_grid(alpha, grid, frame_wh=frame_wh)
    side = 2 * max(1, round(DEEP_SHARE * cells)) + 1
    deep = pure(np.asarray(cv2.erode(share, np.ones((side, side), np.uint8)), np.float32))
    colours = to_grid(seen_bgr, grid, frame_wh=frame_wh).astype(np.float32)
    limit = np.maximum(fill(colours, deep, levels=LEVELS) @ direction, 0)
    sigma = max(0.5, FADE_SHARE * cells)
    around = cv2.GaussianBlur(1 - share, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    near = np.clip(NEAR * around, 0, 1) * np.float32(min(strength, 1.0))
    has = np.asarray(cv2.transform(seen_bgr.astype(np.float32), direction[None]))
    # The aspects of frame and network differ slightly, and the last cells extend beyond the frame; neither matters
    # here.
    may, counts = (cv2.resize(one, network_wh, interpolation=cv2.INTER_LINEAR) for one in (limit, near))
    shows = (alpha > LOW) & (counts * (has - may) > SHOWS)
    return Spill(direction, cv2.merge([limit, near]), grid, shows)


def despill(person: Float, spill: Spill, region: Region) -> Float:
    """The person's colours in a region, (h, w, 3) float32 BGR: person - near * max(person . d - limit, 0) * d.

    region: as in `foreground.colours_at`. Changes `person` in place and returns it.
    """
    limit_near = colours_at(spill.limit_near, spill.grid.cell_px, region)
    excess = cv2.transform(person, spill.direction[None])
    limit, near = cv2.split(limit_near)
    cv2.subtract(excess, limit, dst=excess)
    np.maximum(excess, 0, out=excess)
    cv2.multiply(excess, near, dst=excess)
    return np.asarray(cv2.subtract(person, cv2.transform(excess, spill.direction[:, None]), dst=person), np.float32)
