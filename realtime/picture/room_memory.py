"""Room memory: what was background and still looks the same is background, whatever the network says of one frame.

A webcam does not move. So a chair that the network occasionally mistakes for a person has usually been classified as
background before. This stage only removes alpha, and only where the picture shows the remembered texture, cell by cell,
regardless of the light. A plain area is never removed, because clothes may have a wall's colour.

On a grid of half the network's size, each cell keeps a luma, and a belief from -1 (certainly a person) to 1 (certainly
the room). With y the new frame's luma and r the kept one, both as area means, and windows of WINDOW cells a side
(borders repeated):

1. gain = (mean(y) + 10) / (mean(r) + 10): light and exposure may have changed, within GAIN.
2. textured: the standard deviations of y and r are both above TEXTURE grey levels. plain: neither is.
3. found: textured, the correlation of y and r is above ALIKE, gain is within GAIN, and |y - gain r| is below NEAR grey
   levels in all 3x3 cells around. same: found; or plain with gain within GAIN_PLAIN.
4. Where alpha < LOW, the network sees background. If the cell is the same, belief grows by LEARN (by UNLEARN while it
   is negative: what was a person for long changes slowly), and r follows y by FOLLOW. Otherwise r = y and belief = 0.
5. Where alpha > HIGH and the cell is the same, belief falls by DOUBT. Where belief is not positive, r follows y by
   FOLLOW_PERSON: belief is about what is there now. Where belief is positive and the cell is not the same, a person is
   in front of the room: both stay.
6. If more than half of the cells of 4 are not the same, the camera was moved, or there was a cut: r = y and belief = 0
   everywhere.
7. share = ramp(belief, TRUSTED) where found, otherwise 0; and 0 where any of the 3x3 cells around has alpha >= LOW and
   is not the same, or has no trust, so that the person's edge is not affected. alpha *= 1 - share, resized bilinearly
   to the network's size.

What was never classified as background has no positive belief, so a person who sits still stays, however long.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture import native
from bgcam.realtime.picture.native import room as native_room
from bgcam.realtime.picture.native.structures import MemoryRules

Float = NDArray[np.float32]

WINDOW = 5
TEXTURE, ALIKE, NEAR = 4.0, 0.85, 8.0
GAIN, GAIN_PLAIN = (0.65, 1.5), (0.85, 1.18)
LOW, HIGH = 0.1, 0.5
LEARN, UNLEARN, DOUBT = 1 / 20, 1 / 40, 1 / 80
FOLLOW, FOLLOW_PERSON = 0.1, 0.3
# No sum of the steps above equals one of these, so that rounding never decides on which side a belief is.
TRUSTED = (0.27, 0.67)
# Added to both means of a gain, because the ratio of two dark values means little.
DARK = 10.0
SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """What is remembered of the room. It is as private as a frame.

    luma: (h / 2, w / 2) float32 from 0 to 255.
    belief: of the same shape, in [-1, 1].
    """

    luma: Float
    belief: Float


def remember(alpha: Float, luma: NDArray[np.uint8], room: Room | None) -> tuple[Float, Room]:
    """Returns the alpha (h, w) float32 without what is certainly the room, and the new memory.

    alpha: (h, w) float32, of the new frame.
    luma: (h, w) uint8, of what the network saw.
    room: the memory so far; None for the first frame. A memory of another size is discarded.

    No argument is changed; without belief, the result is `alpha` itself.
    """
    if alpha.shape != luma.shape or alpha.ndim != 2 or alpha.dtype != np.float32 or luma.dtype != np.uint8:
        raise ValueError(f"a small matte {alpha.shape} {alpha.dtype} does not match luma {luma.shape} {luma.dtype}")
    half_wh = (max(1, alpha.shape[1] // 2), max(1, alpha.shape[0] // 2))
    y: Float = cv2.resize(luma, half_wh, interpolation=cv2.INTER_AREA).astype(np.float32)
    small: Float = np.asarray(cv2.resize(alpha, half_wh, interpolation=cv2.INTER_AREA), np.float32)
    if room is None or room.luma.shape != y.shape:
        return alpha, _nothing(y)
    left = _remember_fast(room, y, small) if native.LIBRARY is not None else _remember(room, y, small)
    if left is None:
        return alpha, _nothing(y)
    share, room = left
    if share is not None:
        size_wh = (alpha.shape[1], alpha.shape[0])
        alpha = alpha * (1 - np.asarray(cv2.resize(share, size_wh, interpolation=cv2.INTER_LINEAR), np.float32))
    return alpha, room


def _remember(room: Room, y: Float, small: Float) -> tuple[Float | None, Room] | None:
    """All on the grid: the share that is taken away, None for nothing, and the new memory; None for all after a cut."""
    found, same = _compare(y, room.luma)
    background, person = small < LOW, small > HIGH
    new = background & ~same
    if 2 * np.count_nonzero(new) > np.count_nonzero(background):
        return None
    trust = _ramp(room.belief)
    other = (small >= LOW) & ~(same & (trust > 0))
    share: Float = trust * (found & (cv2.dilate(other.view(np.uint8), SQUARE) == 0))
    learnt = _learn(room, y, background=background & same, new=new, person=person, same=same)
    return share if share.any() else None, learnt


def _remember_fast(room: Room, y: Float, small: Float) -> tuple[Float | None, Room] | None:
    rules = MemoryRules(
        texture=TEXTURE**2,
        alike=ALIKE**2,
        near=NEAR,
        gain=GAIN,
        gain_plain=GAIN_PLAIN,
        low=LOW,
        high=HIGH,
        learn=LEARN,
        unlearn=UNLEARN,
        doubt=DOUBT,
        follow=FOLLOW,
        follow_person=FOLLOW_PERSON,
        trusted=TRUSTED,
        dark=DARK,
        window=WINDOW,
    )
    left = native_room.remember(small, y, room.luma, room.belief, rules=rules)
    return None if left is None else (left[0], Room(left[1], left[2]))


def _nothing(y: Float) -> Room:
    return Room(y, np.zeros_like(y))


def _compare(y: Float, r: Float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Steps 1 to 3: found and same."""
    mean_y, mean_r = _mean(y), _mean(r)
    variance_y, variance_r = _mean(y * y) - mean_y * mean_y, _mean(r * r) - mean_r * mean_r
    covariance = _mean(y * r) - mean_y * mean_r
    gain = (mean_y + np.float32(DARK)) / (mean_r + np.float32(DARK))
    least, most = np.minimum(variance_y, variance_r), np.maximum(variance_y, variance_r)
    textured, plain = least > TEXTURE**2, most <= TEXTURE**2
    # The square of a positive correlation: a square root for each cell would take longer than all the rest.
    alike = (covariance > 0) & (covariance * covariance > np.float32(ALIKE**2) * variance_y * variance_r)
    near = cv2.dilate(np.abs(y - gain * r), SQUARE) < NEAR
    found = textured & alike & near & (gain > GAIN[0]) & (gain < GAIN[1])
    return found, found | (plain & (gain > GAIN_PLAIN[0]) & (gain < GAIN_PLAIN[1]))


def _learn(
    room: Room,
    y: Float,
    *,
    background: NDArray[np.bool_],
    new: NDArray[np.bool_],
    person: NDArray[np.bool_],
    same: NDArray[np.bool_],
) -> Room:
    """Steps 4 and 5. background: classified as background and the same; new: classified so and not the same."""
    grown = np.where(room.belief < 0, np.float32(UNLEARN), np.float32(LEARN))
    belief = room.belief + background * grown - (person & same) * np.float32(DOUBT)
    np.clip(belief, -1, 1, out=belief)
    belief[new] = 0
    rate = background * np.float32(FOLLOW) + (person & (belief <= 0)) * np.float32(FOLLOW_PERSON)
    rate[new] = 1
    return Room(np.asarray(room.luma + rate * (y - room.luma), np.float32), np.asarray(belief, np.float32))


def _ramp(belief: Float) -> Float:
    low, high = TRUSTED
    return np.asarray(np.clip((belief - np.float32(low)) * np.float32(1 / (high - low)), 0, 1), np.float32)


def _mean(values: Float) -> Float:
    return np.asarray(cv2.blur(values, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE), np.float32)
