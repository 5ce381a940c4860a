"""Writing a PNG: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write (H, W) gray, (H, W, 3) BGR or (H, W, 4) BGRA. Raises OSError, and then leaves what was there before."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise OSError(f"a picture of shape {picture.shape} cannot be encoded as PNG")
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data.tobytes())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
