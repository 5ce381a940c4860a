"""The paper's formula: `out = frame * alpha + background * (1 - alpha)`, and laying a person's own colours so.

`composite_reference` says it plainly; `blend` and `composite` are what runs, and tests hold them to one grey level of
it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native
from bgcam.realtime.picture.buffers import Buffers, Place
from bgcam.realtime.picture.despill import Spill, despill
from bgcam.realtime.picture.foreground import Colours, colours_at
from bgcam.realtime.picture.guided_filter import Coefficients, apply_coefficients
from bgcam.realtime.picture.tiles import Tiles

Float = NDArray[np.float32]


def composite_reference(frame: NDArray[np.uint8], background: NDArray[np.uint8], alpha: Float) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 twice and alpha (H, W) in [0, 1] to (H, W, 3) uint8, rounded to nearest."""
    weight = alpha.astype(np.float64)[..., None]
    return np.rint(frame * weight + background * (1 - weight)).astype(np.uint8)


def blend(frame: NDArray[np.uint8], background: NDArray[np.uint8], alpha: Float) -> NDArray[np.uint8]:
    """As `composite_reference`, within one grey level, and exact where alpha is 0 or 1. Makes a new array.

    Of five ways tried at 1280x720, OpenCV's `blendLinear` was the quickest: 4 ms on two cores, against 10 ms for 16-bit
    fixed point and 6 ms for OpenCV's float arithmetic. It divides by the weights' sum, which is 1 here.
    """
    _check(frame, background, alpha)
    return np.asarray(cv2.blendLinear(frame, background, alpha, 1 - alpha), np.uint8)


def composite(
    frame: NDArray[np.uint8],
    background: NDArray[np.uint8],
    lines: Coefficients,
    parts: Tiles,
    colours: Colours | None = None,
    *,
    luma_from: NDArray[np.uint8],
    spill: Spill | None = None,
    glow: Float | None = None,
    buffers: Buffers | None = None,
) -> NDArray[np.uint8]:
    """`guided_filter.apply_coefficients` over the luma of `luma_from`, (H, W, 3) uint8 BGR, then
    `composite_foreground`; in one pass if compiled.

    Makes a new array. buffers: see `guided_filter.apply_coefficients`.
    """
    if native.LIBRARY is None:
        alpha = apply_coefficients(lines, luma_from, places=parts.edge, buffers=buffers)
        return composite_foreground(frame, background, alpha, parts, colours, spill=spill, glow=glow)
    if not frame.shape == background.shape == luma_from.shape:
        raise ValueError(f"sizes differ: frame {frame.shape}, background {background.shape}, luma {luma_from.shape}")
    out = background.copy()
    for place in parts.person:
        out[place] = frame[place]
    (height, width), (small_height, small_width) = frame.shape[:2], lines.gain.shape
    steps = small_width / width, small_height / height
    colour_step = 0.0 if colours is None else 1 / colours.grid.cell_px
    limit_step = 0.0 if spill is None else 1 / spill.grid.cell_px
    grids = (
        (lines.gain, *steps),
        (lines.offset, *steps),
        (None if colours is None else colours.person, colour_step, colour_step),
        (None if colours is None else colours.room, colour_step, colour_step),
        (None if colours is None or spill is None else spill.limit_near, limit_step, limit_step),
        (None if colours is None else glow, colour_step, colour_step),
    )
    direction = None if spill is None else spill.direction
    native.composite(out, frame, luma_from, background, parts.edge, grids, direction=direction)
    return out


def composite_foreground(
    frame: NDArray[np.uint8],
    background: NDArray[np.uint8],
    alpha: Float,
    parts: Tiles,
    colours: Colours | None = None,
    *,
    spill: Spill | None = None,
    glow: Float | None = None,
) -> NDArray[np.uint8]:
    """As `composite_reference`, within one grey level, but only where `tiles` says that there is something to blend.

    colours: the frame's colours give way to the person's own, `foreground.estimate_foreground`'s before rounding. These
    are rid of `spill`, and lit by `glow`, light of the background on the colours' grid (see `wrap`). Alpha is looked at
    in `parts.edge` alone. Makes a new array.
    """
    _check(frame, background, alpha)
    out = background.copy()
    for place in parts.person:
        out[place] = frame[place]
    for place in parts.edge:
        if colours is None:
            share = alpha[place]
            out[place] = cv2.blendLinear(frame[place], background[place], share, 1 - share)
        else:
            out[place] = _edge(frame[place], background[place], alpha[place], place, colours, spill, glow)
    return out


def _edge(
    frame: NDArray[np.uint8],
    background: NDArray[np.uint8],
    alpha: Float,
    place: Place,
    colours: Colours,
    spill: Spill | None,
    glow: Float | None,
) -> NDArray[np.uint8]:
    """One rectangle. OpenCV's arithmetic throughout: it takes half the time of NumPy's on three channels."""
    share = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    person = colours_at(colours.person, colours.grid.cell_px, place)
    room = colours_at(colours.room, colours.grid.cell_px, place)
    # The frame as the smooth colours have it: room + alpha * (person - room).
    work = cv2.subtract(person, room)
    cv2.multiply(work, share, dst=work)
    cv2.add(work, room, dst=work)
    # The foreground: person + alpha * (frame - that).
    cv2.subtract(frame, work, dst=work, dtype=cv2.CV_32F)
    cv2.multiply(work, share, dst=work)
    cv2.add(work, person, dst=work)
    work = np.clip(work, 0, 255, out=work, dtype=np.float32)
    if spill is not None:
        despill(np.asarray(work, np.float32), spill, place)
    if glow is not None:
        # A screen: light adds the less the brighter it is already.
        lit = cv2.multiply(255 - work, colours_at(glow, colours.grid.cell_px, place), scale=1 / 255)
        cv2.add(work, lit, dst=work)
    cv2.subtract(work, background, dst=work, dtype=cv2.CV_32F)
    cv2.multiply(work, share, dst=work)
    return np.asarray(cv2.add(work, background, dtype=cv2.CV_8U), np.uint8)


def _check(frame: NDArray[np.uint8], background: NDArray[np.uint8], alpha: Float) -> None:
    if frame.shape != background.shape or alpha.shape != frame.shape[:2]:
        raise ValueError(f"sizes differ: frame {frame.shape}, background {background.shape}, alpha {alpha.shape}")
