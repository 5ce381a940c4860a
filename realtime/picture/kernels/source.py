"""The kernels' source: one text out of this folder, so that a compiler needs no search path."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
FILES = ("pixels.cuh", "frame_to_input.cu", "matte_filters.cu", "foreground.cu", "blur.cu", "composite.cu")
LAYOUTS = ("bgr", "nv12", "yuyv")
OUTPUTS = ("bgr", "i420")
# In which foreground colours can be composited.
OWN_LAYOUTS = ("bgr",)
# A kernel for a network in half or single precision ends in one of these; NumPy's name for each.
DTYPES = {"float16": "f16", "float32": "f32"}

ENTRIES = (
    *(
        f"{how}_{layout}_{kind}"
        for how in ("resize_area", "resize_linear")
        for layout in LAYOUTS
        for kind in DTYPES.values()
    ),
    "temporal_movement",
    *(f"temporal_filter_{kind}" for kind in DTYPES.values()),
    "guided_filter",
    *("grid_known", "grid_halve", "grid_fill", "grid_share", "room_sums", "deep_known", "despill_limits", "move_edge"),
    *("room_known", "area_cells", "room_whole", "blur_line", "enlarge"),
    *(f"composite_{layout}_{output}" for layout in LAYOUTS for output in OUTPUTS),
    *(f"composite_own_{layout}_{output}" for layout in OWN_LAYOUTS for output in OUTPUTS),
    "to_i420",
)


def source_text() -> str:
    """CUDA C++ with all kernels of `ENTRIES`, each `extern "C"`; errors in it are reported by file and line."""
    parts = [f'#line 1 "{name}"\n{(FOLDER / name).read_text(encoding="utf-8")}' for name in FILES]
    # CuPy's cache and NVRTC take ASCII alone.
    return re.sub(r"[^\x00-\x7f]", "?", "\n".join(parts))
