"""The presenter: the person, cut out and scaled down, in front of a background that is not scaled.

`presenter_reference` is the plain formula. `paste` is what runs; tests compare the two, to within two grey levels.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.look import Presenter
from bgcam.realtime.picture.buffers import Region

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]


def box_of(presenter: Presenter, frame_wh: tuple[int, int]) -> Region:
    """Where the small picture goes in a frame of (W, H) pixels: at least one pixel, and inside the frame as a whole."""
    spans = []
    for middle, side in zip((presenter.y, presenter.x), frame_wh[::-1], strict=True):
        small = min(side, max(1, round(side * presenter.size)))
        begin = min(max(0, round(middle * side - small / 2)), side - small)
        spans.append(slice(begin, begin + small))
    return spans[0], spans[1]


def presenter_reference(premultiplied: Picture, alpha: Float, background: Picture, box: Region) -> Picture:
    """Plain NumPy in float64: the person times alpha, (H, W, 3) uint8, and alpha (H, W) in [0, 1] are averaged over the
    area of each pixel of the box; `out = person + (1 - alpha) * background` in the box, the background elsewhere.
    """
    rows, columns = (_areas(part.stop - part.start, side) for part, side in zip(box, alpha.shape, strict=True))
    layers = [*np.moveaxis(premultiplied.astype(np.float64), 2, 0), alpha.astype(np.float64)]
    *person, share = (rows @ layer @ columns.T for layer in layers)
    out = background.copy()
    out[box] = np.rint(np.clip(np.stack(person, axis=2) + (1 - share[..., None]) * background[box], 0, 255))
    return out


def paste(premultiplied: Picture, alpha: Float, background: Picture, box: Region) -> Picture:
    """As `presenter_reference`, within two grey levels. Returns a new array.

    Averaging what is already multiplied by alpha keeps the colour of transparent pixels, which is the room's or black,
    out of the edge.
    """
    if not premultiplied.shape == background.shape or alpha.shape != background.shape[:2]:
        raise ValueError(
            f"sizes differ: person {premultiplied.shape}, alpha {alpha.shape}, background {background.shape}"
        )
    size_wh = box[1].stop - box[1].start, box[0].stop - box[0].start
    person = cv2.resize(premultiplied, size_wh, interpolation=cv2.INTER_AREA)
    shade = 1 - np.asarray(cv2.resize(alpha, size_wh, interpolation=cv2.INTER_AREA), np.float32)
    behind = cv2.multiply(background[box], cv2.merge([shade] * 3), dtype=cv2.CV_32F)
    out = background.copy()
    out[box] = cv2.add(behind, person, dtype=cv2.CV_8U)
    return out


@lru_cache(maxsize=1)
def black(frame_wh: tuple[int, int]) -> Picture:
    """(H, W, 3) uint8 zeros, to be read only."""
    zeros = np.zeros((frame_wh[1], frame_wh[0], 3), np.uint8)
    zeros.flags.writeable = False
    return zeros


def seen_behind(background: Picture, box: Region) -> Picture:
    """The part of the background that the small picture covers, (H, W, 3), at the background's own size."""
    size_wh = background.shape[1], background.shape[0]
    return np.asarray(cv2.resize(background[box], size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)


def _areas(new: int, old: int) -> NDArray[np.float64]:
    """(new, old): row i holds the share of each old pixel in new pixel i."""
    borders = np.arange(new + 1) * old / new
    cells = np.arange(old)
    covered = np.minimum(borders[1:, None], cells + 1) - np.maximum(borders[:-1, None], cells)
    return np.asarray(np.clip(covered, 0, 1) * new / old)
