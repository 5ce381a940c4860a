"""Video files by PyAV: H.264 in .mp4 and .mkv, VP9 in .webm."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks._files import advice, check_writable, part_of, remove
from bgcam.realtime.sinks._reserve import ReservedFile, check_room
from bgcam.realtime.sinks._shape import cropped_note, even_size, to_size

_CLOCK_HZ = 90_000  # whole ticks for 24, 25, 30, 50, 60 and for 29.97 frames a second
# Times in whole milliseconds, as Matroska's, are meant for the even rate that is as near as this.
_ROUNDED_S = 0.000_501
_AVCOL_SPC_BT709 = 1  # in the numbering of codecs; `Colorspace` has that of the scaler


@dataclass(frozen=True)
class _Kind:
    container: str
    codec: str
    options: dict[str, str]
    container_options: dict[str, str]


_H264 = {"crf": "20", "preset": "veryfast"}
_VP9 = {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "8", "row-mt": "1"}
# What was written plays up to its last second or two even if the process is killed: an .mp4 grows in fragments, of
# which its end makes an ordinary one (FFmpeg, movenc: hybrid_fragmented). These offsets save an edit list, which would
# cut off the last frame of some. The other two are streams by nature.
_MP4 = {"movflags": "hybrid_fragmented+negative_cts_offsets", "frag_duration": "1000000"}
_MATROSKA = {"cluster_time_limit": "1000"}
_KINDS = {
    ".mp4": _Kind("mp4", "libx264", _H264, _MP4),
    ".mkv": _Kind("matroska", "libx264", _H264, _MATROSKA),
    ".webm": _Kind("webm", "libvpx-vp9", _VP9, _MATROSKA),
}


class VideoSink:
    """A video file, BT.709 limited range and tagged so. It grows as `.NAME.part` and takes its name at `close`.

    Odd sides lose one pixel, and `name` says so. Frames of another size are scaled to fit, with black bars. A frame's
    time is number / fps where its own time is that in whole milliseconds, otherwise its own. Without a single frame
    no file is left. When the disk is full, `write` raises, and `close` still makes a whole video of what came before.
    Where the disk is nearly full already, making it raises SinkError.
    """

    def __init__(self, argument: str, *, size_wh: tuple[int, int], fps: float) -> None:
        self._path = Path(argument)
        self._part = part_of(self._path)
        self._size_wh = even_size(size_wh)
        self.name = argument + cropped_note(size_wh)
        self._fps = fps
        self._start: tuple[int, float] | None = None
        self._last_pts = -1
        self._begun = False
        self._reformatter = VideoReformatter()
        self._file: ReservedFile | None = None
        self._container: av.container.OutputContainer | None = None
        check_writable(self._path)
        check_room(self._path)
        kind = _KINDS[self._path.suffix.lower()]
        try:
            self._file = ReservedFile(self._part)
            self._container = av.open(self._file, "w", format=kind.container, container_options=kind.container_options)
            stream = self._container.add_stream(kind.codec, rate=_rate(fps), options=dict(kind.options))
            self._stream = cast(av.VideoStream, stream)
            self._stream.width, self._stream.height = self._size_wh
            self._stream.pix_fmt = "yuv420p"
            context = self._stream.codec_context
            context.time_base = Fraction(1, _CLOCK_HZ)
            context.colorspace = _AVCOL_SPC_BT709
            context.color_range = ColorRange.MPEG
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709
            self._container.start_encoding()  # a size or place that cannot work is said now
        except (OSError, ValueError, av.error.FFmpegError) as error:
            said = self._error(error)
            self.abort()
            raise said from error

    def write(self, frame: ComposedFrame) -> None:
        if self._container is None or self._file is None:
            raise SinkError(f"{self.name}: the file is closed already; open it again")
        try:
            self._mux(self._stream.encode(self._yuv(frame)))
            if self._file.full is not None:
                raise self._file.full
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise self._error(error) from error

    def close(self) -> None:
        if self._container is None:
            return
        if self._start is None:
            self.abort()
            return
        try:
            self._mux(self._stream.encode(None))
            if not self._begun:
                raise ValueError("the encoder gave nothing")
            self._container.close()
            self._close_file()
            self._part.replace(self._path)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            said = self._error(error)
            self.abort()
            raise said from error
        self._container = None

    def abort(self) -> None:
        if self._file is not None:
            self._close_file()  # first: then PyAV writes no end, at which FFmpeg crashes where nothing came before it
            remove(self._part)
        if self._container is not None:
            with contextlib.suppress(OSError, ValueError, av.error.FFmpegError):
                self._container.close()
            self._container = None

    def _mux(self, packets: Iterable[Packet[av.VideoStream]]) -> None:
        assert self._container is not None
        for packet in packets:
            self._begun = True
            self._container.mux(packet)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _yuv(self, frame: ComposedFrame) -> VideoFrame:
        bgr = VideoFrame.from_ndarray(to_size(frame.bgr, self._size_wh), format="bgr24")
        yuv = self._reformatter.reformat(
            bgr,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
        )
        yuv.pts = self._pts(frame)
        yuv.time_base = Fraction(1, _CLOCK_HZ)
        return yuv

    def _pts(self, frame: ComposedFrame) -> int:
        """When to show the frame, in ticks since the first one; always rising."""
        if self._start is None:
            self._start = (frame.number, frame.time_s)
        number, start_s = self._start
        time_s = (frame.number - number) / self._fps
        if abs(frame.time_s - start_s - time_s) > _ROUNDED_S:
            time_s = frame.time_s - start_s
        self._last_pts = max(self._last_pts + 1, round(time_s * _CLOCK_HZ))
        return self._last_pts

    def _error(self, error: Exception) -> SinkError:
        if self._file is not None and self._file.full is not None:
            error = self._file.full  # PyAV tells only that a write failed
        reason = getattr(error, "strerror", None) or str(error)
        return SinkError(f"{self._path}: the video cannot be written ({reason}); {advice(error)}")


def _rate(fps: float) -> Fraction:
    """29.97 as 30000/1001, as broadcasting means it; others as they are."""
    for base in (24, 30, 60, 120):
        if abs(fps - base * 1000 / 1001) < 0.005:
            return Fraction(base * 1000, 1001)
    return Fraction(fps).limit_denominator(1000) if fps > 1 else 1 / Fraction(1 / fps).limit_denominator(1000)
