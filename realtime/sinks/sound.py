"""The sound of an input file for the output made from it, copied if the container accepts it; and its chapters.

Each output opens the input again, and reads its sound as far as its pictures have progressed. All times are the input's
own, relative to its beginning: the earlier of the first picture and the first sound. So relative delays are kept.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from bgcam.realtime import MAX_PIXELS
from bgcam.realtime.sinks.chapters import kept_chapters
from bgcam.realtime.sinks.sound_tracks import Track, add_track

# As for the pictures, see `sources/video.py`: opening a file may decode something of each stream.
_LIMITS = {
    "max_pixels": str(MAX_PIXELS),
    "codec_whitelist": ",".join(sorted(av.codecs_available - {"png", "apng"})),
}
# A larger gap between two packets, or a packet that is this much too early, means that the clock jumped.
_MAX_GAP_S, _MAX_BACK_S = 60.0, 1.0
# A track that is further from the pictures than this has its own clock, and is aligned with them.
_FAR_S = 3600.0

if TYPE_CHECKING:  # only in PyAV's stubs
    from av.container.core import Chapter
    from av.packet import Packet

    AnyPacket = Packet[AudioStream]


@dataclass(frozen=True)
class InputFile:
    """A video file that is read.

    start_s: when its first picture is due, on the file's clock.
    sound: whether to keep its sound.
    """

    path: Path
    start_s: float
    sound: bool = True


class SoundTracks:
    """The sound of `file` for the video that is written to `container`, before its header is written.

    Raises FFmpeg's errors if the output fails; an input that ends early ends the sound, and `say` gets a line.

    begin_s: how long after the sound the pictures begin; they are delayed by that.
    note: what happens to each track, "" without sound.
    """

    def __init__(
        self, file: InputFile, container: OutputContainer, *, suffix: str, say: Callable[[str], None] | None = None
    ) -> None:
        self._say, self._output = say or _say, container
        self._input: InputContainer = av.open(f"file:{file.path}", options=_LIMITS, metadata_errors="replace")
        try:
            self._tracks = self._add_tracks(suffix) if file.sound else {}
        except BaseException:
            self._input.close()
            raise
        begin_s = _exact(file.start_s)
        self._origin_s = _origin_s(begin_s, [one for one in self._input.streams.audio if one.index in self._tracks])
        self.begin_s = float(begin_s - self._origin_s)
        self.note = ", ".join(track.note for track in self._tracks.values())
        self._clocks = {index: _Clock(begin_s) for index in self._tracks}
        self._read = self._packets()
        self._held: tuple[AnyPacket, int, Fraction] | None = None
        self._chapters = self._input.chapters()

    def chapters(self, *, end_s: float) -> list[Chapter]:
        """The input's chapters, as far as they apply to an output that ends then."""
        return kept_chapters(self._chapters, origin_s=float(self._origin_s), end_s=end_s)

    def until(self, time_s: float) -> None:
        """Write packets that begin before this second of the output."""
        while (held := self._held or next(self._read, None)) is not None:
            packet, index, shift_s = held
            self._held = held
            if packet.dts is not None and float(packet.dts * packet.time_base - shift_s) >= time_s:
                return
            self._held = None
            self._write(index, packet, shift_s)

    def finish(self, time_s: float) -> None:
        """Write packets that begin before this second of the output, and flush the encoders. math.inf: everything."""
        self.until(time_s)
        for index in self._tracks:
            self._write(index, None, self._origin_s)
        self.close()

    def close(self) -> None:
        """Close the input."""
        self._held, self._read = None, iter(())
        self._input.close()

    def _write(self, index: int, packet: AnyPacket | None, shift_s: Fraction) -> None:
        for made in self._tracks[index].packets(packet, shift_s):
            self._output.mux(made)

    def _add_tracks(self, suffix: str) -> dict[int, Track]:
        tracks: dict[int, Track] = {}
        for stream in self._input.streams.audio:
            if stream.codec_context is None:
                self._say("a sound track is left out: FFmpeg does not know its codec; convert it first to keep it")
                continue
            tracks[stream.index] = add_track(stream, self._output, suffix=suffix)
        return tracks

    def _packets(self) -> Iterator[tuple[AnyPacket, int, Fraction]]:
        """Each packet, its stream's index, and by how much its times are late."""
        if not self._tracks:
            return
        try:
            wanted = [stream for stream in self._input.streams.audio if stream.index in self._tracks]
            for packet in cast("Iterator[AnyPacket]", self._input.demux(*wanted)):
                index = packet.stream.index
                if packet.dts is None:
                    packet.dts = packet.pts
                if packet.dts is None or not packet.size:  # the last, empty packet only flushes
                    continue
                if packet.pts is None or packet.pts < packet.dts:
                    packet.pts = packet.dts
                shift_s = self._clocks[index].shift_s(packet)
                if shift_s is not None:
                    yield packet, index, self._origin_s + shift_s
        except (
            OSError,
            ValueError,
            IndexError,
            av.error.FFmpegError,
        ) as error:  # IndexError: a stream that appeared later
            self._say(f"the sound ends early: {getattr(error, 'strerror', None) or error}")


class _Clock:
    """Corrects a track's times: they increase, and jumps of the clock are removed. begin_s: of the pictures."""

    def __init__(self, begin_s: Fraction) -> None:
        self._begin_s = begin_s
        self._shift_s = Fraction(0)
        self._last_dts: Fraction | None = None
        self._end_s = Fraction(0)

    def shift_s(self, packet: AnyPacket) -> Fraction | None:
        """By how much the packet's times are late; None for one that is too early to be written."""
        assert packet.dts is not None
        time_s = packet.dts * packet.time_base
        if self._last_dts is None:
            if abs(time_s - self._begin_s) > _FAR_S:
                self._shift_s = time_s - self._begin_s
        else:
            gap_s = time_s - self._shift_s - self._end_s
            if gap_s > _MAX_GAP_S or gap_s < -_MAX_BACK_S:
                self._shift_s = time_s - self._end_s
            if time_s - self._shift_s <= self._last_dts:
                return None
        self._last_dts = time_s - self._shift_s
        self._end_s = self._last_dts + (packet.duration or 0) * packet.time_base
        return self._shift_s


def pictures_begin_s(file: InputFile) -> float:
    """How much later than its sound the pictures of a file begin in an output: `SoundTracks.begin_s`."""
    if not file.sound:
        return 0.0
    begin_s = _exact(file.start_s)
    with av.open(f"file:{file.path}", options=_LIMITS, metadata_errors="replace") as container:
        tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]
        return float(begin_s - _origin_s(begin_s, tracks))


def _origin_s(begin_s: Fraction, tracks: Iterable[AudioStream]) -> Fraction:
    """The output's second 0 on the input's clock. begin_s: of the pictures, on that clock."""
    starts_s = [_start_s(stream) for stream in tracks]
    near_s = [start_s for start_s in starts_s if start_s is not None and abs(start_s - begin_s) <= _FAR_S]
    return min([begin_s, *near_s])


def _start_s(stream: AudioStream) -> Fraction | None:
    return None if stream.start_time is None or stream.time_base is None else stream.start_time * stream.time_base


def _exact(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(1_000_000)


def _say(line: str) -> None:
    print(f"bgcam: {line}", file=sys.stderr, flush=True)


EVERYTHING = math.inf
