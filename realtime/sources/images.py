"""One picture, or a folder of pictures sorted by name: each is one frame, of its own size."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources import MAX_PIXELS, PICTURE_SUFFIXES
from bgcam.realtime.sources._file import ordinary_bytes
from bgcam.realtime.sources._header import is_whole, picture_size_wh
from bgcam.realtime.sources._heif_boxes import is_heif
from bgcam.realtime.sources._shape import COVER, shape
from bgcam.realtime.sources._transparency import may_be_transparent, read_on_grey

_FPS = 25.0
# 100 megapixels of 16-bit colour with transparency.
MAX_BYTES = 8 * MAX_PIXELS
cv2.utils.logging.setLogLevel(0)  # its own lines about a damaged picture would hide ours


class ImagesSource:
    """Pictures as frames. size_wh is the first one's; without `size_wh` given, each frame keeps its own size.

    fps: the rate at which they would play, 25 unless given. Raises SourceError for a folder without pictures and for a
    picture that cannot be read, naming it.
    """

    live = False
    drops = 0

    def __init__(
        self,
        path: Path,
        *,
        size_wh: tuple[int, int] | None = None,
        fps: float | None = None,
        mirror: bool = False,
        fit: str = COVER,
    ) -> None:
        self.name = str(path)
        self.fps = fps or _FPS
        self._paths = picture_paths(path) if path.is_dir() else [path]
        self._asked_wh = size_wh
        self._mirror, self._fit = mirror, fit
        self._closed = False
        self._number = 0
        self._first: NDArray[np.uint8] | None = self._picture(0)
        self.frames: int | None = len(self._paths)
        self.size_wh = (self._first.shape[1], self._first.shape[0])

    def path_of(self, number: int) -> Path:
        """The file that frame `number` was read from."""
        return self._paths[number]

    def read(self) -> CameraFrame | None:
        if self._closed or self._number == len(self._paths):
            return None
        bgr = self._first if self._first is not None else self._picture(self._number)
        self._first = None
        number, self._number = self._number, self._number + 1
        return CameraFrame(number, bgr, number / self.fps, time.monotonic())

    def close(self) -> None:
        self._closed = True

    def _picture(self, number: int) -> NDArray[np.uint8]:
        return shape(read_picture(self._paths[number]), size_wh=self._asked_wh, mirror=self._mirror, fit=self._fit)


def picture_paths(folder: Path) -> list[Path]:
    """The folder's pictures by name, hidden files left out. Raises SourceError when there are none."""
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]
    except OSError as error:
        raise SourceError(f"{folder}: cannot read the folder ({error.strerror})") from error
    paths = sorted((path for path in found if not path.name.startswith(".")), key=lambda path: path.name)
    if not paths:
        raise SourceError(f"{folder}: no pictures in this folder; give one with {', '.join(PICTURE_SUFFIXES)} files")
    return paths


def read_picture(path: Path) -> NDArray[np.uint8]:
    """One picture as (H, W, 3) uint8 BGR, turned upright by its EXIF tag. SourceError says what is wrong with it.

    Transparent PNG and WebP pictures lie on plain grey: the colours hidden under alpha 0 are not to be seen.
    Its size in bytes and its header are read first: over 100 megapixels are refused before memory is spent on them.
    """
    length = ordinary_bytes(path, "picture")
    if length > MAX_BYTES:
        raise SourceError(f"{path}: {length / 1e6:.0f} MB are too much for a picture; make it smaller first")
    if is_heif(path):
        from bgcam.realtime.sources.heif import read_heif

        return read_heif(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot read the picture ({error.strerror})") from error
    size_wh = picture_size_wh(data)
    bgr = None
    if size_wh and size_wh[0] * size_wh[1] > MAX_PIXELS:
        raise SourceError(f"{path}: {size_wh[0]}x{size_wh[1]} is over 100 megapixels; make it smaller first")
    if size_wh and is_whole(data):
        seen = read_on_grey(data) if may_be_transparent(data) else None
        if seen is not None:
            return seen
        with contextlib.suppress(cv2.error):
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        kinds = "PNG, JPEG, WebP, BMP, TIFF, HEIC or AVIF"
        raise SourceError(f"{path}: not a readable picture (damaged, cut off, or no {kinds}); replace or remove it")
    return np.asarray(bgr, np.uint8)
