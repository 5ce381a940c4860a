"""Converts a picture to a network's input: channels in its order, each `(x / 255 - mean) / std`, in separate planes.

This is done outside the model: as layers of the model it took OpenVINO 0.5 ms longer, of 8 ms.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture import native


class Normalize:
    """Called with (h, w, 3) uint8 BGR. Returns a new array (1, 3, h, w) float32 in the order of spec.channels."""

    def __init__(self, spec: ModelSpec):
        std, mean = np.array(spec.std, np.float32), np.array(spec.mean, np.float32)
        # One multiplication and one addition.
        self._scale = (1 / (255 * std)).astype(np.float32)
        self._shift = (-mean / std).astype(np.float32)
        self._order = np.array((2, 1, 0) if spec.channels == "RGB" else (0, 1, 2), np.int32)

    def __call__(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        if native.LIBRARY is not None:
            return native.normalize(bgr, self._order, self._scale, self._shift)
        planes = np.empty((1, 3, *bgr.shape[:2]), np.float32)
        for plane, channel, scale, shift in zip(planes[0], self._order, self._scale, self._shift, strict=True):
            np.multiply(cv2.extractChannel(bgr, int(channel)), scale, out=plane)
            plane += shift
        return planes
