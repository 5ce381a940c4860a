"""The picture's stages that consist of several kernels, each with buffers of its own.

They follow the functions of `picture/` of the same names, and use their constants. `zeros(shape, dtype)` allocates an
array on the GPU, filled with 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bgcam.realtime.picture import blur, despill, edges, foreground
from bgcam.realtime.picture.kernels.launch import Kernels

Zeros = Callable[[tuple[int, ...], Any], Any]
Size = tuple[int, int]


class Edge:
    """`picture/edges.py`: moves the person's edge out or in by a number of steps, and sharpens it."""

    def __init__(self, kernels: Kernels, zeros: Zeros, small_wh: Size, *, edge_steps: float, sharp_steps: float):
        self._kernels, self._small_wh, self._grows = kernels, small_wh, int(edge_steps > 0)
        left = abs(edge_steps) * edges.STEP_SHARE * min(small_wh)
        shares = [min(1.0, left - done) for done in range(int(np.ceil(left)))] or [0.0]
        steeper = [1.0] * (len(shares) - 1) + [edges.STEEPER**sharp_steps]
        self._steps = list(zip(shares, steeper, strict=True))
        self._buffers = [zeros(small_wh[::-1], np.float32) for _ in range(2)]

    def enqueue(self, alpha: Any) -> Any:
        """Returns the new alpha (h, w), in an array that the next frame overwrites; `alpha` is not changed."""
        width, height = self._small_wh
        for at, (share, steeper) in enumerate(self._steps):
            into = self._buffers[at % 2]
            given = (width, height, self._grows, float(share), float(steeper))
            self._kernels.flat("move_edge", alpha, into, *given, count=width * height)
            alpha = into
        return alpha


class ForegroundFill:
    """`foreground.fill` for planes of cells, (planes, rows, columns, 4) float32: from `known` to `filled`."""

    def __init__(self, kernels: Kernels, zeros: Zeros, size_wh: Size, *, planes: int, levels: int):
        self._kernels, self._planes = kernels, planes
        self._sizes = [size_wh]
        while len(self._sizes) <= levels and min(self._sizes[-1]) >= 2:
            self._sizes.append((-(-self._sizes[-1][0] // 2), -(-self._sizes[-1][1] // 2)))
        shapes = [(planes, height, width, 4) for width, height in self._sizes]
        self._known, self._filled = ([zeros(shape, np.float32) for shape in shapes] for _ in range(2))
        self.known, self.filled = self._known[0], self._filled[0]

    def enqueue(self) -> None:
        flat, planes = self._kernels.flat, self._planes
        for at, (width, height) in enumerate(self._sizes[1:]):
            count = planes * width * height
            flat("foreground_halve", self._known[at], self._known[at + 1], *self._sizes[at], planes, count=count)
        for at in reversed(range(len(self._sizes))):
            coarsest = at + 1 == len(self._sizes)
            below = min(at + 1, len(self._sizes) - 1)
            coarse_wh, least = ((0, 0), foreground.TINY) if coarsest else (self._sizes[below], foreground.LEAST)
            width, height = self._sizes[at]
            given = (width, height, *coarse_wh, planes, float(least))
            # At the coarsest level the second array is not read.
            arrays = self._known[at], self._filled[below], self._filled[at]
            flat("foreground_fill", *arrays, *given, count=planes * width * height)


class Foreground:
    """`picture/foreground.py` and `picture/despill.py`: the arguments to composite foreground colours."""

    def __init__(self, kernels: Kernels, zeros: Zeros, frame_wh: Size, small_wh: Size):
        self._kernels, self._small_wh = kernels, small_wh
        self._grid = foreground.grid_of(frame_wh, small_wh)
        self._limit_grid = foreground.coarser(self._grid, despill.COARSER)
        self._steps, self._limit_steps = (
            tuple(grid.cell_px * small / full for small, full in zip(small_wh, frame_wh, strict=True))
            for grid in (self._grid, self._limit_grid)
        )
        cells = min(frame_wh) / self._limit_grid.cell_px
        self._deep = max(1, round(despill.DEEP_SHARE * cells))
        self._sigma = max(0.5, despill.FADE_SHARE * cells)
        grid_wh, self._limit_wh = ((grid.columns, grid.rows) for grid in (self._grid, self._limit_grid))
        self._colours = ForegroundFill(kernels, zeros, grid_wh, planes=2, levels=foreground.LEVELS)
        self._inside = ForegroundFill(kernels, zeros, self._limit_wh, planes=1, levels=despill.LEVELS)
        self._share = zeros(self._limit_wh[::-1], np.float32)
        self._limits = zeros((*self._limit_wh[::-1], 2), np.float32)

    def enqueue(self, seen: Any, alpha: Any, sums: Any) -> list[Any]:
        """Returns `foreground` for `Kernels.composite`, from seen (h, w, 4) uint8 BGR0 and alpha (h, w). sums: (4,)
        zeros.
        """
        flat, small_wh, low, high = self._kernels.flat, self._small_wh, foreground.LOW, foreground.HIGH
        grid_wh, limit_wh = (self._grid.columns, self._grid.rows), self._limit_wh
        known, count = self._colours.known, grid_wh[0] * grid_wh[1]
        flat("foreground_known", seen, alpha, known, *small_wh, *grid_wh, *self._steps, low, high, count=count)
        self._colours.enqueue()
        given, count = (*small_wh, *limit_wh, *self._limit_steps), limit_wh[0] * limit_wh[1]
        seen_px = small_wh[0] * small_wh[1]
        self._kernels.over_all("despill_sums", seen, alpha, sums, seen_px, low, count=seen_px, shared_bytes=16)
        flat("despill_share", alpha, self._share, *given, low, high, count=count)
        flat("despill_known", seen, self._share, self._inside.known, *given, self._deep, count=count)
        self._inside.enqueue()
        arrays = self._inside.filled, self._share, sums, self._limits
        numbers = (gaussian_radius(self._sigma), self._sigma, float(despill.NEAR), *despill.TINTED)
        flat("despill_limits", *arrays, *limit_wh, *numbers, count=count)
        return [self._colours.filled, self._limits, sums, self._grid.cell_px, *grid_wh, *limit_wh, *despill.TINTED]


class BlurredRoom:
    """`picture/blur.py`: the blurred room without the person, as the background. strength: 1 to 10."""

    def __init__(self, kernels: Kernels, zeros: Zeros, frame_wh: Size, small_wh: Size, *, strength: float):
        self._kernels, self._frame_wh, self._small_wh = kernels, frame_wh, small_wh
        plan = blur.plan_blur(frame_wh, small_wh, strength=strength)
        self._work_wh, self._sigmas = plan.work_wh, plan.sigmas
        self._holes = ForegroundFill(kernels, zeros, plan.holes_wh, planes=1, levels=plan.levels)
        self._holes_wh = plan.holes_wh
        self._known = zeros((*small_wh[::-1], 4), np.float32)
        self._work, self._whole = (zeros((*self._work_wh[::-1], 4), np.float32) for _ in range(2))

    def enqueue(self, seen: Any, alpha: Any, background: Any) -> None:
        """Computes background (H, W, 3) uint8 BGR from seen (h, w, 4) uint8 BGR0 and alpha (h, w)."""
        flat, small_wh, work_wh, holes_wh = self._kernels.flat, self._small_wh, self._work_wh, self._holes_wh
        count, holes = work_wh[0] * work_wh[1], holes_wh[0] * holes_wh[1]
        flat("blur_known", seen, alpha, self._known, *small_wh, float(blur.EDGE), count=small_wh[0] * small_wh[1])
        flat("blur_resize", self._known, self._work, *small_wh, *work_wh, count=count)
        flat("blur_resize", self._work, self._holes.known, *work_wh, *holes_wh, count=holes)
        self._holes.enqueue()
        flat("blur_join", self._work, self._holes.filled, self._whole, *work_wh, *holes_wh, count=count)
        for down, sigma in enumerate(self._sigmas):
            given = (*work_wh, down, gaussian_radius(sigma), sigma)
            into = self._work if down == 0 else self._whole
            source = self._whole if down == 0 else self._work
            flat("blur_gaussian", source, into, *given, count=count)
        wide = self._frame_wh
        self._kernels.rows("blur_enlarge", self._whole, background, *work_wh, *wide, size_wh=wide, pixels=4)


def gaussian_radius(sigma: float) -> int:
    """The radius of the window that OpenCV's GaussianBlur uses for this sigma with floats."""
    return (round(sigma * 4 * 2 + 1) | 1) // 2
