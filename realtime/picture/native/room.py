"""What is known of the room, in C: as the package's other functions, for `room_memory.py`, `room_light.py`,
`room_plate.py` and `learnt_room.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.native import CUT, Float, Picture, call, contiguous
from bgcam.realtime.picture.native.structures import FollowRules, LightRules, MemoryRules, PlateRules, TakeRules

Mask = NDArray[np.bool_]


def remember(
    alpha: Float, y: Float, luma: Float, belief: Float, *, rules: MemoryRules
) -> tuple[Float | None, Float, Float] | None:
    """`room_memory.remember` on its grid: the share that is taken away, None for nothing, and the new luma and belief;
    None for all where most of the background is new."""
    share, new_luma, new_belief = (np.empty(alpha.shape, np.float32) for _ in range(3))
    given, any_share = (contiguous(one, np.float32) for one in (alpha, y, luma, belief)), np.empty(1, np.int32)
    height, width = alpha.shape
    if call("remember", *given, share, new_luma, new_belief, any_share, width, height, rules) == CUT:
        return None
    return share if any_share[0] else None, new_luma, new_belief


def fit_light(
    frame: Float, plate: Float, asked: Mask, *, rules: LightRules
) -> tuple[Float, Float, Float, float] | None:
    """`room_light.fit_light`: gain, offset, local and fitting, or None."""
    gain, offset, local = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(frame.shape, np.float32)
    counts = np.empty(2, np.int32)
    given = contiguous(frame, np.float32), contiguous(plate, np.float32), contiguous(asked, np.bool_)
    height, width = asked.shape
    if call("fit_light", *given, gain, offset, local, counts, width, height, rules) == CUT:
        return None
    cells, fitting = counts.tolist()
    return gain, offset, local, fitting / cells


def make_plate(mean_bgr: Float, *, side: int, flat: float) -> tuple[Picture, Float]:
    """`room_plate.make_plate` of (h, w, 3): the plate and its deviation. side: odd, at most 5."""
    height, width = mean_bgr.shape[:2]
    bgr, deviation = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32)
    call("make_plate", contiguous(mean_bgr, np.float32), bgr, deviation, width, height, side, flat)
    return bgr, deviation


def compare(
    plate_bgr: Picture,
    seen_bgr: Picture,
    shade: Picture,
    table: Picture,
    alpha: Float,
    deviation: Float,
    *,
    rules: PlateRules,
) -> tuple[Float, Float, Mask, tuple[int, int, int]]:
    """`room_plate.compare` in a light: matches, equals, differs; and how many pixels of the background are textured,
    how many there are, and how many of the textured ones match.

    plate_bgr, seen_bgr, shade: (h, w, 3); shade is added less 128. table: (256, 3), the plate's levels in the light.
    """
    height, width = alpha.shape
    matches, equals = np.empty((2, height, width), np.float32)
    differs, counts = np.empty(alpha.shape, np.bool_), np.empty(3, np.int32)
    pictures = (contiguous(one, np.uint8) for one in (plate_bgr, seen_bgr, shade, table))
    given = contiguous(alpha, np.float32), contiguous(deviation, np.float32)
    call("compare", *pictures, *given, matches, equals, differs, counts, width, height, rules)
    textured, background, matching = counts.tolist()
    return matches, equals, differs, (textured, background, matching)


def take_away(
    alpha: Float, matches: Float, equals: Float, differs: Mask, trust: Float, before: Float, *, rules: TakeRules
) -> tuple[Float, Float]:
    """`room_plate.take_away`: the new alpha, and what is left slowly; all (h, w)."""
    height, width = alpha.shape
    out, left = np.empty((2, height, width), np.float32)
    first, second = (contiguous(one, np.float32) for one in (alpha, matches)), contiguous(equals, np.float32)
    last = (contiguous(one, np.float32) for one in (trust, before))
    call("take_away", *first, second, contiguous(differs, np.bool_), *last, out, left, width, height, rules)
    return out, left


def learn(seen_bgr: Picture, total: Float, squares: Float, *, offset: Float, scale: Float) -> None:
    """`learnt_room.add_frame`: adds to total and squares, (h, w, 3) and contiguous. offset, scale: (3,)."""
    call("learn", contiguous(seen_bgr, np.uint8), total, squares, offset, scale, total.size // 3)


def follow(
    alpha: Float,
    equals: Float,
    differs: Mask,
    steady: Float,
    seen_bgr: Picture,
    *,
    offset: Float,
    scale: Float,
    trust: Float,
    mean: Float,
    rules: FollowRules,
) -> None:
    """`learnt_room.follow`: changes trust (h, w) and mean (h, w, 3), both contiguous."""
    planes = contiguous(alpha, np.float32), contiguous(equals, np.float32), contiguous(differs, np.bool_)
    given = *planes, contiguous(steady, np.float32), contiguous(seen_bgr, np.uint8)
    call("follow", *given, offset, scale, trust, mean, alpha.size, rules)
