"""One video of parts that were encoded one by one: their packets are copied, and the sound is that of the input."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error
from av.packet import Packet

from bgcam.realtime.errors import SinkError
from bgcam.realtime.sinks._files import advice
from bgcam.realtime.sinks.sound import EVERYTHING, InputFile, SoundTracks
from bgcam.realtime.sinks.video import CLOCK_HZ
from bgcam.realtime.sinks.video_kinds import KINDS, TRANSPARENT_KINDS

if TYPE_CHECKING:  # packets are generic only in PyAV's stubs
    AnyPacket = Packet[Any]


class NotAlike(SinkError):
    """The parts were encoded in different ways."""


@dataclass(frozen=True)
class EncodedPart:
    """A file of a `VideoSink` with `Job.before`. first_tick: that sink's."""

    path: Path
    first_tick: int


def join_videos(parts: Sequence[EncodedPart], output: Path, file: InputFile, *, transparent: bool) -> None:
    """Write the video of these parts, with the sound and the chapters of `file`, as one `VideoSink` would have written.

    Raises NotAlike, and SinkError if it cannot be written. output: not visible to anyone yet.
    """
    suffix = output.suffix.lower()
    kind = (TRANSPARENT_KINDS if transparent else KINDS)[suffix]
    options = kind.container_options | (kind.with_sound if file.sound else {})
    try:
        with (
            av.open(str(parts[0].path)) as like,
            av.open(str(output), "w", format=kind.container, container_options=options) as container,
        ):
            template = like.streams.video[0]
            video = container.add_stream_from_template(template)
            if "alpha_mode" in template.metadata:  # what Matroska's demuxer makes of a track with transparency
                video.metadata["alpha_mode"] = template.metadata["alpha_mode"]
            beside = SoundTracks(file, container, suffix=suffix)
            try:
                container.start_encoding()
                for packet in _in_order(_packets(parts, bytes(template.codec_context.extradata or b""))):
                    beside.until(float((packet.pts or 0) * packet.time_base))
                    packet.stream = video
                    container.mux(packet)
                container.set_chapters(beside.chapters(end_s=EVERYTHING))
                beside.finish(EVERYTHING)
            finally:
                beside.close()
    except (OSError, ValueError, av.error.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SinkError(f"{output}: the parts cannot be joined ({reason}); {advice(error)}") from error


def _packets(parts: Sequence[EncodedPart], extradata: bytes) -> Iterator[AnyPacket]:
    """All packets, with their times in the whole video."""
    for part in parts:
        with av.open(str(part.path)) as container:
            stream = container.streams.video[0]
            if bytes(stream.codec_context.extradata or b"") != extradata:
                raise NotAlike(f"{part.path.name}: was encoded in another way than the first part")
            late: int | None = None
            for packet in container.demux(stream):
                if not packet.size or packet.pts is None:  # the last, empty packet only flushes
                    continue
                if late is None:  # the first one stored is the first one shown: it begins anew
                    late = _ticks(part.first_tick, packet.time_base) - packet.pts
                packet.pts += late
                packet.dts = packet.pts if packet.dts is None else packet.dts + late
                yield packet
            if late is None:
                raise NotAlike(f"{part.path.name}: has no pictures")


def _ticks(tick: int, tick_s: Fraction) -> int:
    """A sink's ticks in ticks of a stream, as FFmpeg rounds them."""
    return math.floor(Fraction(tick, CLOCK_HZ) / tick_s + Fraction(1, 2))


def _in_order(packets: Iterable[AnyPacket]) -> Iterator[AnyPacket]:
    """The packets, whose decoding times rise also from one part to the next."""
    last: int | None = None
    for packet in packets:
        assert packet.dts is not None
        if last is not None and packet.dts <= last:
            packet.dts = last + 1
        if packet.pts is not None and packet.dts > packet.pts:
            raise NotAlike("the pictures of two parts overlap")
        last = packet.dts
        yield packet
