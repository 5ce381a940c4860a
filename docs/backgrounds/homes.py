"""Rooms at home, traced: `bookshelf`, `loft` and `living-room`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backgrounds.canvas import Array, Canvas, develop, rgb
from backgrounds.rooms import photograph, plant
from backgrounds.solids import Paint, Room

SPINES = (
    "#7d3b30", "#2f4858", "#c9b48e", "#3f5a45", "#8a6a42", "#20252c", "#b5523b", "#d8cdb8", "#5a6b7b", "#6b2f3c",
    "#a88a5c", "#e4ddd0", "#35505c", "#94402f", "#495057", "#c28f4a",
)  # fmt: skip


def stripes(edges: Array, colours: Array) -> Paint:
    """Books side by side: colours (n, 3) between the edges (n + 1,) along x, each rounded."""

    def paint(points: Array) -> Array:
        at = np.clip(np.searchsorted(edges, points[:, 0]) - 1, 0, len(colours) - 1)
        across = (points[:, 0] - edges[at]) / (edges[at + 1] - edges[at])
        round_off = np.clip(1.08 - 1.6 * np.abs(across - 0.5) ** 2.5, 0.3, 1.1)
        return (colours[at] * round_off[:, None]).astype(np.float32)

    return paint


def books(room: Room, rng: np.random.Generator, left: float, right: float, bottom: float, front: float) -> None:
    """A row of books, in groups of one height."""
    at = left
    while at < right - 0.04:
        widths = rng.uniform(0.018, 0.05, int(rng.integers(2, 7)))
        edges = at + np.concatenate([[0], np.cumsum(widths)])
        edges = edges[edges < right]
        if len(edges) < 2:
            return
        one_series = rng.random() < 0.3
        picks = (
            np.full(len(edges) - 1, rng.integers(len(SPINES)))
            if one_series
            else rng.integers(0, len(SPINES), len(edges) - 1)
        )
        colours = np.stack([rgb(SPINES[i]) for i in picks]) * rng.uniform(0.75, 1.05, (len(picks), 1))
        colours = 0.8 * colours + 0.2 * colours.mean(1, keepdims=True)  # faded
        high, deep = rng.uniform(0.19, 0.30), rng.uniform(0.0, 0.04)
        paint = stripes(edges.astype(np.float32), colours.astype(np.float32))
        room.box((edges[0], bottom, front + deep), (edges[-1], bottom + high, front + 0.24), paint)
        at = float(edges[-1]) + (0.0 if rng.random() < 0.8 else float(rng.uniform(0.01, 0.05)))


def bookshelf(scale: float) -> NDArray[np.uint8]:
    """A wall of shelves with books, bowls and plants, by window light from the left and a warm lamp on the right."""
    canvas, rng = Canvas(scale), np.random.default_rng(61)
    room = Room(lambda direction: np.broadcast_to(rgb("#dfe8f2") * 3, direction.shape))
    wood, wall = rgb("#9a7350"), rgb("#d9cfc2")
    front = 2.6
    room.box((-3.6, -0.1, -2), (3.6, 0, 3.2), rgb("#8a6d52"))
    room.box((-3.6, 2.8, -2), (3.6, 2.9, 3.2), rgb("#e8e4dd"))
    room.box((-3.6, 0, 2.92), (3.6, 2.8, 3.0), rgb("#8f6b4b"))
    room.box((3.5, 0, -2), (3.6, 2.8, 3), wall)
    room.box((-3.6, 0, -2.1), (3.6, 2.8, -2), wall)
    room.box((-3.6, 0, 2.0), (-3.5, 2.8, 3), wall)
    room.window((-3.5, 0.5, -1.8), (0, 0, 3.4), (0, 2.0, 0), rgb("#e6eefb") * 3.4)
    room.lamp((2.3, 1.75, 1.6), 0.12, rgb("#ffc489") * 1.6)
    room.lamp((-0.8, 2.6, 0.6), 0.3, rgb("#ffd9ae") * 1.3)
    columns = np.arange(-2.85, 2.9, 0.95)
    shelves = (0.05, 0.44, 0.83, 1.22, 1.61, 2.00, 2.39)
    for at in columns:
        room.box((at - 0.018, 0, front - 0.03), (at + 0.018, 2.7, 2.95), wood)
    for at in shelves:
        room.box((-2.87, at - 0.03, front - 0.03), (2.87, at, 2.95), wood)
    bare = {
        (1, 4): "bowl",
        (4, 3): "plant",
        (3, 5): "vase",
        (2, 2): "frame",
        (0, 3): "vase",
        (5, 4): "bowl",
        (4, 5): "plant",
    }
    for column, left in enumerate(columns[:-1]):
        for row, bottom in enumerate(shelves[:-1]):
            a, b = left + 0.03, left + 0.92
            thing = bare.get((column, row))
            end = a + 0.36 if thing else b if rng.random() < 0.6 else b - float(rng.uniform(0.1, 0.4))
            with room.group():
                books(room, rng, a, end, bottom, front)
            if thing is None:
                continue
            x, z = a + 0.62, front + 0.12
            if thing == "plant":
                room.add("rod", (x, bottom + 0.06, z), (0.07, 0.06, 0.07), rgb("#d9d2c6"))
                plant(room, rng, (x, bottom + 0.06, z), 0.26, 16)
            elif thing == "vase":
                room.add("ball", (x, bottom + 0.1, z), (0.09, 0.11, 0.09), rgb("#c9c3b6"))
                room.add("rod", (x, bottom + 0.21, z), (0.03, 0.06, 0.03), rgb("#c9c3b6"))
            elif thing == "bowl":
                room.add("ball", (x, bottom + 0.06, z), (0.13, 0.07, 0.1), rgb("#3d5a63"))
            else:
                room.box((x - 0.12, bottom, z), (x + 0.12, bottom + 0.3, z + 0.02), rgb("#26221e"))
                room.box((x - 0.10, bottom + 0.02, z - 0.005), (x + 0.10, bottom + 0.28, z), rgb("#cfc8bb"))
    light = photograph(room, canvas, eye=(0.15, 1.35, -0.15), look_at=(0.0, 1.33, 3), view_deg=62, blur=13, seed=610)
    return develop(canvas, light, rng, exposure=1.5, bloom=0.08, vignette=0.3)


def bricks(points: Array) -> Array:
    """Old red bricks, 25 x 8 cm with their joints, along x and y."""
    row = np.floor(points[:, 1] / 0.08)
    along = points[:, 0] / 0.25 + 0.5 * (row % 2)
    column = np.floor(along)
    mortar = (np.abs(along - column - 0.5) > 0.47) | (np.abs(points[:, 1] / 0.08 - row - 0.5) > 0.42)
    lot = np.mod(np.sin(row * 127.1 + column * 311.7) * 43758.5453, 1)[:, None]
    lot2 = np.mod(np.sin(row * 269.5 + column * 183.3) * 43758.5453, 1)[:, None]
    brick = rgb("#82594b") * (0.5 + 0.75 * lot) + (rgb("#b5957f") - rgb("#82594b")) * (lot2**3) * 0.7
    return np.where(mortar[:, None], rgb("#b3a89c"), brick).astype(np.float32)


def loft(scale: float) -> NDArray[np.uint8]:
    """An old brick wall in a loft, with bare bulbs, a low sideboard and a plant; the window is on the left."""
    canvas, rng = Canvas(scale), np.random.default_rng(62)
    room = Room(lambda direction: np.broadcast_to(rgb("#c9d8ea") * 3, direction.shape))
    room.box((-4, -0.1, -2), (4, 0, 4.2), rgb("#7a5a40"))
    room.box((-4, 3.4, -2), (4, 3.5, 4.2), rgb("#4a443f"))
    room.box((-4, 0, 4.0), (4, 3.4, 4.2), bricks)
    room.box((3.4, 0, -2), (3.5, 3.4, 4.2), rgb("#b8aea2"))
    room.box((-4, 0, -2.1), (4, 3.4, -2), rgb("#8d857c"))
    room.box((-3.5, 0, 3.3), (-3.4, 3.4, 4.2), rgb("#a39a90"))
    room.window((-3.4, 0.8, -1.0), (0, 0, 4.2), (0, 2.2, 0), rgb("#d3e2f8") * 3.0)
    for x, y, z in ((-1.62, 2.12, 3.2), (-1.15, 1.92, 3.35), (1.25, 2.02, 3.3), (1.72, 2.2, 3.1)):
        room.add("ball", (x, y, z), (0.045, 0.06, 0.045), rgb("#ffffff"), glow=rgb("#ffb25c") * 26, blocks=False)
        room.add("rod", (x, y + 0.1, z), (0.025, 0.045, 0.025), rgb("#2a2622"), blocks=False)
        room.add("rod", (x, y + 0.9, z), (0.006, 0.8, 0.006), rgb("#1a1816"), blocks=False)
        room.lamp((x, y, z), 0.06, rgb("#ffc184") * 0.6)
    room.box((-2.5, 0.12, 3.45), (-0.6, 0.72, 3.95), rgb("#6b4a30"))
    for x in (-2.05, -1.55, -1.05):
        room.box((x - 0.005, 0.15, 3.44), (x + 0.005, 0.70, 3.46), rgb("#2b1d13"))
    room.box((-2.55, 0.72, 3.42), (-0.55, 0.75, 3.97), rgb("#7a5638"))
    room.box((-1.95, 0.75, 3.6), (-1.5, 0.79, 3.85), rgb("#2f4858"))
    room.box((-1.92, 0.79, 3.62), (-1.54, 0.825, 3.84), rgb("#c9b48e"))
    room.add("ball", (-1.0, 0.87, 3.7), (0.1, 0.13, 0.1), rgb("#4a5a5c"))
    room.add("rod", (1.5, 0.25, 3.4), (0.24, 0.25, 0.24), rgb("#3a3835"))
    plant(room, rng, (1.5, 0.45, 3.4), 1.05, 44)
    light = photograph(room, canvas, eye=(0.1, 1.4, 0), look_at=(0, 1.42, 4), view_deg=60, blur=15, seed=620)
    return develop(canvas, light, rng, exposure=1.5, bloom=0.12, vignette=0.35)


def tilted(angle: float) -> Array:
    """Axes of what leans to the side by `angle` (radians) and a little backwards."""
    c, s = np.cos(angle), np.sin(angle)
    roll = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    lean = np.array([[1, 0, 0], [0, 0.97, -0.24], [0, 0.24, 0.97]])
    return (lean @ roll).astype(np.float32)


def living_room(scale: float) -> NDArray[np.uint8]:
    """A bright living room: a window with curtains on the left, a sofa, a lamp, two framed prints and plants."""
    canvas, rng = Canvas(scale), np.random.default_rng(63)

    def garden(direction: Array) -> Array:
        x, y = direction[:, :1] / direction[:, 2:3], direction[:, 1:2] / direction[:, 2:3]
        leaves = 0.5 + 0.25 * np.sin(x * 31 + 3 * np.sin(y * 23)) + 0.25 * np.sin(y * 37 + 2 * np.sin(x * 19))
        edge = (
            0.10
            + 0.05 * np.sin(x * 9)
            + 0.03 * np.sin(x * 23 + 1)
            + 0.02 * np.sin(x * 57)
            + 0.02 * np.sin(y * 60 + x * 80)
        )
        tree = np.clip((edge - y) * 9, 0, 1)
        return rgb("#e9f1fa") * 1.5 * (1 - tree) + (rgb("#6f8a4c") * 0.5 + rgb("#d9e3a8") * leaves * 0.6) * tree

    def folds(tone: Array, share: float) -> Paint:
        def paint(points: Array) -> Array:
            wave = np.sin(points[:, :1] * 62 + 1.2 * np.sin(points[:, :1] * 17)) * 0.5 + 0.5
            return (tone * (share + (1 - share) * wave)).astype(np.float32)

        return paint

    room = Room(garden)
    wall, white = rgb("#ddd6cb"), rgb("#efece6")
    back, top = 4.6, 2.7
    room.box((-4, -0.1, -2), (4, 0, back), rgb("#a58261"))
    room.box((-4, top, -2), (4, top + 0.1, back), white)
    room.box((3.6, 0, -2), (3.7, top, back), wall)
    room.box((-4, 0, -2.1), (4, top, -2), wall)
    room.box((-3.7, 0, -2), (-3.6, top, back), wall)
    left, right, sill, lintel = -2.35, -0.85, 0.75, 2.35
    room.box((-4, 0, back), (left, top, back + 0.15), wall)
    room.box((right, 0, back), (4, top, back + 0.15), wall)
    room.box((left, 0, back), (right, sill, back + 0.15), wall)
    room.box((left, lintel, back), (right, top, back + 0.15), wall)
    for x in (left, (left + right) / 2, right):
        room.box((x - 0.03, sill, back + 0.04), (x + 0.03, lintel, back + 0.1), white)
    room.box((left - 0.05, sill - 0.04, back - 0.15), (right + 0.05, sill, back + 0.1), white)
    room.window((left, sill, back + 0.1), (right - left, 0, 0), (0, lintel - sill, 0), rgb("#e4eefc") * 5)
    room.window((-3.55, 0.4, -1.6), (0, 0, 2.6), (0, 2.0, 0), rgb("#eef2fb") * 3.2)
    room.lamp((0.6, 2.5, 0.4), 0.3, rgb("#ffe6c8") * 1.0)
    cloth = rgb("#e3d9ca")
    for a, b in ((left - 0.42, left + 0.06), (right - 0.06, right + 0.42)):
        x = (a + b) / 2
        room.add(
            "box",
            (x, 1.25, back - 0.2),
            ((b - a) / 2, 1.25, 0.04),
            folds(cloth, 0.55),
            glow=folds(rgb("#efe2cd") * 0.16, 0.2),
        )
    room.box((left - 0.55, 2.5, back - 0.22), (right + 0.55, 2.53, back - 0.19), rgb("#3a332c"))
    sofa = rgb("#8a948f")
    room.box((0.15, 0.12, 3.5), (2.15, 0.45, 4.45), sofa)
    room.box((0.15, 0.42, 4.2), (2.15, 0.88, 4.5), sofa)
    for x in (0.05, 2.05):
        room.box((x, 0.1, 3.5), (x + 0.2, 0.64, 4.5), sofa)
    for x, tone, yaw in ((0.60, "#a9825c", 0.22), (1.02, "#d9d2c4", -0.12), (1.78, "#5b7480", -0.25)):
        room.add("box", (x, 0.65, 4.1), (0.22, 0.21, 0.06), rgb(tone), turn=tilted(yaw))
    for x, tone in ((1.08, "#b98d6a"), (1.80, "#6f8791")):
        room.box((x - 0.31, 1.30, back - 0.03), (x + 0.31, 2.12, back), rgb("#3b2f26"))
        room.box((x - 0.285, 1.325, back - 0.035), (x + 0.285, 2.095, back - 0.02), rgb("#f1ede5"))
        room.box((x - 0.17, 1.47, back - 0.04), (x + 0.17, 1.95, back - 0.03), rgb(tone))
    room.add("rod", (2.46, 0.72, 4.2), (0.015, 0.72, 0.015), rgb("#4a4038"))
    room.add("rod", (2.46, 1.56, 4.2), (0.2, 0.15, 0.2), rgb("#f5e9d6"), glow=rgb("#ffdcab") * 1.3, blocks=False)
    room.lamp((2.46, 1.56, 4.2), 0.1, rgb("#ffd09c") * 0.36)
    room.add("rod", (-0.3, 0.2, 4.2), (0.19, 0.2, 0.19), rgb("#d6cfc3"))
    plant(room, rng, (-0.3, 0.35, 4.2), 1.0, 44)
    room.add("rod", (-1.95, sill + 0.08, back - 0.06), (0.07, 0.08, 0.07), rgb("#b9714e"))
    plant(room, rng, (-1.95, sill + 0.1, back - 0.06), 0.36, 18)
    light = photograph(room, canvas, eye=(0.2, 1.3, 0), look_at=(0.15, 1.28, 4), view_deg=60, blur=15, seed=630)
    return develop(canvas, light, rng, exposure=1.95, bloom=0.1, vignette=0.22)
