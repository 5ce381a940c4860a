"""Chroma key: before a green or blue screen, the edge of the matte is the screen's own, at full resolution.

The matte is the product of the network's and the key's, each where it is good:

- deep inside the network's person the key does not cut, so that a green tie stays;
- where the network sees no person the key adds nothing, whatever is there: the room beside the screen stays hidden;
- near the person, where the network is only unsure, the key decides alone: hair keeps its fine edge.

With p (h, w) the network's matte, K the key of each pixel of the frame (H, W), both in [0, 1], and up bilinear:

    held = p of SURE to HIGH as 0 to 1, eroded by HELD_SHARE and softened
    open = (1 - held) * min(1, gain * (p - low) / (HIGH - low))
    alpha = up(held) + up(open) * K

Near the person and the screen, `gain` rises from 1 to GAIN and `low` falls from LOW to the colours' LOW; elsewhere the
network's matte is as it would be without a key, and no more. This is the form of `guided_filter`, with K in the place
of luma: what follows takes both.

    K = (CLEAN - s / screen) / (CLEAN - SOLID), from 0 to 1
    s = max(0, G - max(R, B)) for green, max(0, B - max(R, G)) for blue

`screen` is the s of the screen near the pixel, so that it may be lit unevenly. Where there is no screen, K is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native
from bgcam.realtime.picture.buffers import Buffers, Region
from bgcam.realtime.picture.foreground import LOW as FAINT
from bgcam.realtime.picture.foreground import Grid, colours_at, fill, grid_of, pure, share_on_grid, to_grid
from bgcam.realtime.picture.guided_filter import HIGH, LOW, Coefficients

Float = NDArray[np.float32]

# The channel of each screen, in BGR.
CHANNELS = {"green": 1, "blue": 0}
# As shares of the screen's s: from CLEAN on a pixel is the screen alone, up to SOLID the person alone. A steep key
# keeps dark hair and clothes opaque in the screen's light: on keyed frames of speakers (GRID, Talking Face), MAD x1e3
# with 0.8 and 0.08 is 6.4 and 15.3, with these 7.3 and 4.7, without a key 5.7 and 7.4.
CLEAN, SOLID = 0.9, 0.5
# A cell of the background shows the screen if its s is so many levels at least. A grey wall under a lamp has fewer.
LEAST_LEVELS = 24.0
# The share of the background that has to show the screen before it counts as found, and below which it is lost again.
FOUND, LOST = 0.05, 0.025
# With less of the frame than this behind the person, nothing is said of a screen.
LEAST_SEEN = 0.02
# Where less than the first of the background nearby is the screen, there is none; from the second on, nothing else.
PRESENT = (0.2, 0.6)
# See above. The network's edge lies up to two of 192 cells outside the true one.
SURE, HELD_SHARE, NEAR_SHARE, GAIN = 0.75, 0.02, 0.05, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """The screen of one frame.

    channel: of BGR.
    slope: (rows, columns) float32 on `grid`: 255 / (screen * (CLEAN - SOLID)), which times s is what K loses, in grey
        levels; 0 where there is no screen.
    present: (h, w) float32 in [0, 1], at network size: whether what is behind the person here is the screen.
    share: of the background that is the screen.
    """

    channel: int
    slope: Float
    grid: Grid
    present: Float
    share: float


def excess(bgr: NDArray[np.uint8], channel: int) -> NDArray[np.uint8]:
    """By how much a channel is above the other two, or 0: (H, W, 3) uint8 BGR to (H, W) uint8."""
    planes = cv2.split(bgr)
    others = [plane for at, plane in enumerate(planes) if at != channel]
    return np.asarray(cv2.subtract(planes[channel], cv2.max(*others)), np.uint8)


def shows_background(alpha: Float) -> bool:
    """Whether enough of the background is seen to say whether there is a screen."""
    return float((alpha < FAINT).mean()) > LEAST_SEEN


def find_screen(
    seen_bgr: NDArray[np.uint8], alpha: Float, colour: str, *, frame_wh: tuple[int, int], least: float = FOUND
) -> Screen | None:
    """From what the network saw, (h, w, 3) uint8 BGR, and its alpha (h, w) in [0, 1], for frames of (W, H) pixels.

    colour: one of CHANNELS. None if less than the share `least` of the background is that screen.
    """
    channel = CHANNELS[colour]
    levels = excess(seen_bgr, channel)
    behind = alpha < FAINT
    shows = behind & (levels >= LEAST_LEVELS)
    share = float(shows.sum()) / max(1, int(behind.sum()))
    if share < least or not shows.any():
        return None
    grid = grid_of(frame_wh, (alpha.shape[1], alpha.shape[0]))
    mask = (levels >= LEAST_LEVELS).astype(np.float32)
    known = to_grid(np.dstack([levels * mask, mask, mask]), grid, frame_wh=frame_wh)
    filled = fill(np.asarray(known, np.float32), pure(1 - share_on_grid(alpha, grid, frame_wh=frame_wh)))
    here = np.clip((filled[..., 1] - PRESENT[0]) / (PRESENT[1] - PRESENT[0]), 0, 1).astype(np.float32)
    screen = np.maximum(filled[..., 0] / np.maximum(filled[..., 1], 1e-3), LEAST_LEVELS)
    slope = (here * np.float32(255 / (CLEAN - SOLID)) / screen).astype(np.float32)
    present = np.asarray(cv2.resize(here, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return Screen(channel, slope, grid, present, share)


def key_coefficients(alpha: Float, screen: Screen) -> Coefficients:
    """held and open of the network's alpha (h, w) in [0, 1], as coefficients of the key in grey levels."""
    side = min(alpha.shape)
    sure = np.clip((alpha - np.float32(SURE)) / np.float32(HIGH - SURE), 0, 1).astype(np.float32)
    inset, reach = max(1, round(HELD_SHARE * side)), max(1, round(NEAR_SHARE * side))
    held = _soft(cv2.erode(sure, _square(inset)), inset)
    near = _soft(cv2.dilate(sure, _square(reach)), inset) * screen.present
    low = np.float32(LOW) - near * np.float32(LOW - FAINT)
    share = (1 + near * np.float32(GAIN - 1)) * (alpha - low) / (np.float32(HIGH) - low)
    opened = (1 - held) * np.clip(share, 0, 1, dtype=np.float32)
    return Coefficients(np.asarray(opened / 255, np.float32), held, opened > 0)


def keyed_small(alpha: Float, seen_bgr: NDArray[np.uint8], screen: Screen, coefficients: Coefficients) -> Float:
    """The keyed matte at network size, (h, w): what the colours, the spill and the light follow."""
    slope = cv2.resize(screen.slope, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
    key = np.clip(np.float32(TOP) - excess(seen_bgr, screen.channel) * slope, 0, 255)
    return np.asarray(np.clip(coefficients.a * key + coefficients.b, 0, 1), np.float32)


def key_guide(
    frame_bgr: NDArray[np.uint8],
    screen: Screen,
    *,
    regions: Sequence[Region] | None = None,
    buffers: Buffers | None = None,
) -> NDArray[np.uint8]:
    """K in grey levels, the same in all three channels, of a frame (H, W, 3) uint8 BGR; undefined outside `regions`.

    regions: None for the whole frame; they begin at multiples of the grid's cells. With buffers, the result is one of
    them, which the next call overwrites.
    """
    buffers = buffers or Buffers()
    out = buffers.get("key guide", frame_bgr.shape, np.uint8)
    height, width = frame_bgr.shape[:2]
    regions = [(slice(0, height), slice(0, width))] if regions is None else regions
    if native.LIBRARY is not None:
        native.key(out, frame_bgr, regions, screen.slope, cell_px=screen.grid.cell_px, channel=screen.channel, top=TOP)
        return out
    for region in regions:
        lost = cv2.multiply(
            excess(frame_bgr[region], screen.channel),
            colours_at(screen.slope, screen.grid.cell_px, region),
            dtype=cv2.CV_32F,
        )
        grey = np.rint(np.clip(np.float32(TOP) - lost, 0, 255)).astype(np.uint8)
        out[region] = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    return out


# K where s is 0, in grey levels, before it is limited to 255.
TOP = 255 * CLEAN / (CLEAN - SOLID)


def key_reference(frame_bgr: NDArray[np.uint8], screen: Screen) -> NDArray[np.uint8]:
    """`key_guide` in plain NumPy, in float64: (H, W) uint8."""
    bgr = frame_bgr.astype(np.float64)
    others = [at for at in range(3) if at != screen.channel]
    s = np.maximum(bgr[..., screen.channel] - bgr[..., others].max(axis=-1), 0)
    (top, below), (left, beside) = (
        _between(side, cells, screen.grid.cell_px)
        for side, cells in zip(frame_bgr.shape[:2], screen.slope.shape, strict=True)
    )
    slope = screen.slope.astype(np.float64)
    lower, right = np.minimum(top + 1, slope.shape[0] - 1), np.minimum(left + 1, slope.shape[1] - 1)
    rows = slope[top] + below[:, None] * (slope[lower] - slope[top])
    at = rows[:, left] + beside * (rows[:, right] - rows[:, left])
    return np.asarray(np.rint(np.clip(TOP - s * at, 0, 255)), np.uint8)


def _between(side_px: int, cells: int, cell_px: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Each pixel's cell, and how far it lies from its centre to the next one's."""
    at = np.clip((np.arange(side_px) + 0.5) / cell_px - 0.5, 0, cells - 1)
    first = np.floor(at).astype(np.intp)
    return first, at - first


def _square(radius: int) -> NDArray[np.uint8]:
    # A disc of ten cells takes ten times as long as all else here.
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def _soft(values: NDArray[np.float32] | cv2.typing.MatLike, radius: int) -> Float:
    """Box-blurred; exactly 0 and 1 where all around it is."""
    soft = cv2.blur(np.asarray(values, np.float32), (2 * radius + 1,) * 2, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip((soft - np.float32(1e-3)) / np.float32(1 - 2e-3), 0, 1), np.float32)
