"""Transparent pictures on one colour: colours hidden under full transparency must not show."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime import MAX_PIXELS

# Both black and white text on a transparent background stay visible on it.
GREY = 128
_PNG_ALPHA = (4, 6)  # colour types
# What Pillow raises for a damaged file.
PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    MemoryError,
    OverflowError,
    IndexError,
    TypeError,
    KeyError,
)


def on_grey(bgra: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 BGRA, alpha not premultiplied, composited onto plain grey: (H, W, 3) uint8 BGR."""
    bgr = np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2BGR), np.uint8)
    alpha = bgra[..., 3]
    if alpha.size and alpha.min() == 255:
        return bgr
    seen = cv2.merge([alpha] * 3)
    shown = cv2.multiply(bgr, seen, scale=1 / 255)
    return np.asarray(cv2.add(shown, cv2.multiply(255 - seen, np.full_like(bgr, GREY), scale=1 / 255)), np.uint8)


def may_be_transparent(data: bytes) -> bool:
    """Whether a PNG or WebP has transparency, by its header."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return data[25] in _PNG_ALPHA or b"tRNS" in data[: data.find(b"IDAT")]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return (data[12:16] == b"VP8X" and bool(data[20] & 0x10)) or (data[12:16] == b"VP8L" and bool(data[24] & 0x10))
    return False


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Keep Pillow's warnings about odd files off the terminal; what it cannot read, it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def read_on_grey(data: bytes, *, formats: tuple[str, ...] = ("PNG", "WEBP")) -> NDArray[np.uint8] | None:
    """A complete transparent picture of one of Pillow's formats, upright on grey: (H, W, 3) uint8 BGR.

    None if Pillow finds no transparency in it, if it cannot read it, and for over 100 megapixels.
    """
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with without_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the next line says how large one may be
            image = Image.open(io.BytesIO(data), formats=formats)
        with without_warnings(), image:
            if image.width * image.height > MAX_PIXELS:
                return None
            if not image.has_transparency_data or image.mode.startswith("I"):
                return None
            rgba = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"), np.uint8)
    except (*PILLOW_ERRORS, Image.DecompressionBombError):
        return None
    return on_grey(np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]))
