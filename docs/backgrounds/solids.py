"""A room of boxes, balls and rods, with windows and lamps, and what rays meet in it.

Metres; x to the right, y upwards, z away from the camera. Light is RGB float32 in any unit. Rays are (3, N): `origin`
and unit `direction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Ints = NDArray[np.int32]
Paint = Callable[[Array], Array]  # points (N, 3) in the world -> colours (N, 3)

FAR = np.float32(1e9)


@dataclass
class Solid:
    """A box, ball or rod (a cylinder along its own y) with its centre and half sizes.

    turn: (3, 3), whose columns are the solid's own x, y and z in the room; None where they are the room's.
    """

    kind: str
    centre: Array
    half: Array
    colour: Array | Paint
    turn: Array | None = None
    glow: Array | Paint | None = None  # light that it sends to the camera; what it lights is a Lamp's matter
    blocks: bool = True  # whether it throws a shadow


@dataclass
class Window:
    """A rectangle through which the sky shines in: one corner, its two sides, and the light that it sends."""

    corner: Array
    side_a: Array
    side_b: Array
    light: Array


@dataclass
class Lamp:
    """A ball of light. `power` is the light that arrives at 1 m."""

    centre: Array
    radius: float
    power: Array


@dataclass
class Room:
    outside: Paint  # direction (N, 3) -> light of what lies beyond everything
    solids: list[Solid] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    groups: list[tuple[Solid, range]] = field(default_factory=list)

    def add(
        self,
        kind: str,
        centre: tuple[float, float, float],
        half: tuple[float, float, float],
        colour: Array | Paint,
        *,
        yaw: float = 0.0,
        turn: Array | None = None,
        glow: Array | Paint | None = None,
        blocks: bool = True,
    ) -> None:
        """yaw: radians around y, in place of `turn`."""
        if yaw:
            c, s = np.cos(yaw), np.sin(yaw)
            turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)
        self.solids.append(
            Solid(kind, np.array(centre, np.float32), np.array(half, np.float32), colour, turn, glow, blocks)
        )

    @contextmanager
    def group(self) -> Iterator[None]:
        """What is added inside is tested only for rays that meet the box around all of it: this saves time."""
        first = len(self.solids)
        yield
        members = self.solids[first:]
        if members:
            reach = [s.half if s.turn is None else np.abs(s.turn) @ s.half for s in members]
            low = np.min([s.centre - r for s, r in zip(members, reach, strict=True)], 0)
            high = np.max([s.centre + r for s, r in zip(members, reach, strict=True)], 0)
            around = Solid("box", (low + high) / 2, (high - low) / 2 + np.float32(1e-3), np.zeros(3, np.float32))
            self.groups.append((around, range(first, len(self.solids))))

    def box(self, low: tuple[float, float, float], high: tuple[float, float, float], colour: Array | Paint) -> None:
        """A box from corner to corner."""
        a, b = np.array(low, np.float32), np.array(high, np.float32)
        self.solids.append(Solid("box", (a + b) / 2, np.abs(b - a) / 2, colour))

    def window(
        self,
        corner: tuple[float, float, float],
        side_a: tuple[float, float, float],
        side_b: tuple[float, float, float],
        light: Array,
    ) -> None:
        self.windows.append(
            Window(np.array(corner, np.float32), np.array(side_a, np.float32), np.array(side_b, np.float32), light)
        )

    def lamp(self, centre: tuple[float, float, float], radius: float, power: Array) -> None:
        self.lamps.append(Lamp(np.array(centre, np.float32), radius, power))


def _local(solid: Solid, vectors: Array) -> Array:
    return vectors if solid.turn is None else solid.turn.T @ vectors


def _distance(solid: Solid, origin: Array, direction: Array) -> Array:
    """How far each ray (3, N) goes until it meets the solid; FAR where it does not."""
    o = _local(solid, origin - solid.centre[:, None]) / solid.half[:, None]
    d = _local(solid, direction) / solid.half[:, None]
    if solid.kind == "box":
        inverse = 1 / np.where(np.abs(d) < 1e-9, np.float32(1e-9), d)
        a, b = (-1 - o) * inverse, (1 - o) * inverse
        near, far = np.minimum(a, b).max(0), np.maximum(a, b).min(0)
        hit = np.where(near > 1e-4, near, far)
        return np.where((near <= far) & (hit > 1e-4), hit, FAR)
    if solid.kind == "rod":  # an endless cylinder between two planes
        inverse = 1 / np.where(np.abs(d[1]) < 1e-9, np.float32(1e-9), d[1])
        a, b = (-1 - o[1]) * inverse, (1 - o[1]) * inverse
        low, high = np.minimum(a, b), np.maximum(a, b)
        o, d = o[::2], d[::2]
    else:
        low, high = -FAR, FAR
    qa, qb, qc = (d * d).sum(0), (o * d).sum(0), (o * o).sum(0) - 1
    root = qb * qb - qa * qc
    reach = np.sqrt(np.maximum(root, 0))
    near, far = np.maximum((-qb - reach) / qa, low), np.minimum((-qb + reach) / qa, high)
    hit = np.where(near > 1e-4, near, far)
    return np.where((root > 0) & (near <= far) & (hit > 1e-4), hit, FAR)


def _normal(solid: Solid, points: Array, direction: Array) -> Array:
    """Unit normals (3, N) that look against the rays."""
    p = _local(solid, points - solid.centre[:, None]) / solid.half[:, None]
    if solid.kind == "ball":
        n = p / solid.half[:, None]
    elif solid.kind == "box":
        axis = np.abs(p).argmax(0)
        n = np.where(np.arange(3)[:, None] == axis, np.sign(p), 0)
    else:
        side = np.hypot(p[0], p[2]) > np.abs(p[1])
        n = np.where(side, np.stack([p[0], 0 * p[1], p[2]]), np.stack([0 * p[0], np.sign(p[1]), 0 * p[2]]))
    n = n.astype(np.float32) if solid.turn is None else solid.turn @ n.astype(np.float32)
    n = n / np.maximum(np.linalg.norm(n, axis=0), 1e-9)
    return np.where((n * direction).sum(0) > 0, -n, n)


def _meeting(around: Solid, origin: Array, direction: Array, reach: Array) -> Ints:
    """The numbers of the rays that come into a box before they have gone `reach`."""
    o = (origin - around.centre[:, None]) / around.half[:, None]
    inverse = around.half[:, None] / np.where(np.abs(direction) < 1e-9, np.float32(1e-9), direction)
    a, b = (-1 - o) * inverse, (1 - o) * inverse
    near, far = np.minimum(a, b).max(0), np.maximum(a, b).min(0)
    return np.flatnonzero((near <= far) & (far > 0) & (near < reach)).astype(np.int32)


def _loose(room: Room) -> list[int]:
    """The solids that are in no group."""
    grouped = {number for _, members in room.groups for number in members}
    return [number for number in range(len(room.solids)) if number not in grouped]


def first_hit(room: Room, origin: Array, direction: Array) -> tuple[Array, Ints]:
    best = np.full(origin.shape[1], FAR, np.float32)
    which = np.full(origin.shape[1], -1, np.int32)
    for number in _loose(room):
        distance = _distance(room.solids[number], origin, direction)
        nearer = distance < best
        best = np.where(nearer, distance, best)
        which[nearer] = number
    for around, members in room.groups:
        rays = _meeting(around, origin, direction, best)
        if len(rays):
            o, d = origin[:, rays], direction[:, rays]
            for number in members:
                distance = _distance(room.solids[number], o, d)
                nearer = distance < best[rays]
                best[rays[nearer]] = distance[nearer]
                which[rays[nearer]] = number
    return best, which


def lit(room: Room, origin: Array, direction: Array, reach: Array) -> Array:
    """1.0 where nothing stands between `origin` and the light at `reach`."""
    free = np.ones(origin.shape[1], bool)
    for number in _loose(room):
        if room.solids[number].blocks:
            free &= _distance(room.solids[number], origin, direction) > reach - 1e-3
    for around, members in room.groups:
        rays = _meeting(around, origin, direction, np.where(free, reach, np.float32(-1)))
        if len(rays):
            o, d, until = origin[:, rays], direction[:, rays], reach[rays] - 1e-3
            for number in members:
                if room.solids[number].blocks:
                    free[rays] &= _distance(room.solids[number], o, d) > until
    return free.astype(np.float32)


def surface(
    room: Room, origin: Array, direction: Array, distance: Array, which: Ints
) -> tuple[Array, Array, Array, Array]:
    """Points, normals, colours and glow (3, N) of what the rays met."""
    points = (origin + direction * distance).astype(np.float32)
    normals, colours, glow = np.zeros_like(points), np.zeros_like(points), np.zeros_like(points)
    for number in np.unique(which[which >= 0]):
        solid, mine = room.solids[number], which == number
        normals[:, mine] = _normal(solid, points[:, mine], direction[:, mine])
        colours[:, mine] = _painted(solid.colour, points[:, mine])
        if solid.glow is not None:
            glow[:, mine] = _painted(solid.glow, points[:, mine])
    return points + normals * np.float32(1e-3), normals, colours, glow


def _painted(paint: Array | Paint, points: Array) -> Array:
    return paint(points.T).T if callable(paint) else paint[:, None]
