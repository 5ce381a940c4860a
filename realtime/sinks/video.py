"""Video files by PyAV: H.264 in .mp4, .mov and .mkv, VP9 in .webm; cutouts in ProRes 4444 (.mov) and VP9 (.webm)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import SinkError
from bgcam.realtime.failsafe.gate import check_shown
from bgcam.realtime.frames import CutoutFrame, OutputFrame
from bgcam.realtime.sinks._files import advice, check_writable, claim, settle
from bgcam.realtime.sinks._reserve import ReservedFile, check_room
from bgcam.realtime.sinks._shape import cropped_note, even_size, to_size
from bgcam.realtime.sinks.claims import Claim
from bgcam.realtime.sinks.job import CAMERA_JOB, Job
from bgcam.realtime.sinks.sound import EVERYTHING, SoundTracks
from bgcam.realtime.sinks.video_kinds import KINDS, TRANSPARENT_KINDS, repeatable
from bgcam.realtime.trace import span

CLOCK_HZ = 90_000  # whole ticks for 24, 25, 30, 50, 60 and for 29.97 frames per second
# Times in whole milliseconds, like Matroska's, are snapped to an even rate this close.
_ROUNDED_S = 0.000_501
_ABORT_S = 2.0  # for a write that does not return
_AVCOL_SPC_BT709 = 1  # in the numbering of codecs; `Colorspace` has that of the scaler


class VideoSink:
    """A video file, tagged BT.709 limited range. It grows under a hidden name and gets its own at `close`.

    Odd sides lose one pixel, and `name` says so. Frames of another size are scaled to fit, with black bars. A frame's
    time is number / fps if its own time is within half a frame of that, otherwise its own; for a file (see `Job`) it
    is always its own, and the file's sound and chapters are copied. Without a single frame no file is left. When the
    disk is full, `write` raises, and `close` still makes a complete video of the earlier frames.
    The constructor raises SinkError if the disk is nearly full, or if another run writes to the same name.

    kept: see `Sink`.
    first_tick: when the first frame is shown, in ticks of CLOCK_HZ a second; None without a frame.
    left: what killed runs to this name have left.
    """

    live, notice = False, ""

    def __init__(self, argument: str, *, size_wh: tuple[int, int], fps: float, job: Job = CAMERA_JOB) -> None:
        self.kept = ""
        self.takes_cutouts = job.transparent
        self._job = job
        self._path = Path(argument)
        self._size_wh = even_size(size_wh)
        self.name = argument + cropped_note(size_wh)
        self._fps = fps
        self._start: tuple[int, float] | None = (-job.before[0], 0.0) if job.before is not None else None
        self.first_tick: int | None = None
        self._last_pts = -1
        self._off_s = _ROUNDED_S if job.own_times else 0.5 / fps
        self._beside: SoundTracks | None = None
        self._begun = False
        self._reformatter = VideoReformatter()
        self._lock = threading.Lock()
        self._file: ReservedFile | None = None
        self._container: av.container.OutputContainer | None = None
        check_writable(self._path)
        check_room(self._path)
        suffix = self._path.suffix.lower()
        kind = (TRANSPARENT_KINDS if job.transparent else KINDS)[suffix]
        self._pix_fmt = kind.pix_fmt
        with_sound = job.file is not None and job.file.sound
        options = kind.container_options | (kind.with_sound if with_sound else {})
        self._claim: Claim | None = claim(self._path, noted=True)
        self.left = self._claim.left
        try:
            self._file = ReservedFile(self._claim.file)
            self._container = av.open(self._file, "w", format=kind.container, container_options=options)
            stream = self._container.add_stream(
                kind.codec, rate=_rate(fps), options=kind.options | repeatable(kind.codec)
            )
            self._stream = cast(av.VideoStream, stream)
            self._stream.width, self._stream.height = self._size_wh
            self._stream.pix_fmt = kind.pix_fmt
            context = self._stream.codec_context
            context.time_base = Fraction(1, CLOCK_HZ)
            context.colorspace = _AVCOL_SPC_BT709
            context.color_range = ColorRange.MPEG
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709
            if job.file is not None:
                self._beside = SoundTracks(job.file, self._container, suffix=suffix)
            self._container.start_encoding()  # an impossible size or place is reported now
        except (OSError, ValueError, av.error.FFmpegError) as error:
            said = self._error(error)
            self.abort()
            raise said from error
        except BaseException:
            self.abort()
            raise

    @property
    def note(self) -> str:
        """What happens to the sound, "" without sound."""
        return f"sound: {self._beside.note}" if self._beside is not None and self._beside.note else ""

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def write(self, frame: OutputFrame) -> None:
        check_shown(frame)
        with self._lock:
            if self._container is None or self._file is None:
                raise SinkError(f"{self.name}: the file is closed already; open it again")
            try:
                with span("to YUV"):
                    yuv = self._yuv(frame)
                if self._beside is not None:
                    with span("sound"):
                        self._beside.until(self._last_pts / CLOCK_HZ)
                with span("encode"):
                    packets = self._stream.encode(yuv)
                with span("write"):
                    self._mux(packets)
                if self._file.full is not None:
                    raise self._file.full
            except (OSError, ValueError, av.error.FFmpegError) as error:
                raise self._error(error) from error

    def close(self) -> None:
        with self._lock:
            if self._container is None or self._claim is None:
                return
            if self.first_tick is None:
                self._remove()
                return
            failed: SinkError | None = None
            try:
                self._finish(self._container, self._claim)
            except (OSError, ValueError, av.error.FFmpegError) as error:
                failed = self._error(error)
                if not (self._job.keep and self._begun):
                    self._remove()
                    raise failed from error
            self._settle(self._claim, failed)

    def _finish_beside(self) -> None:
        """The rest of the sound: all of it, or up to the last picture of an interrupted run."""
        if self._beside is None or self._container is None:
            return
        end_s = self._last_pts / CLOCK_HZ + 1 / self._fps
        whole = self._job.is_whole() and self._file is not None and self._file.full is None
        self._container.set_chapters(self._beside.chapters(end_s=EVERYTHING if whole else end_s))
        self._beside.finish(EVERYTHING if whole else end_s)
        self._beside = None

    def abort(self) -> None:
        if self._lock.acquire(timeout=_ABORT_S):
            try:
                self._remove()
            finally:
                self._lock.release()

    def _finish(self, container: av.container.OutputContainer, claimed: Claim) -> None:
        self._mux(self._stream.encode(None))
        if not self._begun:
            raise ValueError("the encoder produced nothing")
        self._finish_beside()
        container.close()
        claimed.file.sync()

    def _settle(self, claimed: Claim, failed: SinkError | None) -> None:
        """Give the file its own name. Raises SinkError unless that works and the file is complete."""
        self._let_go()
        self._claim, self.kept = None, str(claimed.file.part)
        self.kept = settle(claimed)
        if failed is not None:
            raise SinkError(f"{failed}; {self.kept} plays except for its last seconds")
        if self.kept != str(self._path):
            raise SinkError(f"{self._path}: another program wrote to it meanwhile; the video is in {self.kept}")

    def _remove(self) -> None:
        self._let_go()
        if self._claim is not None:
            self._claim.drop()
            self._claim = None

    def _let_go(self) -> None:
        if self._beside is not None:
            self._beside.close()
            self._beside = None
        if self._file is not None:
            self._file.close()  # first: so that PyAV writes no trailer, which crashes FFmpeg without any packet
            self._file = None
        if self._container is not None:
            with contextlib.suppress(OSError, ValueError, av.error.FFmpegError):
                self._container.close()
            self._container = None

    def _mux(self, packets: Iterable[Packet[av.VideoStream]]) -> None:
        assert self._container is not None
        for packet in packets:
            self._begun = True
            self._container.mux(packet)

    def _yuv(self, frame: OutputFrame) -> VideoFrame:
        pixels, form = (frame.bgra, "bgra") if isinstance(frame, CutoutFrame) else (frame.bgr, "bgr24")
        # Neither copied nor shared among threads of the converter's own: both took as long as converting does.
        rgb = VideoFrame.from_numpy_buffer(to_size(pixels, self._size_wh), format=form)
        yuv = self._reformatter.reformat(
            rgb,
            format=self._pix_fmt,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
            threads=1,
        )
        yuv.pts = self._pts(frame)
        yuv.time_base = Fraction(1, CLOCK_HZ)
        return yuv

    def _pts(self, frame: OutputFrame) -> int:
        """When to show the frame, in ticks since the file's beginning; strictly increasing."""
        if self._start is None:
            self._start = (frame.number, frame.time_s)
        number, start_s = self._start
        time_s = (frame.number - number) / self._fps
        if abs(frame.time_s - start_s - time_s) > self._off_s:
            time_s = frame.time_s - start_s
        begin_s = self._beside.begin_s if self._beside is not None else 0.0
        if self._job.before is not None:
            begin_s = self._job.before[1]
        self._last_pts = max(self._last_pts + 1, round((begin_s + time_s) * CLOCK_HZ))
        if self.first_tick is None:
            self.first_tick = self._last_pts
        return self._last_pts

    def _error(self, error: Exception) -> SinkError:
        if self._file is not None and self._file.full is not None:
            error = self._file.full  # PyAV reports only that a write failed
        reason = getattr(error, "strerror", None) or str(error)
        return SinkError(f"{self._path}: the video cannot be written ({reason}); {advice(error)}")


def _rate(fps: float) -> Fraction:
    """29.97 as 30000/1001, as in broadcasting; others unchanged."""
    for base in (24, 30, 60, 120):
        if abs(fps - base * 1000 / 1001) < 0.005:
            return Fraction(base * 1000, 1001)
    return Fraction(fps).limit_denominator(1000) if fps > 1 else 1 / Fraction(1 / fps).limit_denominator(1000)
