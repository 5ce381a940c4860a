"""Video files, GIFs and files on a web server by PyAV: every frame in order, none dropped; audio is ignored."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import av.error
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from bgcam.realtime import MAX_PIXELS
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources._clock import FrameClock
from bgcam.realtime.sources._deinterlace import Deinterlacer
from bgcam.realtime.sources._file import ordinary_bytes
from bgcam.realtime.sources._geometry import Geometry, Matrix, display_matrix
from bgcam.realtime.sources._shape import COVER, contain, shape
from bgcam.realtime.sources._streams import alpha_decoder, best_video
from bgcam.realtime.sources._to_bgr import ToBgr
from bgcam.realtime.sources._whole import missing_bytes
from bgcam.realtime.trace import span

_FPS = 25.0
# FFmpeg gets these limits too: to probe a file, it would decode a first picture of any size, and sizes may change
# later.
_LIMITS = {"max_pixels": str(MAX_PIXELS)}
# FFmpeg unpacks the text and the colour profile in a PNG whatever their length: 1 MB of file became 4 GB of memory.
_NOT_TAKEN = frozenset({"png", "apng"})
_LIMITS["codec_whitelist"] = ",".join(sorted(av.codecs_available - _NOT_TAKEN))
# A camera's stream is shown as it arrives: no queue at its reader, and by TCP if the camera supports it.
_LIVE_OPTIONS = {"fflags": "nobuffer", "flags": "low_delay", "rtsp_flags": "prefer_tcp"}
_TIMEOUT_S, _CAMERA_TIMEOUT_S = 10.0, 5.0  # without any data
_TS_DISCONT = 0x200  # AVFMT_TS_DISCONT


def limits() -> dict[str, str]:
    """What FFmpeg gets as options for opening a file."""
    return dict(_LIMITS)


class Decoded(NamedTuple):
    """A frame, and how to show it; independent of the video from here on."""

    frame: VideoFrame
    geometry: Geometry


class VideoSource:
    """A video's frames. A truncated file returns the frames that decode, then raises SourceError; a clean end returns
    None.

    size_wh: that of the first frame as shown, or the `size_wh` asked for; all frames have it.
    fps: the container's rate.
    frames: None if the container does not say.
    about_frames: in that case the number by its duration, None if that is unknown too.
    start_s: when the first frame that was read is due, on the file's own clock.
    has_sound: whether there is also sound.
    path: the file's, None for a URL.
    endless: whether the address is a stream without a length, like a camera.
    fit: how another aspect ratio is fitted to `size_wh`, see `shape`; if a video changes its size on the way, bars are
        added.
    """

    live, note, notice = False, "", ""
    drops = 0

    def __init__(
        self,
        input: str,
        *,
        size_wh: tuple[int, int] | None = None,
        mirror: bool = False,
        fit: str = COVER,
        as_camera: bool = False,
    ) -> None:
        """as_camera: whether only the newest picture of the stream counts."""
        self.name = re.sub(r"(?<=://)[^/@]*@", "", input)  # a URL's user and password must not be shown
        local = input.removeprefix("file://")
        self.path = self._path = None if "://" in local and not os.path.exists(local) else Path(local)
        self._mirror, self._fit = mirror, fit
        self._lock = threading.Lock()
        self._closed = False
        self._failure = ""
        self._ends_damaged = False
        self._number = 0
        self.start_s = 0.0
        self._to_bgr = ToBgr()
        self._matrix: Matrix | None = None
        if self._path is not None:
            ordinary_bytes(self._path, "video")
        # With "file:" in front, no name is taken for an address, such as "12:30 call.mp4".
        address = input if self._path is None else f"file:{local}"
        options = _LIMITS | (_LIVE_OPTIONS if as_camera else {})
        self._timeout_s = _CAMERA_TIMEOUT_S if as_camera else _TIMEOUT_S
        try:
            self._container = av.open(address, options=options, timeout=None if self._path else self._timeout_s)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            reason = self._reason(error)
            raise SourceError(f"{self.name}: cannot be opened as a video ({reason}); {self._advice()}") from error
        try:
            self.endless = self._path is None and self._has_no_length()
            self._stream = self._video_stream(as_camera or self.endless)
            self.fps = self._rate()
            self.frames: int | None = self._stream.frames or None
            duration_s = (self._container.duration or 0) / av.time_base
            self.has_sound = bool(self._container.streams.audio)
            self.about_frames: int | None = self.frames or round(duration_s * self.fps) or None
            self._clock = FrameClock(fps=self.fps, leaps=self._path is None or self._leaps())
            self._codec_aspect = self._stream.codec_context.sample_aspect_ratio
            self._decoded = self._decode()
            self._first = self._decode_next()
            if self._first is None:
                why = "" if self._stream.width else ": its pictures have no size, or over 100 megapixels"
                advice = self._advice()
                if self._path is None and not (as_camera or self.endless):
                    # FFmpeg can only seek back from an index at the end if the server supports range requests.
                    why, advice = "", "download it, and give the file"
                raise SourceError(f"{self.name}: no frame can be decoded{why}; {advice}")
            self._shown_wh = self._first.geometry.shown_wh((self._first.frame.width, self._first.frame.height))
            self.size_wh = size_wh or self._shown_wh
        except BaseException:
            self._container.close()
            raise

    @property
    def end_s(self) -> float:
        """Until when the newest frame that was read is shown, in seconds."""
        return self._clock.end_s

    def read(self) -> CameraFrame | None:
        with self._lock:
            frame = None if self._closed else self._read()
        if self._closed:
            self.close()  # it was requested during this read
        return frame

    def close(self) -> None:
        self._closed = True
        if self._lock.acquire(blocking=False):  # otherwise the current read closes it: PyAV is not thread-safe
            try:
                self._container.close()
            finally:
                self._lock.release()

    def _read(self) -> CameraFrame | None:
        with span("decode"):
            decoded = self.next_frame()
        if decoded is None:
            if self._failure:
                raise self._broken()
            return None
        captured_s = time.monotonic()
        if self._number == 0:
            self.start_s = decoded.frame.time or 0.0
        time_s = self._clock.time_s(decoded.frame)
        with span("to BGR"):
            bgr = self.picture(decoded)
        number, self._number = self._number, self._number + 1
        return CameraFrame(number, bgr, time_s, captured_s)

    def picture(self, decoded: Decoded) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR of `size_wh`, of `next_frame`'s result. Raises SourceError for an unsupported format."""
        try:
            bgr = decoded.geometry.apply(self._to_bgr(decoded.frame))
            if (bgr.shape[1], bgr.shape[0]) != self._shown_wh:
                bgr = contain(bgr, self._shown_wh)
            return shape(bgr, size_wh=self.size_wh, mirror=self._mirror, fit=self._fit)
        except (OSError, ValueError, MemoryError, av.error.FFmpegError, cv2.error) as error:  # a format of its own
            self._failure = self._reason(error)
            raise self._broken() from error

    def _broken(self) -> SourceError:
        of = f" of {self.frames}" if self.frames and self.frames > self._number else ""  # GIF's count ends at the cut
        after = f"after {self._number}{of} frames ({self._failure})"
        return SourceError(f"{self.name}: the video ends early {after}; get a complete copy of it")

    def next_frame(self) -> Decoded | None:
        """The next frame as it was decoded; None at the end, with `failure` saying why if it is not a clean one."""
        first, self._first = self._first, None
        return first if first is not None else self._decode_next()

    def _decode_next(self) -> Decoded | None:
        if self._failure:
            return None
        try:
            frame = next(self._decoded, None)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            self._failure = self._reason(error)
            return None
        if frame is None:
            missing = missing_bytes(self._path) if self._path else 0
            if missing or self._ends_damaged:
                self._failure = f"at least {missing} bytes are missing" if missing else "its end is damaged"
        return None if frame is None else Decoded(frame, self._geometry(frame))

    @property
    def failure(self) -> str:
        """Why there is no next frame, "" before that and after a clean end."""
        return self._failure

    def _decode(self) -> Iterator[VideoFrame]:
        deinterlacer, other = Deinterlacer(), alpha_decoder(self._stream, _LIMITS)
        for packet in self._container.demux(self._stream):
            if packet.size:  # the last, empty packet only flushes
                self._ends_damaged = packet.is_corrupt
            try:
                frames = packet.decode() if other is None else other.decode(packet)
            except av.error.InvalidDataError:
                if self._path is None or self._ends_damaged:
                    continue  # a live stream begins between key frames; a truncated file's last packet is incomplete
                yield from deinterlacer.flush()
                raise
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    yield from deinterlacer.feed(frame)
        yield from deinterlacer.flush()

    def _video_stream(self, as_camera: bool) -> av.VideoStream:
        stream = best_video(self._container.streams.video)
        if stream is None:
            raise SourceError(f"{self.name}: has no picture, only sound or data; give a video")
        if stream.codec_context is None:
            raise SourceError(f"{self.name}: FFmpeg does not know its codec; get a complete copy, or convert it")
        if stream.codec_context.name in _NOT_TAKEN:
            raise SourceError(
                f"{self.name}: PNG pictures are not supported as a video; name one .png, or convert them to MP4"
            )
        width, height = stream.width, stream.height
        if width * height > MAX_PIXELS:
            raise SourceError(f"{self.name}: {width}x{height} is over 100 megapixels; make it smaller first")
        stream.codec_context.options = _LIMITS
        # Frame threading would delay as many frames as there are threads.
        stream.thread_type = "SLICE" if as_camera else "AUTO"
        return stream

    def _geometry(self, frame: VideoFrame) -> Geometry:
        """The container's pixel aspect has priority, as with FFmpeg; but a broadcast may change the codec's."""
        now = self._stream.codec_context.sample_aspect_ratio
        # It changes with a key frame only, and is not free to read.
        if self._matrix is None or frame.key_frame:
            self._matrix = display_matrix(frame)
        return Geometry.of(self._matrix, now if now != self._codec_aspect else self._stream.sample_aspect_ratio)

    def _has_no_length(self) -> bool:
        """Whether there is neither a file's length from the server nor a complete playlist's duration."""
        if self._container.duration is not None and self._container.duration > 0:
            return False
        return self._container.format.name in ("hls", "dash") or self._container.size <= 0

    def _leaps(self) -> bool:
        return bool(self._container.format.flags & _TS_DISCONT)

    def _rate(self) -> float:
        rates = (self._stream.average_rate, self._stream.guessed_rate)
        return next((float(rate) for rate in rates if rate and 0 < rate <= 1000), _FPS)

    def _advice(self) -> str:
        return "check the address" if self._path is None else "the file may be truncated or not a video"

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, av.error.ExitError):
            return f"no answer within {self._timeout_s:g} s"
        return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
