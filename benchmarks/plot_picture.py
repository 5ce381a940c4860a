"""Draws points with labels that cover neither each other nor a point: quality against processor time, as PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

# 1200 x 800 pixels.
SIZE_IN, DPI = (12.0, 8.0), 100
OURS, OTHERS, INK, QUIET = "#0b6e4f", "#8a8f98", "#1c1f23", "#5c626b"
# Distances of a label from its point, in points of 1/72 inch; the nearest that is free is taken.
DISTANCES_PT = (11, 16, 26, 40, 60, 84)
# Beside the point first, as that is read most easily.
DIRECTIONS = (
    *((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)),
    *((1, 0.5), (1, -0.5), (-1, 0.5), (-1, -0.5)),
)
POINT_RADIUS_PX, GAP_PX = 10.0, 4.0
# A line that crosses something is as bad as a label that covers so much.
CROSSING_PX = 300.0

# Left, bottom, right, top, in pixels.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """One network. cpu_ms: processor time a frame; mad: in rooms, x1e3; both above 0."""

    label: str
    cpu_ms: float
    mad: float
    ours: bool


def draw_points(points: Sequence[Point], *, subtitle: str) -> bytes:
    """The picture as PNG. The better a network is, the lower and the farther to the left it stands."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_IN, dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.075, 0.095, 0.89, 0.755))
    draw_axes(axes, points)
    figure.text(0.075, 0.935, "How good the matte is, and what it costs", fontsize=20, color=INK, weight="bold")
    figure.text(0.075, 0.885, subtitle, fontsize=12, color=QUIET)
    for one in points:
        axes.scatter([one.cpu_ms], [one.mad], s=150 if one.ours else 80, color=OURS if one.ours else OTHERS, zorder=3)
    canvas.draw()  # type: ignore[no-untyped-call]
    place_labels(axes, points)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def draw_axes(axes: Any, points: Sequence[Point]) -> None:
    """Both logarithmic, from a little below the least to a little above the most."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    times_ms, errors = [one.cpu_ms for one in points], [one.mad for one in points]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(times_ms) / 1.35, max(times_ms) * 1.35)
    axes.set_ylim(min(errors) / 1.3, max(errors) * 1.3)
    ticks = [number * 10.0**power for power in range(-3, 5) for number in (1, 1.5, 2, 3, 5, 7)]
    for axis, (least, most) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        axis.set_major_locator(FixedLocator([one for one in ticks if least <= one <= most]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("processor time of a frame, ms (left is cheaper)", fontsize=13, color=INK, labelpad=8)
    axes.set_ylabel("error of the matte in rooms, MAD x 1000 (lower is better)", fontsize=13, color=INK, labelpad=8)
    axes.tick_params(labelsize=12, colors=QUIET, length=0)
    axes.grid(color="#e7e9ec", linewidth=1)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#c3c7cd")


def place_labels(axes: Any, points: Sequence[Point]) -> list[Box]:
    """Write each label beside its point, ours first; gives the labels' boxes in pixels, in that order."""
    renderer = axes.figure.canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    inside: Box = (frame.x0, frame.y0, frame.x1, frame.y1)
    taken: list[Box] = [_around(*axes.transData.transform((one.cpu_ms, one.mad))) for one in points]
    boxes: list[Box] = []
    for one in sorted(points, key=lambda one: not one.ours):
        at_px = axes.transData.transform((one.cpu_ms, one.mad))
        text = axes.annotate(
            f"{one.label}\nMAD {one.mad:.1f}, {one.cpu_ms:.1f} ms",
            (one.cpu_ms, one.mad),
            textcoords="offset points",
            xytext=(0, 0),
            fontsize=12 if one.ours else 11,
            color=OURS if one.ours else INK,
            weight="bold" if one.ours else "normal",
            linespacing=1.15,
            zorder=4,
        )
        extent = text.get_window_extent(renderer)
        offset_px, box = free_place(at_px, (extent.width, extent.height), taken, inside)
        text.set_ha("left")
        text.set_va("bottom")
        text.set_position((offset_px[0] * 72 / DPI, offset_px[1] * 72 / DPI))
        taken.append(box)
        boxes.append(box)
        _line_to(axes, at_px, box)
    return boxes


def free_place(
    at_px: Sequence[float], size_px: tuple[float, float], taken: Sequence[Box], inside: Box
) -> tuple[tuple[float, float], Box]:
    """Where a label's lower left corner goes, from its point, and its box: the nearest place that covers nothing.

    Without any, the one that covers least.
    """
    places = list(_places(at_px, size_px))
    x, y = at_px
    others = [box for box in taken if not (box[0] < x < box[2] and box[1] < y < box[3])]  # but its own point

    def cost_px(box: Box) -> float:
        covered = sum(_shared(box, other) for other in taken)
        return covered + _outside(box, inside) + CROSSING_PX * _crossed(at_px, box, others)

    _, offset, box = min(((cost_px(box), at), offset, box) for at, (offset, box) in enumerate(places))
    return offset, box


def _places(at_px: Sequence[float], size_px: tuple[float, float]) -> Iterator[tuple[tuple[float, float], Box]]:
    width, height = size_px
    for distance_pt, (right, up) in product(DISTANCES_PT, DIRECTIONS):
        away = distance_pt * DPI / 72 * (0.75 if right and up else 1.0)
        left = right * away + (0 if right > 0 else -width if right < 0 else -width / 2)
        bottom = up * away + (0 if up > 0 else -height if up < 0 else -height / 2)
        x, y = at_px[0] + left, at_px[1] + bottom
        yield (left, bottom), (x, y, x + width, y + height)


def _around(x: float, y: float) -> Box:
    return (x - POINT_RADIUS_PX, y - POINT_RADIUS_PX, x + POINT_RADIUS_PX, y + POINT_RADIUS_PX)


def _shared(one: Box, other: Box) -> float:
    """The area that both cover, with a gap around them."""
    wide = min(one[2], other[2]) - max(one[0], other[0]) + GAP_PX
    high = min(one[3], other[3]) - max(one[1], other[1]) + GAP_PX
    return max(0.0, wide) * max(0.0, high)


def _outside(box: Box, inside: Box) -> float:
    """The area of a box that is not inside, and more than any overlap: a label must not be cut off."""
    width, height = box[2] - box[0], box[3] - box[1]
    seen_w = max(0.0, min(box[2], inside[2]) - max(box[0], inside[0]))
    seen_h = max(0.0, min(box[3], inside[3]) - max(box[1], inside[1]))
    return 10 * max(0.0, width * height - seen_w * seen_h)


def _nearest(at_px: Sequence[float], box: Box) -> tuple[float, float]:
    """Where the line from a point meets its label."""
    return min(max(at_px[0], box[0]), box[2]), min(max(at_px[1], box[1]), box[3])


def _crossed(at_px: Sequence[float], box: Box, others: Sequence[Box]) -> int:
    """How many of the others the line from a point to its label crosses."""
    (x, y), (near_x, near_y) = at_px, _nearest(at_px, box)
    steps = [at / 24 for at in range(25)]
    line = [(x + share * (near_x - x), y + share * (near_y - y)) for share in steps]
    return sum(any(one[0] < px < one[2] and one[1] < py < one[3] for px, py in line) for one in others)


def _line_to(axes: Any, at_px: Sequence[float], box: Box) -> None:
    """A thin line to a label that is not right beside its point."""
    near = _nearest(at_px, box)
    if abs(near[0] - at_px[0]) + abs(near[1] - at_px[1]) <= 2.2 * POINT_RADIUS_PX:
        return
    ends = axes.transData.inverted().transform([at_px, near])
    axes.plot(ends[:, 0], ends[:, 1], color="#b4b9c0", linewidth=0.9, zorder=2, scalex=False, scaley=False)
