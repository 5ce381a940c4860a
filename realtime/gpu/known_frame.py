"""Renders a known picture as a whole frame on the GPU: kernels and network are correct, or the GPU path is not used.

This tests what CuPy loaded from its cache and what the driver compiled, as `known_matte` tests a network.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.gpu.frame_ring import DevicePath
from bgcam.realtime.model.known_matte import CELL_LIMIT, MEAN_LIMIT, cells_of, difference, known_picture

# The background's grey level, and the largest difference from it outside the person: I420 rounds.
BACKGROUND, LEVELS = 40, 4
# Up to this value a cell counts as empty. With its neighbours empty too, no edge extends to its centre.
EMPTY = 2


def why_wrong_frame(path: DevicePath, expected: NDArray[np.uint8], small_wh: tuple[int, int], *, blurred: bool) -> str:
    """Why the GPU path must not be used, as text for the user; "" if it is correct. Forgets mattes before and after.

    expected: the cells of the known picture's matte at `small_wh`, the size of the network's input.
    blurred: the background is the blurred room, so only the matte is compared.
    """
    height, width = path.background_shape[:2]
    frame = np.asarray(cv2.resize(known_picture(small_wh), (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    path.reset()
    path.put(frame, None if blurred else np.full_like(frame, BACKGROUND))
    picture, _ = path.take_with_share()
    mean, most = difference(cells_of(path.alpha()), expected)
    path.reset()
    if mean > MEAN_LIMIT or most > CELL_LIMIT:
        return f"its matte of a known picture is wrong: alpha is off by {mean:.3f} on average, limit {most:.2f}"
    if blurred:
        return ""
    bgr = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)
    full = np.kron(cv2.dilate(expected, np.ones((3, 3), np.uint8)) > EMPTY, np.ones((8, 8), bool))
    person = cv2.resize(full.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    off = np.abs(bgr.astype(np.int16) - BACKGROUND).max(axis=2)[~person]
    if off.size and off.max() > LEVELS:
        return f"it lets a known picture show through where nobody is, by {off.max()} grey levels"
    return ""
