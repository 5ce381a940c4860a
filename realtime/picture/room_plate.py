"""The room without anyone, as it was learnt, is evidence against what the network takes for the person.

Where a frame shows the learnt room (the plate), alpha falls; it is never raised, and the plate alone decides nowhere:
a plain place proves little, since clothes may have a wall's colour, and needs the network's own doubt, or furniture
around it. At network size, for each pixel:

1. The plate in the frame's light (`room_light.py`). error = |frame - plate|, the worst channel, mean over 3x3 pixels.
   noise = the median error where alpha < LOW, at most twice that of learning, plus 1.
2. deviation = the plate's own standard deviation over WINDOW x WINDOW pixels times FLAT, the worst channel, times the
   light's mean gain. textured: deviation > max(TEXTURE, 2 noise).
3. matches = 1 where textured and error < MATCHES[0] deviation, 0 above MATCHES[1]; opened over 3x3 pixels, so that a
   few pixels that agree by chance count for nothing. equals = 1 below EQUAL[0] of noise, 0 above EQUAL[1].
   differs: error > DIFFERS of noise.
4. agreement = the share of the textured pixels with alpha < LOW that match at least half. See `learnt_room.py`.
5. share, the largest of three:
   - matches.
   - equals * ramp(p, PROOF), with p the share of matches in what has alpha > LOW within AROUND x AROUND cells of 2x2
     pixels: a chair's plain seat between its edges. 0 where AGAINST of all pixels there differ: there is a person.
     Borders are repeated, also that of an odd size.
   - equals * ramp of the network's doubt: 1 for alpha < DOUBTS[0], 0 for alpha > DOUBTS[1]; only within REACH pixels of
     what has alpha < LOW, so that the inside of a person in clothes of the wall's colour has no hole.
   All of it times the plate's trust.
6. A share of what has alpha > LOW is left slowly: it is at least HOLD times the last one where the pixel does not
   differ and alpha < SURE. An empty place leaves nothing, or a person in the wall's colour would fade in.
   alpha *= 1 - share.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native
from bgcam.realtime.picture.native import room as native_room
from bgcam.realtime.picture.native.structures import PlateRules, TakeRules
from bgcam.realtime.picture.room_light import Light, fit_light, grid_means, light_levels, relit, shade_of

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LOW = 0.1
WINDOW, FLAT = 5, 0.8
TEXTURE = 4.0
MATCHES = (0.3, 0.5)
# Noise levels, and grey levels that are added.
EQUAL = ((1.5, 1.0), (2.2, 1.5))
DIFFERS = (3.0, 4.0)
AROUND, PROOF, AGAINST = 7, (0.2, 0.4), 0.02
DOUBTS, REACH = (0.4, 0.6), 7
HOLD, SURE = 0.85, 0.9
SQUARE = np.ones((3, 3), np.uint8)
# The median is taken of every such row and column.
SPARSE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """The empty room at network size. As secret as a frame; nothing of it is printed.

    bgr: (h, w, 3) uint8. cells: its means, see `room_light`. deviation: (h, w) float32, see 2. noise: grey levels.
    """

    bgr: Picture = field(repr=False)
    cells: Float = field(repr=False)
    deviation: Float = field(repr=False)
    noise: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A frame beside the plate. matches, equals: (h, w) float32 in [0, 1]. differs: (h, w) bool. light: the frame's.

    textured_share: of the pixels with alpha < LOW; agreement: of those that are textured, 0 without any.
    """

    matches: Float = field(repr=False)
    equals: Float = field(repr=False)
    differs: Mask = field(repr=False)
    light: Light
    textured_share: float
    agreement: float


def make_plate(mean_bgr: Float, *, noise: float) -> Plate:
    """A plate of the mean of frames (h, w, 3), from 0 to 255. noise: the median error of one of them, see 1."""
    if native.LIBRARY is not None:
        fast_bgr, fast_deviation = native_room.make_plate(mean_bgr, side=WINDOW, flat=FLAT)
        return Plate(fast_bgr, grid_means(fast_bgr), fast_deviation, noise)
    bgr: Picture = np.clip(np.rint(mean_bgr), 0, 255).astype(np.uint8)
    values = bgr.astype(np.float32)
    mean = _box(values, WINDOW)
    variance = np.maximum(_box(values * values, WINDOW) - mean * mean, 0)
    deviation = np.float32(FLAT) * np.sqrt(variance.max(axis=2))
    return Plate(bgr, grid_means(bgr), np.asarray(deviation, np.float32), noise)


def compare(plate: Plate, seen_bgr: Picture, alpha: Float) -> Comparison | None:
    """Steps 1 to 4 for a frame (h, w, 3) uint8 and its alpha (h, w); None where its light cannot be told."""
    light = fit_light(grid_means(seen_bgr), plate.cells, grid_means(alpha) < LOW / 2)
    if light is None:
        return None
    if native.LIBRARY is not None:
        return _compare_fast(plate, seen_bgr, alpha, light)
    error = apart(seen_bgr, relit(plate.bgr, light))
    background = alpha < LOW
    few = error[::SPARSE, ::SPARSE][background[::SPARSE, ::SPARSE]]
    noise = min(float(np.median(few)) if few.size else plate.noise, 2 * plate.noise + 1)
    gain = float(light.gain.mean())
    deviation = plate.deviation * np.float32(gain)
    textured = deviation > max(TEXTURE, 2 * noise)
    low, high = MATCHES
    span = np.maximum(np.float32(high - low) * deviation, np.float32(1e-3))
    alike: Float = np.clip((np.float32(high) * deviation - error) / span, 0, 1)
    matches = cv2.morphologyEx(alike * textured, cv2.MORPH_OPEN, SQUARE, borderType=cv2.BORDER_REPLICATE)
    full, none = (noise * factor + more for factor, more in EQUAL)
    equals = np.clip((none - error) * np.float32(1 / (none - full)), 0, 1)
    seen = textured & background
    count, total = int(np.count_nonzero(seen)), int(np.count_nonzero(background))
    agreement = np.count_nonzero(matches[seen] >= 0.5) / count if count else 0.0
    return Comparison(
        np.asarray(matches, np.float32),
        np.asarray(equals, np.float32),
        error > noise * DIFFERS[0] + DIFFERS[1],
        light,
        count / max(1, total),
        agreement,
    )


def _compare_fast(plate: Plate, seen_bgr: Picture, alpha: Float, light: Light) -> Comparison:
    rules = PlateRules(
        low=LOW,
        texture=TEXTURE,
        matches=MATCHES,
        equal_full=EQUAL[0],
        equal_none=EQUAL[1],
        differs=DIFFERS,
        gain=float(light.gain.mean()),
        most_noise=2 * plate.noise + 1,
        plate_noise=plate.noise,
        sparse=SPARSE,
    )
    shade = shade_of(light, (alpha.shape[1], alpha.shape[0]))
    matches, equals, differs, (textured, background, matching) = native_room.compare(
        plate.bgr, seen_bgr, shade, light_levels(light), alpha, plate.deviation, rules=rules
    )
    share, agreement = textured / max(1, background), matching / textured if textured else 0.0
    return Comparison(matches, equals, differs, light, share, agreement)


def take_away(alpha: Float, compared: Comparison, *, trust: Float, before: Float | None = None) -> tuple[Float, Float]:
    """Steps 5 and 6: the new alpha (h, w), and what is left slowly; before: that of the last frame."""
    if native.LIBRARY is not None:
        rules = TakeRules(LOW, PROOF, AGAINST, DOUBTS, HOLD, SURE, AROUND, REACH)
        planes = compared.matches, compared.equals, compared.differs, trust
        return native_room.take_away(alpha, *planes, np.zeros_like(alpha) if before is None else before, rules=rules)
    matter = np.asarray(alpha > LOW, np.float32)
    low, high = DOUBTS
    reached = cv2.dilate((alpha < LOW).view(np.uint8), np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8))
    share = np.clip((np.float32(high) - alpha) * np.float32(1 / (high - low)), 0, 1)
    share *= reached
    np.maximum(share, _proven(compared, matter), out=share)
    share *= compared.equals
    np.maximum(share, compared.matches, out=share)
    share *= trust
    if before is not None:
        held = np.float32(HOLD) * before
        held *= (alpha < SURE) & ~compared.differs
        np.maximum(share, held, out=share)
    return alpha * (1 - share), share * matter


def _proven(compared: Comparison, matter: Float) -> Float:
    """How far the furniture around proves a plain pixel to be the room: (h, w) in [0, 1]."""
    height, width = matter.shape
    cells_wh = (width + 1) // 2, (height + 1) // 2
    even_wh = 2 * cells_wh[0], 2 * cells_wh[1]

    def around(values: Float) -> Float:
        even = cv2.copyMakeBorder(values, 0, even_wh[1] - height, 0, even_wh[0] - width, cv2.BORDER_REPLICATE)
        return _box(np.asarray(cv2.resize(even, cells_wh, interpolation=cv2.INTER_AREA), np.float32), AROUND)

    proof = around(compared.matches * matter) / np.maximum(around(matter), np.float32(1e-3))
    low, high = PROOF
    proven = np.clip((proof - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    proven *= around(compared.differs * matter) < AGAINST
    return np.asarray(cv2.resize(proven, even_wh, interpolation=cv2.INTER_LINEAR)[:height, :width], np.float32)


def apart(seen_bgr: Picture, expected_bgr: Picture) -> Float:
    """The error of step 1: (h, w) float32 in grey levels."""
    blue, green, red = cv2.split(cv2.absdiff(seen_bgr, expected_bgr))
    worst = cv2.max(cv2.max(blue, green), red)
    error = cv2.boxFilter(worst, cv2.CV_32F, (3, 3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(error, np.float32)


def _box(values: NDArray[np.float32], side: int) -> Float:
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)
