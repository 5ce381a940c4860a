"""Writes PNG files, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.atomic_write import write_whole


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA. Raises OSError, and then an existing file is unchanged."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise OSError(f"a picture of shape {picture.shape} cannot be encoded as PNG")
    write_whole(path, data.tobytes(), durable=False)  # there may be thousands of them
