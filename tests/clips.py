"""Small videos and pictures for tests: a bright square, the tiny model's person, that moves over a dark room."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SIZE_WH = (96, 64)
ROOM = 20
PERSON = 235


def scene(number: int, size_wh: tuple[int, int] = SIZE_WH) -> NDArray[np.uint8]:
    """Frame `number`: gray `PERSON` in a square that goes right by two pixels a frame, gray `ROOM` around it."""
    width, height = size_wh
    bgr = np.full((height, width, 3), ROOM, np.uint8)
    left = 8 + 2 * number % (width // 2)
    bgr[height // 4 : height * 3 // 4, left : left + width // 3] = PERSON
    return bgr


def write_clip(path: Path, *, frames: int = 8, size_wh: tuple[int, int] = SIZE_WH, fps: int = 25) -> Path:
    """An H.264 file of `scene` frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(number, size_wh), format="bgr24")))
        container.mux(stream.encode(None))
    return path


def write_picture(path: Path, *, number: int = 0, size_wh: tuple[int, int] = SIZE_WH) -> Path:
    """A picture file of a `scene`."""
    assert cv2.imwrite(str(path), scene(number, size_wh))
    return path


def read_clip(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame of a video, (H, W, 3) uint8 BGR."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
