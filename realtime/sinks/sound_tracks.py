"""One track of an input's sound for an output: copied, or re-encoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import av.error
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet

from bgcam.realtime.sinks.sound_codecs import BEST_RATE, BITS_A_CHANNEL, COPIED, INSTEAD, LAYOUTS, RATES, language_for

if TYPE_CHECKING:  # packets are generic only in PyAV's stubs
    AnyPacket = Packet[AudioStream]

# Gaps from Matroska's rounding to milliseconds do not count.
HOLE_S = 0.005


class Track(Protocol):
    """One track of the output. note: what happens to it, as text for the user."""

    note: str

    def packets(self, packet: AnyPacket | None, shift_s: Fraction) -> Iterator[AnyPacket]:
        """What to write for a packet of the input; None at the end."""


class _Copied:
    """A track that is copied."""

    def __init__(self, stream: AudioStream, output: OutputContainer, *, name: str) -> None:
        self._out = output.add_stream_from_template(stream, opaque=True)
        self.note = f"{name} copied"
        # Broadcasts have headers in each AAC packet; the containers need them only once.
        self._headers: BitStreamFilterContext | None = None
        if name == "aac" and not stream.codec_context.extradata:
            self._headers = BitStreamFilterContext("aac_adtstoasc", stream)

    def packets(self, packet: AnyPacket | None, shift_s: Fraction) -> Iterator[AnyPacket]:
        if packet is None:
            return
        assert packet.dts is not None
        assert packet.pts is not None
        tick_s = packet.time_base
        ticks = round(shift_s / tick_s)
        packet.dts, packet.pts = packet.dts - ticks, packet.pts - ticks
        bare = [packet]
        if self._headers is not None:
            try:
                bare = cast("list[AnyPacket]", self._headers.filter(packet))
            except (ValueError, av.error.FFmpegError):  # a damaged packet
                return
        for one in bare:
            one.stream, one.time_base = self._out, tick_s
            yield one


class _CopiedSamples(_Copied):
    """Bare samples (PCM) for QuickTime, which does not store their times: gaps of the input become silence."""

    def __init__(self, stream: AudioStream, output: OutputContainer, *, name: str) -> None:
        super().__init__(stream, output, name=name)
        self._rate = stream.codec_context.sample_rate
        self._sample_bytes = int(name[5:7]) // 8 * stream.codec_context.layout.nb_channels
        self._begin_s: float | None = None
        self._samples = 0

    def packets(self, packet: AnyPacket | None, shift_s: Fraction) -> Iterator[AnyPacket]:
        for one in super().packets(packet, shift_s):
            assert one.pts is not None
            time_s = float(one.pts * one.time_base)
            if self._begin_s is None:
                self._begin_s = time_s
            lacking = round((time_s - self._begin_s) * self._rate) - self._samples
            if lacking > HOLE_S * self._rate:
                yield self._silence(lacking, before=one)
            self._samples += one.size // self._sample_bytes
            yield one

    def _silence(self, samples: int, *, before: AnyPacket) -> AnyPacket:
        silence = cast("AnyPacket", Packet(bytes(samples * self._sample_bytes)))
        assert before.pts is not None
        silence.stream, silence.time_base = self._out, before.time_base
        silence.dts = silence.pts = before.pts - round(Fraction(samples, self._rate) / before.time_base)
        self._samples += samples
        return silence


class _Encoded:
    """A track that the container does not accept, re-encoded. Packets that cannot be decoded are skipped."""

    def __init__(self, stream: AudioStream, output: OutputContainer, *, suffix: str, name: str) -> None:
        encoder, called = INSTEAD[suffix]
        self._in = stream
        have = stream.codec_context
        rate = have.sample_rate if have.sample_rate in RATES[encoder] else BEST_RATE
        layout = have.layout.name if have.layout.name in LAYOUTS else "stereo"
        self._out = cast(AudioStream, output.add_stream(encoder, rate=rate))
        made = self._out.codec_context
        made.layout = layout
        made.bit_rate = BITS_A_CHANNEL[encoder] * made.layout.nb_channels
        made.time_base = Fraction(1, rate)
        self._wanted: tuple[str, str, int] = made.format.name, layout, rate
        self._resampler: tuple[object, AudioResampler] | None = None
        self.note = f"{name} to {called}"

    def packets(self, packet: AnyPacket | None, shift_s: Fraction) -> Iterator[AnyPacket]:
        same_kind: list[AudioFrame] = []
        with contextlib.suppress(ValueError, av.error.FFmpegError):  # damaged parts are left out
            for frame in self._in.codec_context.decode(packet):
                same_kind += self._same_kind(frame, shift_s)
        for frame in same_kind:
            yield from self._out.encode(frame)
        if packet is None:
            for same in self._resampler[1].resample(None) if self._resampler else []:
                yield from self._out.encode(same)
            yield from self._out.encode(None)

    def _same_kind(self, frame: AudioFrame, shift_s: Fraction) -> list[AudioFrame]:
        """Converted for the encoder, even if the track's format changes on the way."""
        if frame.pts is not None and frame.time_base is not None:
            frame.pts -= round(shift_s / frame.time_base)
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if self._resampler is None or self._resampler[0] != kind:
            self._resampler = kind, AudioResampler(*self._wanted)
        return self._resampler[1].resample(frame)


def add_track(stream: AudioStream, output: OutputContainer, *, suffix: str) -> Track:
    name = stream.codec_context.codec.canonical_name
    track: Track | None = None
    if name in COPIED[suffix]:
        kind = _CopiedSamples if name.startswith("pcm_") and suffix == ".mov" else _Copied
        with contextlib.suppress(ValueError):  # not supported by this build of FFmpeg
            track = kind(stream, output, name=name)
    track = track or _Encoded(stream, output, suffix=suffix, name=name)
    tags = {
        "language": language_for(suffix, stream.metadata.get("language", "")),
        "title": stream.metadata.get("title"),
    }
    out = output.streams[-1]
    out.metadata.update({key: value for key, value in tags.items() if value})
    out.disposition = stream.disposition
    return track
