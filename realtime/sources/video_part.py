"""A video file in parts that begin at key frames, so that several workers read one file.

Each part begins with frames of the part before it, for what remembers earlier frames; its frames have the times that
they have in the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import msgspec

from bgcam.realtime.errors import SourceError
from bgcam.realtime.sources._clock import FrameClock
from bgcam.realtime.sources._streams import best_video
from bgcam.realtime.sources.video import Decoded, VideoSource, limits

# At this many key frames the search for one to begin at is given up, and the file is read from its beginning.
_MOST_TRIES = 3
# The last part is at least this share of a part.
_LEAST_SHARE = 0.5


class NotInParts(SourceError):
    """The video has to be read as a whole; the text says why."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a video; times in ticks of its stream.

    number: among the parts, from 0. first, frames: the number of its first frame in the file, and of its frames.
    warm: how many frames are read before those. seeks: where to seek to, the best first; none for the beginning.
    zero, before: of the file's first frame, and of the one before the first that is read. begin: of that one. end: of
    the first frame after the part, None for the last one.
    """

    number: int
    first: int
    frames: int
    warm: int
    seeks: tuple[int, ...]
    zero: int
    before: int
    begin: int
    end: int | None


@dataclass(frozen=True)
class VideoIndex:
    """times: of all frames in the order in which they are shown, in ticks. keys: where key frames are among these, and
    where to seek to for each. tick_s: a tick's length."""

    times: Sequence[int]
    keys: Sequence[tuple[int, int]]
    tick_s: float


def index_video(path: Path) -> VideoIndex:
    """Reads the file's packets without decoding them. Raises NotInParts if its times do not tell its frames apart."""
    try:
        with av.open(f"file:{path}", options=limits()) as container:
            stream = best_video(container.streams.video)
            if stream is None or stream.time_base is None:
                raise NotInParts("it has no picture")
            packets = [
                (packet.pts, packet.pts if packet.dts is None else packet.dts, packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.size and not packet.is_discard
            ]
            tick_s = float(stream.time_base)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise NotInParts(f"its index cannot be read ({error})") from error
    timed = sorted((pts, dts, key) for pts, dts, key in packets if pts is not None and dts is not None)
    if len(timed) < len(packets):
        raise NotInParts("its frames have no times")
    times = [pts for pts, _, _ in timed]
    if not FrameClock.is_steady([time * tick_s for time in times]):
        raise NotInParts("its clock jumps")
    return VideoIndex(times, [(number, dts) for number, (_, dts, key) in enumerate(timed) if key], tick_s)


def cut(index: VideoIndex, *, every_s: float, warm: int) -> list[Part]:
    """Parts of about `every_s` seconds that begin at key frames. warm: how many frames are read before each.

    Raises NotInParts if there would be one alone.
    """
    times, every = index.times, every_s / index.tick_s
    begins = [0]
    for number, _ in index.keys:
        enough = times[number] - times[begins[-1]] >= every
        if enough and times[-1] - times[number] >= _LEAST_SHARE * every:
            begins.append(number)
    if len(begins) < 2:
        raise NotInParts("it has too few key frames")
    ends = [*begins[1:], len(times)]
    return [_part(index, number, *ends_, warm) for number, ends_ in enumerate(zip(begins, ends, strict=True))]


def _part(index: VideoIndex, number: int, first: int, end: int, warm: int) -> Part:
    times, begin = index.times, max(0, first - warm)
    seeks = [seek for at, seek in index.keys if at <= begin][-_MOST_TRIES:]
    return Part(
        number=number,
        first=first,
        frames=end - first,
        warm=first - begin,
        seeks=tuple(reversed(seeks)) if begin else (),
        zero=times[0],
        before=times[max(0, begin - 1)],
        begin=times[begin],
        end=times[end] if end < len(times) else None,
    )


class VideoPart(VideoSource):
    """The frames of a part, after those that are read before it; numbered from 0. See `VideoSource`.

    Raises NotInParts if the file has other frames than its index says.
    """

    def __init__(self, path: Path, part: Part):
        super().__init__(str(path))
        self._end, self._over = part.end, False
        self.frames = self.about_frames = part.warm + part.frames
        try:
            self._begin(part)
        except BaseException:
            self.close()
            raise

    def next_frame(self) -> Decoded | None:
        """See `VideoSource`."""
        decoded = None if self._over else super().next_frame()
        if decoded is not None and self._end is not None and (decoded.frame.pts or 0) >= self._end:
            decoded = None
        self._over = decoded is None
        return decoded

    def _begin(self, part: Part) -> None:
        first = self._first
        if first is None or first.frame.pts != part.zero or first.frame.time_base is None:
            raise NotInParts("its first frame cannot be decoded")
        if part.begin == part.zero:
            return
        tick_s = float(first.frame.time_base)
        zero_s = float(first.frame.time or 0.0)
        self._clock.go_on(zero_s=zero_s, last_s=part.before * tick_s - zero_s)
        for found in self._sought(part):
            if found is not None and found.frame.pts == part.begin:
                self._first = found
                return
        raise NotInParts("no key frame was found where it has to begin")

    def _sought(self, part: Part) -> Iterator[Decoded | None]:
        """The first frame at the beginning of the part or after it, by seeking to one place after the other."""
        for seek in (*part.seeks, part.zero):
            self._first, self._failure = None, ""
            with_index = seek != part.zero
            try:
                self._container.seek(seek, stream=self._stream, backward=True)
            except (OSError, ValueError, av.error.FFmpegError) as error:
                if with_index:
                    continue
                raise NotInParts(f"it cannot be searched ({error})") from error
            self._decoded = self._decode()
            found = self._decode_next()
            if found is not None and (found.frame.pts or 0) > part.begin:
                continue
            while found is not None and (found.frame.pts or 0) < part.begin:
                found = self._decode_next()
            yield found


def cut_video(path: Path, *, every_s: float, warm: int) -> list[Part]:
    """See `cut`. Raises NotInParts."""
    return cut(index_video(path), every_s=every_s, warm=warm)


def length_s(path: Path) -> float:
    """How long a video file says that it is, 0 if it does not. Raises SourceError."""
    with closing(VideoSource(str(path))) as video:
        return (video.about_frames or 0) / video.fps
