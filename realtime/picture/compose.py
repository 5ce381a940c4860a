"""The only place where a `ComposedFrame` or a `CutoutFrame` is made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, ComposedFrame, CutoutFrame, Matte, PackedFrame
from bgcam.realtime.picture.blend import blend


def compose(frame: CameraFrame, matte: Matte, background_bgr: NDArray[np.uint8]) -> ComposedFrame:
    """The person of the frame before the background, (H, W, 3) uint8 BGR of the frame's size.

    Raises ValueError if the matte is another frame's, or a size differs. `background_bgr is frame.bgr` is the user's
    wish to show the room: the frame goes out as it is.
    """
    _check_pair(frame, matte)
    if background_bgr.shape != frame.bgr.shape:
        raise ValueError(f"{frame} cannot go before a background of shape {background_bgr.shape}")
    bgr = frame.bgr if background_bgr is frame.bgr else blend(frame.bgr, background_bgr, matte.alpha)
    return ComposedFrame(frame.number, bgr, frame.time_s, frame.captured_s)


def composed(frame: CameraFrame, bgr: NDArray[np.uint8]) -> ComposedFrame:
    """What the picture chain made of the frame, (H, W, 3) uint8 BGR of its size. Raises ValueError for another size."""
    if bgr.shape != frame.bgr.shape:
        raise ValueError(f"{frame} cannot have become a picture of shape {bgr.shape}")
    return ComposedFrame(frame.number, bgr, frame.time_s, frame.captured_s)


def composed_i420(frame: CameraFrame, i420: NDArray[np.uint8]) -> ComposedFrame:
    """As `composed`, of a picture in I420: (H * 3 / 2, W) uint8."""
    if i420.shape != (frame.bgr.shape[0] * 3 // 2, frame.bgr.shape[1]):
        raise ValueError(f"{frame} cannot have become a picture in I420 of shape {i420.shape}")
    return PackedFrame(frame.number, i420, frame.time_s, frame.captured_s)


def composed_cutout(frame: CameraFrame, bgra: NDArray[np.uint8]) -> CutoutFrame:
    """As `composed`, of the person alone: (H, W, 4) uint8 BGRA. ValueError too where transparent pixels have a colour.

    What no viewer shows can still be read from the file, so it must not hold the room.
    """
    if bgra.shape[:2] != frame.bgr.shape[:2]:
        raise ValueError(f"{frame} cannot have become a cutout of shape {bgra.shape}")
    if bgra[bgra[..., 3] == 0].any():
        raise ValueError(f"{frame}: its cutout has colours under what is transparent")
    return CutoutFrame(frame.number, bgra, frame.time_s, frame.captured_s)


def empty_cutout(number: int, size_wh: tuple[int, int], *, time_s: float = 0.0, captured_s: float = 0.0) -> CutoutFrame:
    """A cutout without anybody: what `card` is to composed frames."""
    return CutoutFrame(number, np.zeros((size_wh[1], size_wh[0], 4), np.uint8), time_s, captured_s)


def card(
    number: int, background_bgr: NDArray[np.uint8], *, time_s: float = 0.0, captured_s: float = 0.0
) -> ComposedFrame:
    """A frame without a camera's pixel: the background alone, (H, W, 3) uint8 BGR, to show while there is no matte."""
    return ComposedFrame(number, background_bgr, time_s, captured_s)


def _check_pair(frame: CameraFrame, matte: Matte) -> None:
    if frame.number != matte.number:
        raise ValueError(f"{frame} cannot take {matte}: it is another frame's")
    if matte.alpha.shape != frame.bgr.shape[:2]:
        raise ValueError(f"{frame} cannot take {matte}: the sizes differ")
