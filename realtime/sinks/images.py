"""Frames as pictures: one file with the last frame, or a folder with all of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks._files import advice, check_writable, claim, remove, settle, write_whole

_OPTIONS = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
}


class PictureSink:
    """One picture: the LAST frame wins. It is written by `close`, at the frame's own size. kept: see `Sink`."""

    def __init__(self, argument: str, *, size_wh: tuple[int, int] | None = None, fps: float = 30.0) -> None:
        self.name, self.kept = argument, ""
        self._path = Path(argument)
        self._last: ComposedFrame | None = None
        check_writable(self._path)
        self._claim = claim(self._path)

    def write(self, frame: ComposedFrame) -> None:
        self._last = frame

    def close(self) -> None:
        last, self._last = self._last, None
        try:
            if last is not None:
                self._write(encode(last.bgr, self._path))
        finally:
            self._claim.drop()

    def abort(self) -> None:
        self._last = None
        self._claim.drop()

    def _write(self, data: bytes) -> None:
        try:
            self._claim.file.write(data)
            self._claim.file.sync()
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written ({error.strerror}); {advice(error)}") from error
        self.kept = settle(self._claim)
        if self.kept != str(self._path):
            raise SinkError(f"{self._path}: another program wrote to it meanwhile; the picture lies in {self.kept}")


class FolderSink:
    """A folder, made if missing: each frame is a PNG of its own size, 00000.png by its number; others stay as they are.

    `abort` removes the pictures that this run wrote. kept: see `Sink`.
    """

    def __init__(self, argument: str, *, size_wh: tuple[int, int] | None = None, fps: float = 30.0) -> None:
        self.name, self.kept = argument, ""
        self._folder = Path(argument)
        self._written: list[int] = []
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{argument}: the folder cannot be made ({error.strerror}); choose another") from error
        check_writable(self._path(0))
        self._claim = claim(self._folder / "bgcam")

    def write(self, frame: ComposedFrame) -> None:
        path = self._path(frame.number)
        write_whole(path, encode(frame.bgr, path), durable=False)  # a call is not to wait for the disk
        self._written.append(frame.number)

    def close(self) -> None:
        if self._written:
            self._written, self.kept = [], self.name
        self._claim.drop()

    def abort(self) -> None:
        for number in self._written:
            remove(self._path(number))
        self._written = []
        self._claim.drop()

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
