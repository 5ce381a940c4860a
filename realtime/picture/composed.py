"""The only place where a `ComposedFrame` or a `CutoutFrame` is made, and of memory that is no camera frame's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.frames import COMPOSITOR, CameraFrame, ComposedFrame, CutoutFrame, Matte
from bgcam.realtime.picture.composite import blend


def compose(frame: CameraFrame, matte: Matte, background_bgr: NDArray[np.uint8]) -> ComposedFrame:
    """The person of the frame before the background, (H, W, 3) uint8 BGR of the frame's size.

    Raises ValueError if the matte is another frame's, or a size differs. `background_bgr is frame.room_bgr` is the
    user's wish to show the room: a copy of the frame goes out.
    """
    _check_pair(frame, matte)
    if background_bgr.shape != frame.room_bgr.shape:
        raise ValueError(f"{frame} does not fit a background of shape {background_bgr.shape}")
    wanted = background_bgr is frame.room_bgr
    return composed(frame, frame.room_bgr.copy() if wanted else blend(frame.room_bgr, background_bgr, matte.alpha))


def composed(frame: CameraFrame, bgr: NDArray[np.uint8]) -> ComposedFrame:
    """What the picture chain made of the frame, (H, W, 3) uint8 BGR of its size.

    Raises ValueError for another size, and for the memory of a camera frame: nobody composed that.
    """
    if bgr.shape != frame.room_bgr.shape:
        raise ValueError(f"{frame} cannot give a picture of shape {bgr.shape}")
    _check_memory(bgr)
    return ComposedFrame(frame.number, frame.time_s, frame.captured_s, bgr=bgr, made_by=COMPOSITOR)


def composed_i420(frame: CameraFrame, i420: NDArray[np.uint8]) -> ComposedFrame:
    """As `composed`, of a picture in I420: (H * 3 / 2, W) uint8."""
    if i420.shape != (frame.room_bgr.shape[0] * 3 // 2, frame.room_bgr.shape[1]):
        raise ValueError(f"{frame} cannot give a picture in I420 of shape {i420.shape}")
    _check_memory(i420)
    return ComposedFrame(frame.number, frame.time_s, frame.captured_s, i420=i420, made_by=COMPOSITOR)


def composed_cutout(frame: CameraFrame, bgra: NDArray[np.uint8]) -> CutoutFrame:
    """As `composed`, of the person alone: (H, W, 4) uint8 BGRA. ValueError too where transparent pixels have a colour.

    What no viewer shows can still be read from the file, so it must not hold the room.
    """
    if bgra.shape[:2] != frame.room_bgr.shape[:2]:
        raise ValueError(f"{frame} cannot give a cutout of shape {bgra.shape}")
    if bgra[bgra[..., 3] == 0].any():
        raise ValueError(f"{frame}: its cutout has colour in transparent pixels")
    _check_memory(bgra)
    return CutoutFrame(frame.number, bgra, frame.time_s, frame.captured_s, made_by=COMPOSITOR)


def empty_cutout(number: int, size_wh: tuple[int, int], *, time_s: float = 0.0, captured_s: float = 0.0) -> CutoutFrame:
    """A cutout without anybody: what `placeholder` is to composed frames."""
    nobody = np.zeros((size_wh[1], size_wh[0], 4), np.uint8)
    return CutoutFrame(number, nobody, time_s, captured_s, made_by=COMPOSITOR)


def placeholder(
    number: int, background_bgr: NDArray[np.uint8], *, time_s: float = 0.0, captured_s: float = 0.0
) -> ComposedFrame:
    """A frame without a camera's pixel: a copy of the background alone, (H, W, 3) uint8 BGR, while there is no matte.

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
