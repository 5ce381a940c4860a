"""Pictures, and folders of pictures in natural order: each is one frame, of its own size."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime import MAX_PIXELS
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources._file import ordinary_bytes
from bgcam.realtime.sources._header import is_whole, picture_size_wh
from bgcam.realtime.sources._heif_boxes import is_heif
from bgcam.realtime.sources._shape import COVER, shape
from bgcam.realtime.sources._transparency import may_be_transparent, read_on_grey
from bgcam.realtime.sources.picture_files import all_pictures
from bgcam.realtime.sources.picture_files import picture_paths as picture_paths

_FPS = 25.0
# 100 megapixels of 16-bit colour with transparency.
MAX_BYTES = 8 * MAX_PIXELS
cv2.utils.logging.setLogLevel(0)  # its messages about a damaged picture would hide bgcam's


def say_skipped(error: SourceError) -> None:
    print(f"bgcam: skipped: {error}", file=sys.stderr, flush=True)


class ImagesSource:
    """Pictures as frames. size_wh is the first one's; without `size_wh` given, each frame keeps its own size.

    A folder's unreadable pictures are skipped: `say` gets each error, and `skipped` counts them. Raises SourceError for
    a folder without a readable picture, and for a single picture that cannot be read.

    fps: the rate at which they would play, 25 unless given.
    fit: how another aspect ratio is fitted to `size_wh`, see `shape`.
    leave_out: folders in the folder that are skipped.
    independent: the pictures are unrelated.
    """

    live, note, notice = False, "", ""
    drops = 0
    independent = True

    def __init__(
        self,
        path: Path | Sequence[Path],
        *,
        size_wh: tuple[int, int] | None = None,
        fps: float | None = None,
        mirror: bool = False,
        fit: str = COVER,
        leave_out: Collection[Path] = (),
        say: Callable[[SourceError], None] = say_skipped,
    ) -> None:
        given = [path] if isinstance(path, Path) else path
        self.name = str(given[0]) + (f" and {len(given) - 1} more" if len(given) > 1 else "")
        self.fps = fps or _FPS
        self.folder = given[0] if len(given) == 1 and given[0].is_dir() else None
        self.paths = all_pictures(given, leave_out=leave_out)
        self.frames: int | None = len(self.paths)
        self.skipped = 0
        self._alone = len(self.paths) == 1 and self.folder is None
        self._say = say
        self._asked_wh = size_wh
        self._mirror, self._fit = mirror, fit
        self._closed = False
        self._next = 0
        self._given: list[int] = []
        self._first = self._picture()
        if self._first is None:
            raise SourceError(
                f"{self.name}: none of the {self.skipped} pictures in it can be read; give another folder"
            )
        self.size_wh = (self._first.shape[1], self._first.shape[0])

    def path_of(self, number: int) -> Path:
        """The file that frame `number` was read from."""
        return self.paths[self._given[number]]

    def read(self) -> CameraFrame | None:
        if self._closed:
            return None
        number = len(self._given) - (self._first is not None)
        bgr = self._first if self._first is not None else self._picture()
        self._first = None
        return None if bgr is None else CameraFrame(number, bgr, number / self.fps, time.monotonic())

    def close(self) -> None:
        self._closed = True

    def _picture(self) -> NDArray[np.uint8] | None:
        """The next readable one; None at the end."""
        while self._next < len(self.paths):
            place, self._next = self._next, self._next + 1
            try:
                bgr = read_picture(self.paths[place])
            except SourceError as error:
                if self._alone:
                    raise
                self._say(error)
                self.skipped += 1
                continue
            self._given.append(place)
            return shape(bgr, size_wh=self._asked_wh, mirror=self._mirror, fit=self._fit)
        return None


def read_picture(path: Path) -> NDArray[np.uint8]:
    """One picture as (H, W, 3) uint8 BGR, turned upright by its EXIF tag. Raises SourceError, which says what is wrong.

    Transparent PNG and WebP pictures are composited onto plain grey: colours hidden under alpha 0 must not show.
    The file's length and header are checked first: over 100 megapixels are refused before memory is allocated.
    """
    length = ordinary_bytes(path, "picture")
    if length > MAX_BYTES:
        raise SourceError(f"{path}: {length / 1e6:.0f} MB are too large for a picture; make it smaller first")
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
        raise SourceError(f"{path}: not a readable picture (damaged, truncated, or not {kinds}); replace or remove it")
    return np.asarray(bgr, np.uint8)
