"""A video in a loop as background. What is lost on the way leaves the last good picture."""

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
from bgcam.realtime.sources.rated import end_of


class Video:
    """A video, GIF, animated WebP or APNG that loops at its own rate: at the camera's second t it shows its frame of
    second t. One that is cut off loops as far as it can be read.

    whole: see `Still`. Two frames are held at a time. Raises SourceError when not even the first frame can be read.
    """

    needs_matte, same_room = True, False

    def __init__(self, path: Path):
        self.name, self.whole = str(path), False
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
        self._still.whole = self.whole
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
