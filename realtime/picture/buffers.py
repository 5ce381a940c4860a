"""Arrays that are reused for every frame.

A new array of a frame's size costs more than the arithmetic that fills it: 3.7 MB of fresh memory are 900 page faults.
At 1280x720 the guided upsampling takes 1.8 ms into existing arrays, and 5 ms into new ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# A rectangle of pixels: rows and columns.
Region = tuple[slice, slice]


class Buffers:
    """Named arrays, allocated when first requested and when the shape or the type changes. Not thread-safe."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """The array of this name, with undefined content: the next caller for the name overwrites it."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array
