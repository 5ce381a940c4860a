"""A known picture with a known matte, to test a network after it is loaded.

A checksum proves that a file is intact, but not that the compiled network, the driver or the processor's instructions
are correct. So each loaded network gets one picture, the portrait that comes with bgcam, and its matte is compared with
the one that was recorded when the model was made (`python -m bgcam.export.checksums`). Models without a recorded matte,
such as a user's own, are not tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError
from bgcam.realtime.matte_values import clip_rounding, wrong_values
from bgcam.realtime.model.find import MODELS_FOLDER, check_shipped, sha256_of

# Beside the shipped models: {model's SHA-256: {"WIDTHxHEIGHT": mean alpha of each cell, row by row, 00 to ff}}.
TABLE = "known_mattes.json"
PICTURE = Path(__file__).resolve().parents[1] / "assets" / "astronaut.jpg"
CELL_PX = 16
# The same model in INT8, BF16, FP16 and FP32 on four backends differs by at most a third of these (see the tests).
MEAN_LIMIT, CELL_LIMIT = 0.03, 0.40

Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@cache
def known_picture(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """The portrait, cropped at the top centre to this size's aspect: (h, w, 3) uint8 BGR, which must not be changed.

    Raises BackendError if its file is missing or damaged.
    """
    import cv2

    data = PICTURE.read_bytes() if PICTURE.is_file() else b""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if bgr is None:
        raise BackendError(f"{PICTURE}: the picture that networks are tested with is damaged; install bgcam again")
    height, width = bgr.shape[:2]
    wide, high = (
        min(width, round(height * size_wh[0] / size_wh[1])),
        min(height, round(width * size_wh[1] / size_wh[0])),
    )
    left = (width - wide) // 2
    small = np.asarray(cv2.resize(bgr[:high, left : left + wide], size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    small.flags.writeable = False
    return small


def cells_of(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Mean alpha of each cell of CELL_PX x CELL_PX, (h / CELL_PX, w / CELL_PX) uint8: 255 is 1."""
    rows, columns = alpha.shape[0] // CELL_PX, alpha.shape[1] // CELL_PX
    cells = alpha[: rows * CELL_PX, : columns * CELL_PX].reshape(rows, CELL_PX, columns, CELL_PX).mean(axis=(1, 3))
    return np.asarray(np.rint(cells * 255), np.uint8)


def expected_cells(model: Path, size_wh: tuple[int, int], *, folder: Path = MODELS_FOLDER) -> NDArray[np.uint8] | None:
    """The recorded cells for a model file at a size; None if there are none.

    Raises ModelError if the table is not the shipped one.
    """
    path, (width, height) = folder / TABLE, size_wh
    if not path.exists() or not model.is_file():
        return None
    check_shipped(path)
    table: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    cells = bytes.fromhex(table.get(_model_sha256(model), {}).get(f"{width}x{height}", ""))
    return np.frombuffer(cells, np.uint8).reshape(height // CELL_PX, width // CELL_PX) if cells else None


def _model_sha256(path: Path) -> str:
    """The SHA-256 of the ONNX file; for an engine file, of the ONNX file that it was built from."""
    if path.suffix != ".engine":
        return sha256_of(path)
    from bgcam.realtime.model.engine_file import EngineRefused, read_engine

    try:
        return read_engine(path)[0].model_sha256
    except (EngineRefused, OSError):  # reported when the file is opened
        return ""


def difference(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> tuple[float, float]:
    """The mean and the largest difference of two mattes' cells, in alpha."""
    apart = np.abs(found.astype(np.float32) - expected) / 255
    return float(apart.mean()), float(apart.max())


def why_wrong(infer: Infer, model: Path, size_wh: tuple[int, int], *, folder: Path = MODELS_FOLDER) -> str:
    """Why a network must not be used, as text for the user; "" if its matte is correct or none was recorded.

    infer: a backend's `infer`, whose errors are passed on.
    """
    expected = expected_cells(model, size_wh, folder=folder)
    if expected is None:
        return ""
    alpha = infer(known_picture(size_wh))
    wrong = wrong_values(alpha)
    if wrong:
        return f"its matte of a known picture is invalid: {wrong}"
    mean, most = difference(cells_of(clip_rounding(alpha)), expected)
    if mean <= MEAN_LIMIT and most <= CELL_LIMIT:
        return ""
    return f"its matte of a known picture is wrong: alpha is off by {mean:.3f} on average, limit {most:.2f}"
