"""Images as Python programs have them, to and from the BGR arrays that bgcam works on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

# A path, an (H, W, 3) uint8 RGB array, a Pillow image, or anything with `__dlpack__`, such as a torch tensor.
Image: TypeAlias = "str | os.PathLike[str] | NDArray[np.uint8] | Any"
RGB: TypeAlias = NDArray[np.uint8]


def to_bgr(image: Image) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR of an image, in memory of its own.

    Raises TypeError for what is no image, ValueError for an array of another shape or dtype, SourceError for a file
    that cannot be read. A tensor of another device than the CPU is refused by its own library.
    """
    if isinstance(image, str | os.PathLike):
        from bgcam.realtime.sources.images import read_picture

        return read_picture(Path(image).expanduser())
    return np.ascontiguousarray(_rgb_array(image)[..., ::-1])


def to_rgb(bgr: NDArray[np.uint8]) -> RGB:
    """(H, W, 3) BGR to RGB, contiguous."""
    return np.ascontiguousarray(bgr[..., ::-1])


def _rgb_array(image: Any) -> RGB:
    if hasattr(image, "convert") and hasattr(image, "getexif"):  # Pillow's, without importing Pillow
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(image) or image
        return np.asarray(upright.convert("RGB"), np.uint8)
    if isinstance(image, np.ndarray):
        array = image
    elif hasattr(image, "__dlpack__"):
        array = np.from_dlpack(image)
    else:
        raise TypeError(f"an image must be an array, a Pillow image, a tensor or a path, not {type(image).__name__}")
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f"an image must be (H, W, 3) uint8 in RGB order, found {array.shape} {array.dtype}")
    return cast(RGB, array)
