"""The only place that creates a `ComposedFrame` or a `CutoutFrame`, and never from a camera frame's memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.frames import COMPOSITOR, CameraFrame, ComposedFrame, CutoutFrame, Matte
from bgcam.realtime.picture.composite import blend


def compose(frame: CameraFrame, matte: Matte, background_bgr: NDArray[np.uint8]) -> ComposedFrame:
    """Composites the person with the background, (H, W, 3) uint8 BGR of the frame's size.

    Raises ValueError if the matte belongs to another frame, or a size differs. `background_bgr is frame.room_bgr` means
    that the user wants to show the room: the result is a copy of the frame.
    """
    _check_pair(frame, matte)
    if background_bgr.shape != frame.room_bgr.shape:
        raise ValueError(f"{frame} does not fit a background of shape {background_bgr.shape}")
    wanted = background_bgr is frame.room_bgr
    return composed(frame, frame.room_bgr.copy() if wanted else blend(frame.room_bgr, background_bgr, matte.alpha))


def composed(frame: CameraFrame, bgr: NDArray[np.uint8]) -> ComposedFrame:
    """Wraps what the picture chain computed from the frame, (H, W, 3) uint8 BGR of its size.

    Raises ValueError for another size, and for the memory of a camera frame, which was not composited.
    """
    if bgr.shape != frame.room_bgr.shape:
        raise ValueError(f"{frame} cannot give a picture of shape {bgr.shape}")
    _check_memory(bgr)
    return ComposedFrame(frame.number, frame.time_s, frame.captured_s, bgr=bgr, made_by=COMPOSITOR)


def composed_i420(frame: CameraFrame, i420: NDArray[np.uint8]) -> ComposedFrame:
    """As `composed`, for a picture in I420: (H * 3 / 2, W) uint8."""
    if i420.shape != (frame.room_bgr.shape[0] * 3 // 2, frame.room_bgr.shape[1]):
        raise ValueError(f"{frame} cannot give a picture in I420 of shape {i420.shape}")
    _check_memory(i420)
    return ComposedFrame(frame.number, frame.time_s, frame.captured_s, i420=i420, made_by=COMPOSITOR)


def composed_cutout(frame: CameraFrame, bgra: NDArray[np.uint8]) -> CutoutFrame:
    """As `composed`, for a cutout: (H, W, 4) uint8 BGRA. Also raises ValueError if a transparent pixel has a colour.

    Colours under full transparency are invisible, but can be read from a file, so they must not show the room.
    """
    if bgra.shape[:2] != frame.room_bgr.shape[:2]:
        raise ValueError(f"{frame} cannot give a cutout of shape {bgra.shape}")
    if bgra[bgra[..., 3] == 0].any():
        raise ValueError(f"{frame}: its cutout has colour in transparent pixels")
    _check_memory(bgra)
    return CutoutFrame(frame.number, bgra, frame.time_s, frame.captured_s, made_by=COMPOSITOR)


def empty_cutout(number: int, size_wh: tuple[int, int], *, time_s: float = 0.0, captured_s: float = 0.0) -> CutoutFrame:
    """A fully transparent cutout: the placeholder for outputs with transparency."""
    empty = np.zeros((size_wh[1], size_wh[0], 4), np.uint8)
    return CutoutFrame(number, empty, time_s, captured_s, made_by=COMPOSITOR)


def placeholder(
    number: int, background_bgr: NDArray[np.uint8], *, time_s: float = 0.0, captured_s: float = 0.0
) -> ComposedFrame:
    """A frame without any camera pixel, for as long as there is no matte: a copy of the background, (H, W, 3) uint8
    BGR.

    Raises ValueError for a background in the memory of a camera frame.
    """
    _check_memory(background_bgr)
    return ComposedFrame(number, time_s, captured_s, bgr=background_bgr.copy(), made_by=COMPOSITOR)


def _check_memory(shown: NDArray[np.uint8]) -> None:
    if is_camera_memory(shown):
        raise ValueError("a composed frame cannot be made of a camera frame's own pixels")


def _check_pair(frame: CameraFrame, matte: Matte) -> None:
    if frame.number != matte.number:
        raise ValueError(f"{frame} cannot take {matte}: it belongs to another frame")
    if matte.alpha.shape != frame.room_bgr.shape[:2]:
        raise ValueError(f"{frame} cannot take {matte}: the sizes differ")
