"""Animated WebP and APNG, decoded by Pillow one picture at a time: FFmpeg plays neither safely."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime import MAX_PIXELS
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources._file import ordinary_bytes
from bgcam.realtime.sources._header import picture_size_wh
from bgcam.realtime.sources._shape import COVER, shape
from bgcam.realtime.sources._transparency import PILLOW_ERRORS, on_grey, without_warnings
from bgcam.realtime.sources._whole import missing_bytes

_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_HAS_ANIMATION = 0x02
_MAX_CHUNKS = 1000  # before a PNG's pixels; real ones have a handful
# The duration of a picture without one, or with one that browsers ignore: the same as theirs.
_SHORTEST_S, _USUAL_S = 0.011, 0.1
_HEAD_BYTES = 64
_MAX_BYTES = 800_000_000


def is_animated(path: Path) -> bool:
    """Whether the file holds an animated WebP or PNG, by its header; also False if it cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
                return len(head) > 20 and bool(head[20] & _WEBP_HAS_ANIMATION)
            if head[:8] != _PNG:
                return False
            at = 8
            for _ in range(_MAX_CHUNKS):
                file.seek(at)
                chunk = file.read(8)
                if len(chunk) < 8 or chunk[4:] in (b"IDAT", b"IEND", b"acTL"):
                    return chunk[4:] == b"acTL"
                at += 12 + int.from_bytes(chunk[:4], "big")
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        pass
    return False


class AnimationSource:
    """The pictures of an animated WebP or APNG at their times, once. See `Source`.

    fps: of its first picture. A truncated file returns the pictures that can be decoded, then raises SourceError.
    """

    live, note, notice = False, "", ""
    drops = 0

    def __init__(
        self, path: Path, *, size_wh: tuple[int, int] | None = None, mirror: bool = False, fit: str = COVER
    ) -> None:
        from PIL import Image

        self.name = str(path)
        self._path, self._mirror, self._fit = path, mirror, fit
        self._number = 0
        self._closed = False
        self.end_s = 0.0
        if ordinary_bytes(path, "picture") > _MAX_BYTES:
            raise SourceError(
                f"{path}: over {_MAX_BYTES / 1e6:g} MB are too large for an animation; make it smaller first"
            )
        try:
            data = path.read_bytes()
            stored_wh = picture_size_wh(data)
            if stored_wh and stored_wh[0] * stored_wh[1] > MAX_PIXELS:
                raise SourceError(
                    f"{path}: {stored_wh[0]}x{stored_wh[1]} is over 100 megapixels; make it smaller first"
                )
            Image.MAX_IMAGE_PIXELS = MAX_PIXELS
            with without_warnings():
                self._image = Image.open(io.BytesIO(data), formats=("WEBP", "PNG"))
            # An APNG may begin with a picture for programs without animation, which is not part of the animation.
            self._at = int(bool(getattr(self._image, "default_image", False)))
            self.frames: int | None = max(1, getattr(self._image, "n_frames", 1) - self._at)
            self._first, self._first_s = self._picture()
        except SourceError:
            raise
        except (*PILLOW_ERRORS, Image.DecompressionBombError) as error:
            raise SourceError(f"{path}: not a readable animation ({_reason(error)}); replace or remove it") from error
        self.fps = 1 / self._first_s
        self.size_wh = size_wh or (self._first.shape[1], self._first.shape[0])

    def read(self) -> CameraFrame | None:
        if self._closed:
            return None
        time_s = self.end_s
        try:
            bgr, lasts_s = (self._first, self._first_s) if self._number == 0 else self._picture()
        except EOFError:
            if missing_bytes(self._path):
                raise self._broken("its end is missing") from None
            return None
        except PILLOW_ERRORS as error:
            raise self._broken(_reason(error)) from error
        self.end_s = time_s + lasts_s
        number, self._number = self._number, self._number + 1
        shaped = shape(bgr, size_wh=self.size_wh, mirror=self._mirror, fit=self._fit)
        return CameraFrame(number, shaped, time_s, time.monotonic())

    def close(self) -> None:
        self._closed = True
        self._image.close()

    def _picture(self) -> tuple[NDArray[np.uint8], float]:
        """The next picture, (H, W, 3) uint8 BGR, and its seconds. Raises EOFError at the end, and Pillow's errors."""
        with without_warnings():
            self._image.seek(self._at)
            rgba = np.asarray(self._image.convert("RGBA"), np.uint8)
        self._at += 1
        lasts_s = float(self._image.info.get("duration", 0)) / 1000
        bgra = np.ascontiguousarray(rgba[..., [2, 1, 0, 3]])
        return on_grey(bgra), lasts_s if lasts_s >= _SHORTEST_S else _USUAL_S

    def _broken(self, why: str) -> SourceError:
        after = f"after {self._number} of {self.frames} pictures ({why})"
        return SourceError(f"{self.name}: the animation ends early {after}; get a complete copy of it")


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
