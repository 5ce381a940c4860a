"""Small videos with sound for tests: a beep in the sound when the picture turns white."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48_000
FPS = 25
SIZE_WH = (64, 48)


@dataclass(frozen=True)
class Track:
    """One track of sound. begin_s: when it begins; beep_s: when it beeps, on the same clock. hole_s: between
    which seconds it has no packets.
    """

    codec: str = "aac"
    begin_s: float = 0.0
    beep_s: float = 0.6
    language: str = ""
    rate: int = RATE
    hole_s: tuple[float, float] = (0.0, 0.0)


def write_talk(
    path: Path,
    *tracks: Track,
    frames: int = 30,
    begin_s: float = 0.0,
    flash_s: float = 0.6,
    sound_s: float = 1.2,
    times_s: list[float] | None = None,
    chapters: dict[str, tuple[float, float]] | None = None,
    picture: Callable[[int], NDArray[np.uint8]] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """H.264 pictures of `begin_s` on, dark and white from `flash_s` on, beside these tracks. picture: gives other ones,
    of SIZE_WH. options: of the encoder."""
    with av.open(str(path), "w") as container:
        encoder = {"preset": "ultrafast", "crf": "10"} | (options or {})
        video = container.add_stream("libx264", rate=FPS, options=encoder)
        video.width, video.height = SIZE_WH
        video.codec_context.time_base = Fraction(1, 90_000)
        sounds = []
        for track in tracks:
            stream = container.add_stream(track.codec, rate=track.rate)
            stream.codec_context.layout = "mono"
            if track.language:
                stream.metadata["language"] = track.language
            sounds.append((stream, track))
        if chapters:
            container.set_chapters(
                [
                    {
                        "id": number,
                        "start": round(1000 * begin),
                        "end": round(1000 * end),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": title},
                    }
                    for number, (title, (begin, end)) in enumerate(chapters.items(), 1)
                ]
            )
        packets = []
        for number in range(len(times_s) if times_s is not None else frames):
            time_s = begin_s + (times_s[number] if times_s is not None else number / FPS)
            shown = np.full((SIZE_WH[1], SIZE_WH[0], 3), 235 if time_s >= flash_s - 1e-6 else 20, np.uint8)
            if picture is not None:
                shown = picture(number)
            frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
            frame.pts, frame.time_base = round(time_s * 90_000), Fraction(1, 90_000)
            packets += video.encode(frame)
        packets += video.encode(None)
        for stream, track in sounds:
            packets += _encoded(stream, track, sound_s)  # type: ignore[arg-type]
        container.start_encoding()
        for packet in sorted(packets, key=lambda one: float((one.dts or 0) * (one.time_base or 0))):
            container.mux(packet)
    return path


def _encoded(stream: av.AudioStream, track: Track, sound_s: float) -> list[av.Packet[Any]]:
    count = round(sound_s * track.rate)
    times_s = np.arange(count) / track.rate + track.begin_s
    samples = np.where(times_s >= track.beep_s, np.sin(2 * np.pi * 1000 * times_s), 0) * 20_000
    packets, step = [], 1024
    for at in range(0, count, step):
        if track.hole_s[0] <= at / track.rate < track.hole_s[1]:
            continue
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + step].astype(np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.time_base = track.rate, Fraction(1, track.rate)
        frame.pts = round(track.begin_s * track.rate) + at
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def picture_times_s(path: Path) -> list[float]:
    """When each frame is due, on the file's clock."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def flash_s(path: Path) -> float:
    """When the picture turns white."""
    with av.open(str(path)) as container:
        frames = (
            (float(frame.time or 0), frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)
        )
        return next(time_s for time_s, grey in frames if grey > 128)


def sound_of(path: Path, track: int = 0) -> tuple[NDArray[np.float64], float, int]:
    """A track's samples, when the first one is due, and how many there are a second."""
    parts, begin_s, rate = [], None, 0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono")
        for frame in container.decode(audio=track):
            begin_s = float(frame.time or 0) if begin_s is None else begin_s
            rate = frame.sample_rate
            parts += [one.to_ndarray()[0] for one in resampler.resample(frame)]
    assert begin_s is not None
    return np.concatenate(parts).astype(np.float64), begin_s, rate


def beep_s(path: Path, track: int = 0) -> float:
    """When a track beeps."""
    samples, begin_s, rate = sound_of(path, track)
    return begin_s + int(np.flatnonzero(np.abs(samples) > 5000)[0]) / rate


def sound_packets(path: Path, track: int = 0) -> list[bytes]:
    """The packets of a track as they are stored."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=track) if packet.size]
