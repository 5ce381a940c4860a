"""Video files by PyAV: H.264 in .mp4, .mov and .mkv, VP9 in .webm; cutouts in ProRes 4444 (.mov) and VP9 (.webm)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import CutoutFrame, OutputFrame
from bgcam.realtime.sinks._files import advice, check_writable, part_of, remove
from bgcam.realtime.sinks._reserve import ReservedFile, check_room
from bgcam.realtime.sinks._shape import cropped_note, even_size, to_size
from bgcam.realtime.sinks.job import CAMERA_JOB, Job
from bgcam.realtime.sinks.sound import EVERYTHING, SoundTracks
from bgcam.realtime.sinks.video_kinds import KINDS, TRANSPARENT_KINDS

_CLOCK_HZ = 90_000  # whole ticks for 24, 25, 30, 50, 60 and for 29.97 frames a second
# Times in whole milliseconds, as Matroska's, are meant for the even rate that is as near as this.
_ROUNDED_S = 0.000_501
_AVCOL_SPC_BT709 = 1  # in the numbering of codecs; `Colorspace` has that of the scaler


class VideoSink:
    """A video file, BT.709 limited range and tagged so. It grows as `.NAME.part` and takes its name at `close`.

    Odd sides lose one pixel, and `name` says so. Frames of another size are scaled to fit, with black bars. A frame's
    time is number / fps where its own time is within half a frame of that, otherwise its own; of a file (see `Job`) it
    is its own. The sound and the chapters of that file come along. Without a single frame no file is left. When the
    disk is full, `write` raises, and `close` still makes a whole video of what came before.
    Where the disk is nearly full already, making it raises SinkError.
    """

    def __init__(self, argument: str, *, size_wh: tuple[int, int], fps: float, job: Job = CAMERA_JOB) -> None:
        self.takes_cutouts = job.transparent
        self._job = job
        self._path = Path(argument)
        self._part = part_of(self._path)
        self._size_wh = even_size(size_wh)
        self.name = argument + cropped_note(size_wh)
        self._fps = fps
        self._start: tuple[int, float] | None = None
        self._last_pts = -1
        self._off_s = _ROUNDED_S if job.own_times else 0.5 / fps
        self._beside: SoundTracks | None = None
        self._begun = False
        self._reformatter = VideoReformatter()
        self._file: ReservedFile | None = None
        self._container: av.container.OutputContainer | None = None
        check_writable(self._path)
        check_room(self._path)
        suffix = self._path.suffix.lower()
        kind = (TRANSPARENT_KINDS if job.transparent else KINDS)[suffix]
        self._pix_fmt = kind.pix_fmt
        with_sound = job.file is not None and job.file.sound
        options = kind.container_options | (kind.with_sound if with_sound else {})
        try:
            self._file = ReservedFile(self._part)
            self._container = av.open(self._file, "w", format=kind.container, container_options=options)
            stream = self._container.add_stream(kind.codec, rate=_rate(fps), options=kind.options)
            self._stream = cast(av.VideoStream, stream)
            self._stream.width, self._stream.height = self._size_wh
            self._stream.pix_fmt = kind.pix_fmt
            context = self._stream.codec_context
            context.time_base = Fraction(1, _CLOCK_HZ)
            context.colorspace = _AVCOL_SPC_BT709
            context.color_range = ColorRange.MPEG
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709
            if job.file is not None:
                self._beside = SoundTracks(job.file, self._container, suffix=suffix)
            self._container.start_encoding()  # a size or place that cannot work is said now
        except (OSError, ValueError, av.error.FFmpegError) as error:
            said = self._error(error)
            self.abort()
            raise said from error

    @property
    def note(self) -> str:
        """What becomes of the sound, "" without."""
        return f"sound: {self._beside.note}" if self._beside is not None and self._beside.note else ""

    def write(self, frame: OutputFrame) -> None:
        if self._container is None or self._file is None:
            raise SinkError(f"{self.name}: the file is closed already; open it again")
        try:
            yuv = self._yuv(frame)
            if self._beside is not None:
                self._beside.until(self._last_pts / _CLOCK_HZ)
            self._mux(self._stream.encode(yuv))
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
            self._finish_beside()
            self._container.close()
            self._close_file()
            self._part.replace(self._path)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            said = self._error(error)
            self.abort()
            raise said from error
        self._container = None

    def _finish_beside(self) -> None:
        """The rest of the sound: all of it, or as far as the pictures of a run that was cut off."""
        if self._beside is None or self._container is None:
            return
        end_s = self._last_pts / _CLOCK_HZ + 1 / self._fps
        whole = self._job.is_whole() and self._file is not None and self._file.full is None
        self._container.set_chapters(self._beside.chapters(end_s=EVERYTHING if whole else end_s))
        self._beside.finish(EVERYTHING if whole else end_s)
        self._beside = None

    def abort(self) -> None:
        if self._beside is not None:
            self._beside.close()
            self._beside = None
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

    def _yuv(self, frame: OutputFrame) -> VideoFrame:
        pixels, form = (frame.bgra, "bgra") if isinstance(frame, CutoutFrame) else (frame.bgr, "bgr24")
        rgb = VideoFrame.from_ndarray(to_size(pixels, self._size_wh), format=form)
        yuv = self._reformatter.reformat(
            rgb,
            format=self._pix_fmt,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
        )
        yuv.pts = self._pts(frame)
        yuv.time_base = Fraction(1, _CLOCK_HZ)
        return yuv

    def _pts(self, frame: OutputFrame) -> int:
        """When to show the frame, in ticks since the file's beginning; always rising."""
        if self._start is None:
            self._start = (frame.number, frame.time_s)
        number, start_s = self._start
        time_s = (frame.number - number) / self._fps
        if abs(frame.time_s - start_s - time_s) > self._off_s:
            time_s = frame.time_s - start_s
        begin_s = self._beside.begin_s if self._beside is not None else 0.0
        self._last_pts = max(self._last_pts + 1, round((begin_s + time_s) * _CLOCK_HZ))
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
