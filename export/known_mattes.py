"""The known picture's matte by each model of a folder, which every backend's is compared with when it is loaded.

Written by the backends of the processor, which have to agree: see `bgcam.realtime.model.known_matte`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError
from bgcam.realtime.matte_values import clip_rounding
from bgcam.realtime.model.backends import BACKENDS, load_backend
from bgcam.realtime.model.find import MODELS_FOLDER, sha256_of
from bgcam.realtime.model.known_matte import CELL_LIMIT, MEAN_LIMIT, TABLE, cells_of, difference, known_picture
from bgcam.realtime.model.spec import read_spec

# The first that is installed gives the matte that is written; torch computes in FP32.
WITNESSES = ("torch", "onnxruntime", "openvino")
# They have to agree much better than what is allowed later.
STRICTER = 2


def write_known_mattes(folder: Path = MODELS_FOLDER, *, witnesses: Sequence[str] = WITNESSES) -> Path:
    """Write the table of all .onnx files in the folder, and give its path. Raises BackendError if backends differ."""
    table = folder / TABLE
    table.unlink(missing_ok=True)  # or the old one would be what the new models are compared with
    mattes = {}
    for path in sorted(folder.glob("*.onnx")):
        spec = read_spec(path)
        sizes = {size_wh: _agreed(path, size_wh, witnesses) for size_wh in sorted(spec.sizes_wh)}
        mattes[sha256_of(path)] = {f"{w}x{h}": cells.tobytes().hex() for (w, h), cells in sizes.items()}
    part = table.with_name(f".{table.name}.part")
    part.write_text(json.dumps(mattes, indent=1, sort_keys=True) + "\n")
    return part.replace(table)


def _agreed(path: Path, size_wh: tuple[int, int], witnesses: Sequence[str]) -> NDArray[np.uint8]:
    """The cells of the first witness, which no other contradicts."""
    found: dict[str, NDArray[np.uint8]] = {}
    reasons = []
    for name in witnesses:
        assert name in BACKENDS
        try:
            backend, _ = load_backend(name, path, read_spec(path), size_wh)
        except BackendError as error:
            reasons.append(f"{name}: {error}")
            continue
        found[backend.description] = cells_of(clip_rounding(backend.infer(known_picture(size_wh))))
    if len(found) < 2:
        raise BackendError(f"{path}: two backends have to agree on its known matte, {len(found)} run it: {reasons}")
    (first, expected), *others = found.items()
    for name, cells in others:
        mean, most = difference(cells, expected)
        if mean > MEAN_LIMIT / STRICTER or most > CELL_LIMIT / STRICTER:
            raise BackendError(f"{path}: {first} and {name} differ by {mean:.3f}, at most {most:.2f}, of alpha")
    return expected
