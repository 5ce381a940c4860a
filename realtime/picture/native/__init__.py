"""The slow stages of the picture in C, where bgcam was installed with a compiler available.

Each function computes what the Python function named in its docstring does, which falls back on OpenCV; tests compare
the two. This module only passes arrays, and `room.py` those of what is known of the room: the calls release the GIL and
use one thread. ctypes checks every argument against `_SIGNATURES`.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.picture.buffers import Region
from bgcam.realtime.picture.native.structures import (
    BlurRules,
    FollowRules,
    Grid,
    GuidedRules,
    Layers,
    LightRules,
    MemoryRules,
    PlateRules,
    Rectangle,
    TakeRules,
    TemporalRules,
)

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

# What a C function returns; see rows.h.
DONE, CUT, NO_MEMORY = range(3)

_INT, _FLOAT = ctypes.c_int32, ctypes.c_float
_FLOATS, _BYTES, _BOOLS, _INTS = (
    np.ctypeslib.ndpointer(kind, flags="C_CONTIGUOUS") for kind in (np.float32, np.uint8, np.bool_, np.int32)
)
_TEMPORAL, _GUIDED, _LAYERS, _RECTANGLES = (
    ctypes.POINTER(kind) for kind in (TemporalRules, GuidedRules, Layers, Rectangle)
)
_MEMORY, _LIGHT, _PLATE, _TAKE, _FOLLOW = (
    ctypes.POINTER(kind) for kind in (MemoryRules, LightRules, PlateRules, TakeRules, FollowRules)
)
_BLUR = ctypes.POINTER(BlurRules)
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "temporal_filter": (_FLOATS, _BYTES, _FLOATS, _FLOATS, _FLOATS, _FLOATS, _INT, _INT, _TEMPORAL),
    "guided_filter": (_FLOATS, _BYTES, _FLOATS, _FLOATS, _BOOLS, _INT, _INT, _GUIDED),
    "foreground_fill": (_FLOATS, _FLOATS, _FLOATS, _INT, _INT, _INT, _FLOAT, _FLOAT),
    "blur": (_BYTES, *(_FLOATS,) * 3, _BYTES, _INT, _INT, _BLUR),
    "enlarge": (_BYTES, _BYTES, *(_INT,) * 4),
    "composite": (_BYTES, _BYTES, _BYTES, _INT, _RECTANGLES, _INT, _LAYERS),
    "key": (_BYTES, _BYTES, _INT, _RECTANGLES, _INT, ctypes.POINTER(Grid), _INT, _FLOAT),
    "remember": (*(_FLOATS,) * 7, _INTS, _INT, _INT, _MEMORY),
    "fit_light": (_FLOATS, _FLOATS, _BOOLS, *(_FLOATS,) * 3, _INTS, _INT, _INT, _LIGHT),
    "make_plate": (_FLOATS, _BYTES, _FLOATS, _INT, _INT, _INT, _FLOAT),
    "compare": (*(_BYTES,) * 4, *(_FLOATS,) * 4, _BOOLS, _INTS, _INT, _INT, _PLATE),
    "take_away": (*(_FLOATS,) * 3, _BOOLS, *(_FLOATS,) * 4, _INT, _INT, _TAKE),
    "learn": (_BYTES, *(_FLOATS,) * 4, _INT),
    "follow": (_FLOATS, _FLOATS, _BOOLS, _FLOATS, _BYTES, *(_FLOATS,) * 4, _INT, _FOLLOW),
    "resize": (_BYTES, _BYTES, _INT, _INT, _INT, _INT),
    "normalize": (_BYTES, _FLOATS, _INT, _INTS, _FLOATS, _FLOATS),
    "head": (_FLOATS, _FLOATS, _FLOATS, _INT, _INT, _INT, _FLOATS, _FLOATS),
}


def _load() -> ctypes.CDLL | None:
    found = importlib.util.find_spec("bgcam.realtime.picture.native._library")
    if found is None or found.origin is None:
        return None
    try:
        library = ctypes.CDLL(found.origin)
        for name, types in _SIGNATURES.items():
            function = getattr(library, f"bgcam_{name}")
            function.argtypes, function.restype = types, ctypes.c_int
    except (OSError, AttributeError):  # built for another machine, or from the sources of another version
        return None
    return library


LIBRARY = _load()


def temporal_filter(
    alpha: Float, luma: Picture, kept_alpha: Float, kept_luma: Float, *, rules: TemporalRules
) -> tuple[Float, Float] | None:
    """`temporal_filter.temporal_filter` for arrays of one size (h, w): the new alpha and luma, or None after a cut."""
    new_alpha, new_luma = np.empty_like(kept_alpha, order="C"), np.empty_like(kept_luma, order="C")
    given = contiguous(alpha, np.float32), contiguous(luma, np.uint8)
    kept = contiguous(kept_alpha, np.float32), contiguous(kept_luma, np.float32)
    height, width = alpha.shape
    result = call("temporal_filter", *given, *kept, new_alpha, new_luma, width, height, rules)
    return None if result == CUT else (new_alpha, new_luma)


def guided_filter(p: Float, luma: Picture, *, rules: GuidedRules) -> tuple[Float, Float, NDArray[np.bool_]]:
    """`guided_filter.guided_coefficients`: a, b and unsure, each (h, w)."""
    height, width = p.shape
    a, b, unsure = np.empty(p.shape, np.float32), np.empty(p.shape, np.float32), np.empty(p.shape, np.bool_)
    given = contiguous(p, np.float32), contiguous(luma, np.uint8)
    call("guided_filter", *given, a, b, unsure, width, height, rules)
    return a, b, unsure


def foreground_fill(colours: Float, weight: Float, *, levels: int, least: float, tiny: float) -> Float:
    """`foreground.fill`: (h, w, 3)."""
    height, width = weight.shape
    out = np.empty((height, width, 3), np.float32)
    given = contiguous(colours, np.float32), contiguous(weight, np.float32)
    call("foreground_fill", *given, out, width, height, levels, least, tiny)
    return out


def composite(out: Picture, frame: Picture, luma_from: Picture, regions: Sequence[Region], layers: Layers) -> None:
    """`composite.composite` in these regions only, into `out`, which holds the background; see composite.c.

    All pictures (H, W, 3) uint8 BGR.
    The caller keeps the cells of `layers` alive.
    """
    if not regions:
        return
    tiles = _rectangles(regions)
    whole_frame = contiguous(frame, np.uint8)
    whole_luma = whole_frame if luma_from is frame else contiguous(luma_from, np.uint8)
    call("composite", out, whole_frame, whole_luma, out.shape[1], tiles, len(tiles), layers)


def key(
    out: Picture,
    frame: Picture,
    regions: Sequence[Region],
    slope: Float,
    *,
    cell_px: int,
    channel: int,
    top: float,
) -> None:
    """`key.key_guide` in these regions only, into `out`; both pictures (H, W, 3) uint8 BGR of one size."""
    if not regions:
        return
    if frame.shape != out.shape or not 0 <= channel < 3:
        raise ValueError(f"expected two pictures of one size and a channel of three, found {frame.shape}, {out.shape}")
    tiles, cells = _rectangles(regions), contiguous(slope, np.float32)
    grid = Grid.of(cells, (1 / cell_px,) * 2)
    call("key", out, contiguous(frame, np.uint8), out.shape[1], tiles, len(tiles), grid, channel, top)


def blur(seen: Picture, alpha: Float, gaussians_xy: tuple[Float, Float], *, rules: BlurRules) -> Picture:
    """`blur.blur_small`: (work height, work width, 3). gaussians_xy: each 2 * reach + 1 values, by the rules."""
    if seen.shape != (*alpha.shape, 3):
        raise ValueError(f"expected a picture and alpha of one size, found {seen.shape} and {alpha.shape}")
    out = np.empty((rules.work_height, rules.work_width, 3), np.uint8)
    given = contiguous(seen, np.uint8), contiguous(alpha, np.float32), *gaussians_xy
    call("blur", *given, out, alpha.shape[1], alpha.shape[0], rules)
    return out


def enlarge(small: Picture, size_wh: tuple[int, int]) -> Picture:
    """`enlarge.enlarge`: (h, w, 3) to (H, W, 3)."""
    if small.ndim != 3 or small.shape[2] != 3 or small.shape[1] > size_wh[0] or small.shape[0] > size_wh[1]:
        raise ValueError(f"expected (h, w, 3) of at most {size_wh}, found {small.shape}")
    out = np.empty((size_wh[1], size_wh[0], 3), np.uint8)
    call("enlarge", contiguous(small, np.uint8), out, small.shape[1], small.shape[0], *size_wh)
    return out


def resize(bgr: Picture, size_wh: tuple[int, int]) -> Picture:
    """`matting.resize` to (w, h): no higher than the picture, whose width is a multiple of w, 256 times at most."""
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8, found {bgr.shape} {bgr.dtype}")
    (rows, columns), (width, height) = bgr.shape[:2], size_wh
    out = np.empty((height, width, 3), np.uint8)
    call("resize", contiguous(bgr, np.uint8), out, rows, columns // width, width, height)
    return out


def normalize(bgr: Picture, order: NDArray[np.int32], scale: Float, shift: Float) -> Float:
    """`backends.normalize.Normalize`: (h, w, 3) uint8 to (1, 3, h, w)."""
    height, width = bgr.shape[:2]
    out = np.empty((1, 3, height, width), np.float32)
    call("normalize", contiguous(bgr, np.uint8), out, height * width, order, scale, shift)
    return out


def head(features: Float, planes: Float, weights: Float, bias: Float) -> Float:
    """`backends._head.Head`: features (h, w, channels) and planes (3, 2 h, 2 w) to alpha (2 h, 2 w); see head.c."""
    height, width, channels = features.shape
    alpha = np.empty((2 * height, 2 * width), np.float32)
    given = contiguous(features, np.float32), contiguous(planes, np.float32)
    call("head", *given, alpha, width, height, channels, weights, bias)
    return alpha


def _rectangles(regions: Sequence[Region]) -> Any:
    return (Rectangle * len(regions))(
        *(Rectangle(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in regions)
    )


def contiguous(array: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
    """As C reads it; the array itself if it is contiguous already."""
    return np.ascontiguousarray(array, kind)


def call(name: str, *arguments: Any) -> int:
    """A function of the library, by its name in `_SIGNATURES`. Raises MemoryError."""
    assert LIBRARY is not None
    result: int = getattr(LIBRARY, f"bgcam_{name}")(*arguments)
    if result == NO_MEMORY:
        raise MemoryError(f"no memory for {name}")
    return result
