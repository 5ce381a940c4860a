"""The kernels' source code as one text, so that the compiler needs no search path."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# Each stage's file has the name of its Python module in `picture/`. A file uses functions of the files before it.
FILES = (
    "pixels.cuh",
    "resize_normalize.cu",
    "temporal_filter.cu",
    "guided_filter.cu",
    "foreground.cu",
    "despill.cu",
    "edges.cu",
    "blur.cu",
    "composite.cu",
)
LAYOUTS = ("bgr", "nv12", "yuyv")
OUTPUTS = ("bgr", "i420")
# The layouts in which foreground colours can be composited.
FOREGROUND_LAYOUTS = ("bgr",)
# Kernels for a network in half or single precision end in one of these, by NumPy's name of the type.
DTYPES = {"float16": "f16", "float32": "f32"}

# Pixels of a row that each thread of `composite` and `to_i420` computes.
UNIT_PX = 16
# Pixels, (width, height), that each block of `temporal_movement` computes, with one thread per pixel.
TILE_WH = (32, 8)
# Bytes of BGR that each thread of the `resize_area` kernels sums at once, by layout.
STEP_VALUES = {"bgr": 16, "nv12": 12, "yuyv": 12}

# Constants that the kernels share with `launch.py`.
CONSTANTS = {
    "UNIT_PX": UNIT_PX,
    "TILE_W": TILE_WH[0],
    "TILE_H": TILE_WH[1],
    "BGR_STEP_VALUES": STEP_VALUES["bgr"],
    "YUV_STEP_VALUES": STEP_VALUES["nv12"],
}

ENTRIES = (
    *(f"resize_{how}_{layout}_{kind}" for how in ("area", "linear") for layout in LAYOUTS for kind in DTYPES.values()),
    "temporal_movement",
    *(f"temporal_filter_{kind}" for kind in DTYPES.values()),
    "guided_filter",
    *("foreground_known", "foreground_halve", "foreground_fill"),
    *("despill_sums", "despill_share", "despill_known", "despill_limits"),
    "move_edge",
    *("blur_known", "blur_resize", "blur_join", "blur_gaussian", "blur_enlarge"),
    *(f"composite_{layout}_{output}" for layout in LAYOUTS for output in OUTPUTS),
    *(f"composite_foreground_{layout}_{output}" for layout in FOREGROUND_LAYOUTS for output in OUTPUTS),
    "to_i420",
)


def source_text() -> str:
    """CUDA C++ with all kernels of `ENTRIES`, each `extern "C"`. The compiler reports errors by file and line."""
    constants = "\n".join(f"const int {name} = {value};" for name, value in CONSTANTS.items())
    parts = [f'#line 1 "{name}"\n{(FOLDER / name).read_text(encoding="utf-8")}' for name in FILES]
    # CuPy's cache and NVRTC accept only ASCII.
    return re.sub(r"[^\x00-\x7f]", "?", "\n".join([constants, *parts]))
