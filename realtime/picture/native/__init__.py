"""Slow functions on pixels as machine code: the C files beside this, where bgcam was installed with a compiler at hand.

Each computes what the function says that calls it, which has OpenCV's arithmetic to fall back on; tests compare the
two. Here is only what hands arrays over. A call holds no lock of Python's, and runs on one thread.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.buffers import Place

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

DONE, CUT, NO_MEMORY = range(3)


class Grid(ctypes.Structure):
    """As in walk.h: cells, and how many of them one pixel is."""

    _fields_ = (
        ("cells", ctypes.c_void_p),
        ("columns", ctypes.c_int32),
        ("rows", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("step_x", ctypes.c_float),
        ("step_y", ctypes.c_float),
    )


def _load() -> ctypes.CDLL | None:
    found = importlib.util.find_spec("bgcam.realtime.picture.native._library")
    if found is None or found.origin is None:
        return None
    try:
        return ctypes.CDLL(found.origin)
    except OSError:  # built for another machine
        return None


LIBRARY = _load()


def temporal_filter(
    alpha: Float, luma: Picture, kept_alpha: Float, kept_luma: Float, *, rules: Sequence[float]
) -> tuple[Float, Float] | None:
    """`temporal_filter.temporal_filter` for arrays of one size (h, w): the new alpha and luma, or None after a cut."""
    new_alpha, new_luma = np.empty_like(kept_alpha), np.empty_like(kept_luma)
    given = [_whole(array, kind) for array, kind in ((alpha, np.float32), (luma, np.uint8))]
    kept = [_whole(array, np.float32) for array in (kept_alpha, kept_luma)]
    height, width = alpha.shape
    result = _call(
        "bgcam_temporal_filter", *given, *kept, new_alpha, new_luma, width, height, np.array(rules, np.float32)
    )
    return None if result == CUT else (new_alpha, new_luma)


def guided_coefficients(p: Float, luma: Picture, *, rules: Sequence[float]) -> tuple[Float, Float, NDArray[np.bool_]]:
    """`guided_filter.guided_coefficients`: gain, offset and unsure, each (h, w)."""
    height, width = p.shape
    gain, offset, unsure = np.empty(p.shape, np.float32), np.empty(p.shape, np.float32), np.empty(p.shape, np.bool_)
    given = _whole(p, np.float32), _whole(luma, np.uint8)
    _call("bgcam_guided_filter", *given, gain, offset, unsure, width, height, np.array(rules, np.float32))
    return gain, offset, unsure


def fill(colours: Float, weight: Float, *, levels: int, seen: float, tiny: float) -> Float:
    """`foreground.fill`: (h, w, 3)."""
    height, width = weight.shape
    out = np.empty((height, width, 3), np.float32)
    given = _whole(colours, np.float32), _whole(weight, np.float32)
    _call("bgcam_fill_foreground", *given, out, width, height, levels, ctypes.c_float(seen), ctypes.c_float(tiny))
    return out


def composite(
    out: Picture,
    frame: Picture,
    seen: Picture,
    background: Picture,
    places: Sequence[Place],
    grids: Sequence[tuple[Float | None, float, float]],
    *,
    direction: Float | None,
) -> None:
    """Tiles with an edge, into `out`; see composite.c. All pictures (H, W, 3) uint8 BGR.

    grids: gain, offset, person, room, limits, glow; each the cells, (rows, columns) or (rows, columns, channels), or
    None, and how many columns and rows of them a pixel is.
    """
    if not places:
        return
    corners = np.array([(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in places], np.int32)
    pictures = [_whole(picture, np.uint8) for picture in (frame, seen, background)]
    if seen is frame:
        pictures[1] = pictures[0]
    cells = [None if one is None else _whole(one, np.float32) for one, _, _ in grids]
    table = (Grid * len(grids))(*(_grid(one, *steps) for one, (_, *steps) in zip(cells, grids, strict=True)))
    along = None if direction is None else _whole(direction, np.float32)
    _call("bgcam_composite", out, *pictures, out.shape[1], corners, len(corners), table, along)


def resize(bgr: Picture, size_wh: tuple[int, int]) -> Picture:
    """`matting.resize` to a size (w, h), no higher; the picture is a whole number of times as wide, at most 256."""
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8, found {bgr.shape} {bgr.dtype}")
    (rows, columns), (width, height) = bgr.shape[:2], size_wh
    out = np.empty((height, width, 3), np.uint8)
    _call("bgcam_resize", _whole(bgr, np.uint8), out, rows, columns // width, width, height)
    return out


def normalize(bgr: Picture, order: NDArray[np.int32], scale: Float, shift: Float) -> Float:
    """`backends.planes.Planes`: (h, w, 3) uint8 to (1, 3, h, w)."""
    height, width = bgr.shape[:2]
    out = np.empty((1, 3, height, width), np.float32)
    _call("bgcam_normalize", _whole(bgr, np.uint8), out, height * width, order, scale, shift)
    return out


def head(features: Float, planes: Float, weights: Float, bias: Float) -> Float:
    """`backends._head.Head`: features (h, w, channels) and planes (3, 2 h, 2 w) to alpha (2 h, 2 w); see head.c."""
    height, width, channels = features.shape
    alpha = np.empty((2 * height, 2 * width), np.float32)
    given = _whole(features, np.float32), _whole(planes, np.float32)
    _call("bgcam_head", *given, alpha, width, height, channels, weights, bias)
    return alpha


def _grid(cells: Float | None, step_x: float, step_y: float) -> Grid:
    if cells is None:
        return Grid(None, 0, 0, 0, 0, 0)
    channels = cells.shape[2] if cells.ndim == 3 else 1
    return Grid(cells.ctypes.data, cells.shape[1], cells.shape[0], channels, step_x, step_y)


def _whole(array: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
    """Without gaps, as C reads it; the same array where it is so already."""
    return np.ascontiguousarray(array, kind)


def _call(name: str, *values: Any) -> int:
    assert LIBRARY is not None
    result: int = getattr(LIBRARY, name)(
        *(ctypes.c_void_p(value.ctypes.data) if isinstance(value, np.ndarray) else value for value in values)
    )
    if result == NO_MEMORY:
        raise MemoryError(name)
    return result
