"""Frames as pictures: one file with the last frame, or a folder with all of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.gate import check_shown
from bgcam.realtime.sinks._files import check_writable, remove, write_whole
from bgcam.realtime.viewers import Viewers

_OPTIONS = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
}


class PictureSink:
    """One picture: the LAST frame wins. It is written by `close`, at the frame's own size."""

    live, notice = False, ""

    def __init__(self, argument: str, *, size_wh: tuple[int, int] | None = None, fps: float = 30.0) -> None:
        self.name = argument
        self._path = Path(argument)
        self._last: ComposedFrame | None = None
        check_writable(self._path)

    def write(self, frame: ComposedFrame) -> None:
        check_shown(frame)
        self._last = frame

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        if self._last is not None:
            write_whole(self._path, encode(self._last.bgr, self._path))
            self._last = None

    def abort(self) -> None:
        self._last = None


class FolderSink:
    """A folder, made if missing: each frame is a PNG of its own size, 00000.png by its number; others stay as they are.

    `abort` removes the pictures that this run wrote.
    """

    live, notice = False, ""

    def __init__(self, argument: str, *, size_wh: tuple[int, int] | None = None, fps: float = 30.0) -> None:
        self.name = argument
        self._folder = Path(argument)
        self._written: list[int] = []
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{argument}: the folder cannot be made ({error.strerror}); choose another") from error
        check_writable(self._path(0))

    def write(self, frame: ComposedFrame) -> None:
        check_shown(frame)
        path = self._path(frame.number)
        write_whole(path, encode(frame.bgr, path))
        self._written.append(frame.number)

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None:
        self._written = []

    def abort(self) -> None:
        for number in self._written:
            remove(self._path(number))
        self._written = []

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.png"


def encode(bgr: NDArray[np.uint8], path: Path) -> bytes:
    """(H, W, 3) uint8 BGR as the bytes of the kind that the path's suffix names. SinkError when it is too big."""
    suffix = path.suffix.lower()
    try:
        ok, data = cv2.imencode(suffix, bgr, _OPTIONS[suffix])
    except cv2.error:
        ok = False
    if not ok:
        size = f"{bgr.shape[1]}x{bgr.shape[0]}"
        raise SinkError(f"{path}: a picture of {size} does not fit this format; write a .png instead")
    return data.tobytes()
