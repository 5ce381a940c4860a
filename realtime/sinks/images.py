"""Frames as pictures: one file with the last frame, or a folder with all of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import SinkError
from bgcam.realtime.failsafe.gate import check_shown
from bgcam.realtime.frames import CutoutFrame, OutputFrame
from bgcam.realtime.sinks._files import advice, check_writable, claim, remove, settle, write_whole
from bgcam.realtime.sinks.job import CAMERA_JOB, Job

_OPTIONS = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
}


class PictureSink:
    """One picture: the LAST frame wins. It is written by `close`, at the frame's own size. kept: see `Sink`.

    note: for the line about the output, that all other frames are not kept; "" where there is but one.
    """

    live, notice, takes_cutouts = False, "", True

    def __init__(
        self, argument: str, *, size_wh: tuple[int, int] | None = None, fps: float = 30.0, job: Job = CAMERA_JOB
    ) -> None:
        self.name, self.kept = argument, ""
        self.note = "" if job.one_frame else "the last frame alone (FOLDER/ keeps all)"
        self._path = Path(argument)
        self._last: OutputFrame | None = None
        check_writable(self._path)
        self._claim = claim(self._path)

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def write(self, frame: OutputFrame) -> None:
        check_shown(frame)
        self._last = frame

    def close(self) -> None:
        last, self._last = self._last, None
        try:
            if last is not None:
                self._write(encode(pixels(last), self._path))
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
            raise SinkError(f"{self._path}: another program wrote to it meanwhile; the picture is in {self.kept}")


class FolderSink:
    """A folder, created if missing: each frame becomes a picture of its own size; other files are not touched.

    Numbered frames become PNGs, 00000.png and so on, and `abort` removes those that this run wrote. Named frames
    (`Job.name_of`) have the format of the name's suffix, each is complete by itself, and `abort` keeps them.
    kept: see `Sink`.
    """

    live, notice, takes_cutouts = False, "", True

    def __init__(
        self, argument: str, *, size_wh: tuple[int, int] | None = None, fps: float = 30.0, job: Job = CAMERA_JOB
    ) -> None:
        self.name, self.kept = argument, ""
        self._folder = Path(argument)
        self._name_of = job.name_of
        self._written: list[int] = []
        _make_folder(self._folder)
        check_writable(self._numbered(0))
        self._claim = claim(self._folder / "bgcam")

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def write(self, frame: OutputFrame) -> None:
        check_shown(frame)
        path = self._numbered(frame.number)
        if self._name_of is not None:
            path = self._folder / self._name_of(frame.number)
            _make_folder(path.parent)
        write_whole(path, encode(pixels(frame), path), durable=False)  # a call must not wait for the disk
        if self._name_of is None:
            self._written.append(frame.number)

    def close(self) -> None:
        if self._written:
            self._written, self.kept = [], self.name
        self._claim.drop()

    def abort(self) -> None:
        for number in self._written:
            remove(self._numbered(number))
        self._written = []
        self._claim.drop()

    def _numbered(self, number: int) -> Path:
        return self._folder / f"{number:05d}.png"


def pixels(frame: OutputFrame) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR, or (H, W, 4) BGRA of a cutout."""
    return frame.bgra if isinstance(frame, CutoutFrame) else frame.bgr


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: the folder cannot be created ({error.strerror}); choose another") from error


def encode(bgr: NDArray[np.uint8], path: Path) -> bytes:
    """(H, W, 3) uint8 BGR, or BGRA, encoded in the format of the path's suffix. Raises SinkError if it is too large."""
    suffix = path.suffix.lower()
    try:
        ok, data = cv2.imencode(suffix, bgr, _OPTIONS.get(suffix, []))
    except cv2.error:
        ok = False
    if not ok:
        size = f"{bgr.shape[1]}x{bgr.shape[0]}"
        raise SinkError(f"{path}: a picture of {size} does not fit this format; write a .png instead")
    return data.tobytes()
