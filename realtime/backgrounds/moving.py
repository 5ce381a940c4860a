"""Backgrounds that move: a video in a loop, and a slideshow. What is lost under way leaves the last good picture."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources.base import Source
from bgcam.realtime.sources.files import open_moving
from bgcam.realtime.sources.images import picture_paths, read_picture
from bgcam.realtime.sources.rated import end_of

SLIDE_S = 10.0


class Video:
    """A video, GIF, animated WebP or APNG that loops at its own rate: at the camera's second t it shows its frame of
    second t. One that is cut off loops as far as it can be read.

    Two frames are held at a time. Raises SourceError when not even the first frame can be read.
    """

    needs_matte, same_room = True, False

    def __init__(self, path: Path):
        self.name = str(path)
        self._path = path
        self._closed = False
        self._loop_s = 0.0  # known after the first loop
        self._skipped_s = 0.0
        self._frames = self._play(open_moving(path))
        first = next(self._frames, None)
        if first is None:
            raise SourceError(f"{path}: no frame can be decoded; give another video")
        self._still = Still(self.name, first[1])
        self._next = next(self._frames, None)

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        now_s = frame.time_s - self._skipped_s
        if self._next and self._loop_s and now_s - self._next[0] > self._loop_s:
            # A long gap in the camera's time: whole loops need not be decoded.
            loops = (now_s - self._next[0]) // self._loop_s
            self._skipped_s += loops * self._loop_s
            now_s -= loops * self._loop_s
        newest = None
        while self._next and self._next[0] <= now_s:
            newest = self._next[1]
            self._next = next(self._frames, None)
        if newest is not None:
            self._still = Still(self.name, newest)
        return self._still.picture(frame, coarse)

    def close(self) -> None:
        # While another thread decodes, the generator cannot be closed: it ends by itself after the next picture.
        self._closed = True
        with contextlib.suppress(ValueError):
            self._frames.close()

    def _play(self, source: Source | None) -> Generator[tuple[float, NDArray[np.uint8]]]:
        """(second, BGR) without end, of what can be read; it ends when the file is gone, or has one frame only."""
        begin_s = 0.0
        while not self._closed:
            try:
                source = source or open_moving(self._path)
            except SourceError:
                return
            end_s, count = 0.0, 0
            try:
                while not self._closed and (frame := source.read()) is not None:
                    yield begin_s + frame.time_s, frame.room_bgr
                    end_s, count = end_of(source, frame), count + 1
            except SourceError:  # a cut video loops as far as it goes
                pass
            finally:
                source.close()
            if count < 2:
                return
            source, self._loop_s = None, end_s
            begin_s += end_s


class Slideshow:
    """The pictures of a folder by name, ten seconds each, in a loop. One is held at a time.

    Raises SourceError when none of them can be read; later, one that cannot be read is passed over.
    """

    needs_matte, same_room = True, False

    def __init__(self, folder: Path):
        self.name = str(folder)
        self._paths = picture_paths(folder)
        self._at, self._still = self._first_readable()

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        at = int(frame.time_s // SLIDE_S) % len(self._paths)
        if at != self._at:
            self._at = at
            with contextlib.suppress(SourceError):
                self._still = Still(self.name, read_picture(self._paths[at]))
        return self._still.picture(frame, coarse)

    def close(self) -> None:
        """No file is open between two pictures."""

    def _first_readable(self) -> tuple[int, Still]:
        errors = []
        for at, path in enumerate(self._paths):
            try:
                return at, Still(self.name, read_picture(path))
            except SourceError as error:
                errors.append(error)
        raise SourceError(f"{self.name}: none of its {len(errors)} pictures can be read; the first error: {errors[0]}")
