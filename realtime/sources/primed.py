"""Reads a source's first frame before an output is opened."""

from __future__ import annotations

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources.base import Source


class FirstRead:
    """A source whose first frame has been read: it is readable, and its size is certain. See `Source`."""

    def __init__(self, source: Source):
        self._source = source
        self._first = source.read()
        if self._first is None:
            raise SourceError(f"{source.name}: it ended before its first frame; give another input")
        self.name, self.fps, self.live, self.frames = source.name, source.fps, source.live, source.frames
        self.about_frames: int | None = getattr(source, "about_frames", source.frames)
        self.drops = source.drops
        self.note = f" ({source.note})" if source.note else ""
        self.size_wh = self._first.size_wh

    @property
    def notice(self) -> str:
        """The source's notice, "" for nothing."""
        return self._source.notice

    def read(self) -> CameraFrame | None:
        first, self._first = self._first, None
        frame = first or self._source.read()
        self.drops = self._source.drops
        return frame

    def close(self) -> None:
        self._source.close()
