"""A small path tracer: windows and lamps light a room (solids.py), and one bounce of light more.

It is noisy, which the lens blur that follows hides: a few rays a pixel at a quarter of the full size are enough.
"""

from __future__ import annotations

import cv2
import numpy as np

from backgrounds.solids import Array, Ints, Room, first_hit, lit, surface

BRIGHTEST = np.float32(8)
CHUNK = 1 << 15  # rays at a time: what they need stays in the processor's cache


def _direct(room: Room, points: Array, normals: Array, rng: np.random.Generator) -> Array:
    """The light (3, N) that one window and one lamp, drawn by lot for each point, throw on it.

    On average that is the light of all.
    """
    n = points.shape[1]
    total = np.zeros((3, n), np.float32)
    if room.windows:
        pick = rng.integers(0, len(room.windows), n)
        corner, side_a, side_b, area, light = (
            np.stack(rows)[pick].T
            for rows in zip(
                *((w.corner, w.side_a, w.side_b, np.cross(w.side_a, w.side_b), w.light) for w in room.windows),
                strict=True,
            )
        )
        a, b = rng.random((2, n), np.float32)
        to, reach = _towards(corner + side_a * a + side_b * b - points)
        facing = np.abs((to * area).sum(0)) * np.maximum((to * normals).sum(0), 0) / np.maximum(reach * reach, 0.02)
        total += light * (facing * lit(room, points, to, reach) * np.float32(len(room.windows) / np.pi))
    if room.lamps:
        pick = rng.integers(0, len(room.lamps), n)
        centre, power = (
            np.stack(rows)[pick].T for rows in zip(*((x.centre, x.power) for x in room.lamps), strict=True)
        )
        radius = np.array([lamp.radius for lamp in room.lamps], np.float32)[pick]
        aside, _ = _towards(rng.normal(0, 1, (3, n)).astype(np.float32))
        to, reach = _towards(centre + aside * radius - points)
        facing = np.maximum((to * normals).sum(0), 0) / np.maximum(reach * reach, 0.02)
        total += power * (facing * lit(room, points, to, reach) * np.float32(len(room.lamps)))
    return total


def _towards(vectors: Array) -> tuple[Array, Array]:
    """Unit vectors (3, N) and lengths (N,)."""
    reach = np.maximum(np.sqrt((vectors * vectors).sum(0)), 1e-9).astype(np.float32)
    return (vectors / reach).astype(np.float32), reach


def _radiance(room: Room, origin: Array, direction: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """What shines by itself; what is lit: its colour, and the light that arrives there, which is noisy. (3, N) each."""
    distance, which = first_hit(room, origin, direction)
    shining, colour, arriving = (np.zeros_like(direction) for _ in range(3))
    out = which < 0
    shining[:, out] = room.outside(direction[:, out].T).T
    met = ~out
    if not met.any():
        return shining, colour, arriving
    o, d = origin[:, met], direction[:, met]
    points, normals, colour[:, met], shining[:, met] = surface(room, o, d, distance[met], which[met])
    light = _direct(room, points, normals, rng)
    aside, _ = _towards(rng.normal(0, 1, points.shape).astype(np.float32))
    bounce, _ = _towards(aside + normals * np.float32(1.001))
    distance2, which2 = first_hit(room, points, bounce)
    there = which2 >= 0
    p2, n2, c2, _ = surface(room, points[:, there], bounce[:, there], distance2[there], which2[there])
    # As much again comes by more bounces. A ray that ends beside a lamp finds far too much, hence the limits.
    light[:, there] += np.minimum(c2 * _direct(room, p2, n2, rng) * np.float32(2), BRIGHTEST / 3)
    arriving[:, met] = np.minimum(light, BRIGHTEST)
    return shining, colour, arriving


def _calm(light: Array, which: Ints, normals: Array) -> Array:
    """Average the light (H, W, 3) over neighbours on the same side of the same solid, in ever wider steps."""
    light = cv2.medianBlur(light, 3)
    h, w = which.shape
    for step in (step for step in (1, 2, 4, 8) if 60 * step <= max(w, 60)):  # the same share of the width at every size
        pad = 2 * step
        wide, ids, sides = (
            cv2.copyMakeBorder(a, pad, pad, pad, pad, cv2.BORDER_REPLICATE) for a in (light, which, normals)
        )
        total, weights = np.zeros_like(light), np.zeros((h, w), np.float32)
        for row, a in enumerate((1, 4, 6, 4, 1)):
            for column, b in enumerate((1, 4, 6, 4, 1)):
                at = np.s_[row * step : row * step + h, column * step : column * step + w]
                same = (ids[at] == which) * np.maximum((sides[at] * normals).sum(-1), 0) ** 8
                weight = (same * (a * b) + (1e-6 if a * b == 36 else 0)).astype(np.float32)
                total += wide[at] * weight[..., None]
                weights += weight
        light = total / weights[..., None]
    return light


def render(
    room: Room,
    *,
    eye: tuple[float, float, float],
    look_at: tuple[float, float, float],
    view_deg: float,
    size_wh: tuple[int, int],
    side: int,
    seed: int,
) -> Array:
    """The camera's picture, (H, W, 3) light, by side x side rays a pixel. view_deg: across."""
    rng = np.random.default_rng(seed)
    forward = np.array(look_at, np.float32) - np.array(eye, np.float32)
    forward /= np.linalg.norm(forward)
    right = np.cross([0, 1, 0], forward)
    right /= np.linalg.norm(right)
    up = np.cross(forward, right)
    w, h = size_wh
    y, x = (axis.ravel().astype(np.float32) for axis in np.mgrid[0:h, 0:w])
    zoom = np.float32(2 * np.tan(np.deg2rad(view_deg) / 2) / w)
    shining, colour, arriving, normals = (np.zeros((h * w, 3), np.float32) for _ in range(4))
    which = np.zeros(h * w, np.int32)

    def aim(part: slice, jitter: Array) -> tuple[Array, Array]:
        across, down = (x[part] + jitter[0] - w / 2) * zoom, (y[part] + jitter[1] - h / 2) * zoom
        d, _ = _towards(forward[:, None] + right[:, None] * across - up[:, None] * down)
        return np.broadcast_to(np.array(eye, np.float32)[:, None], d.shape), d

    for start in range(0, h * w, CHUNK):
        part = slice(start, start + CHUNK)
        n = len(x[part])
        o, d = aim(part, np.full((2, n), 0.5, np.float32))
        distance, which[part] = first_hit(room, o, d)
        normals[part] = surface(room, o, d, distance, which[part])[1].T
        hits = np.full(n, 1e-6, np.float32)
        for ray in range(side * side):
            cell = np.array([[ray % side], [ray // side]], np.float32)
            jitter = ((rng.random((2, n), np.float32) + cell) / side).astype(np.float32)
            parts = _radiance(room, *aim(part, jitter), rng)
            for total, own in zip((shining, colour, arriving), parts, strict=True):
                total[part] += own.T
            hits += parts[1].any(0)
        shining[part] /= side * side
        colour[part] /= side * side
        arriving[part] /= hits[:, None]
    light = _calm(arriving.reshape(h, w, 3), which.reshape(h, w), normals.reshape(h, w, 3))
    return shining.reshape(h, w, 3) + colour.reshape(h, w, 3) * light
