"""The picture that the demo leaves: panels side by side, each with its name on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.atomic_write import write_whole
from bgcam.realtime.errors import SinkError

PANEL_WH = (640, 360)
GAP = 14
CORNER = 14
TEXT_HEIGHT = 28


def write_figure(path: Path, panels: Sequence[tuple[str, NDArray[np.uint8]]]) -> None:
    """Write (name, (H, W, 3) uint8 BGR) panels as one PNG with see-through gaps. Raises SinkError."""
    drawn = [_panel(name, bgr) for name, bgr in panels]
    gap = np.zeros((PANEL_WH[1], GAP, 4), np.uint8)
    figure = np.hstack([piece for panel in drawn for piece in (panel, gap)][:-1])
    data = cv2.imencode(".png", figure, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    try:
        write_whole(path, data.tobytes())
    except OSError as error:
        what = f"{path}: cannot write the picture ({error.strerror})"
        raise SinkError(f"{what}; check the folder, its permissions and its free space") from error


def _panel(name: str, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One panel (360, 640, 4) uint8 BGRA with round corners and its name on a dark plate, lower left."""
    panel = cv2.resize(bgr, PANEL_WH, interpolation=cv2.INTER_AREA)
    font = cv2.FontFace("sans")
    (_, _, width, _) = cv2.getTextSize((0, 0), name, (0, 0), font, TEXT_HEIGHT, 500)
    plate = _rounded((width + 26, TEXT_HEIGHT + 17), 9)
    left, top = 14, PANEL_WH[1] - 14 - plate.shape[0]
    under = panel[top : top + plate.shape[0], left : left + plate.shape[1]]
    under[:] = np.rint(under * (1 - 0.62 * plate[..., None]) + 0.62 * plate[..., None] * 24).astype(np.uint8)
    base = (left + 13, top + plate.shape[0] - 11)
    cv2.putText(panel, name, base, (255, 255, 255), font, TEXT_HEIGHT, 500)
    corners = np.rint(_rounded(PANEL_WH, CORNER) * 255).astype(np.uint8)
    return np.dstack([panel, corners])


def _rounded(size_wh: tuple[int, int], radius: int) -> NDArray[np.float32]:
    """A filled rectangle (h, w) float32 in [0, 1] with round, smooth corners."""
    width, height = size_wh
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx = np.maximum(np.abs(x - (width - 1) / 2) - (width / 2 - radius), 0)
    dy = np.maximum(np.abs(y - (height - 1) / 2) - (height / 2 - radius), 0)
    return np.asarray(np.clip(radius - np.hypot(dx, dy) + 0.5, 0, 1), np.float32)
