"""Video files, GIFs and network streams by PyAV: every frame in order, none dropped; audio is left alone."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources import MAX_PIXELS
from bgcam.realtime.sources._file import ordinary_bytes
from bgcam.realtime.sources._shape import shape
from bgcam.realtime.sources._whole import missing_bytes

_FPS = 25.0
# Told to FFmpeg, which would decode a first picture of any size to learn about it, and may change sizes on the way.
_LIMITS = {"max_pixels": str(MAX_PIXELS)}
# FFmpeg unpacks the text and the colour profile in a PNG whatever their length: 1 MB of file became 4 GB of memory.
_NOT_TAKEN = frozenset({"png", "apng"})
_LIMITS["codec_whitelist"] = ",".join(sorted(av.codecs_available - _NOT_TAKEN))
_TIMEOUT_S = 10.0
# Where more lies between two frames, it is the clock that is broken.
_MAX_GAP_S = 60.0

# VideoFrame.rotation is in degrees counterclockwise
_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    -90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    -180: cv2.ROTATE_180,
}
_UNSPECIFIED_COLORSPACE = 2  # AVCOL_SPC_UNSPECIFIED
# Without these flags every pixel comes out a level too dark; they cost 2 ms at 1280x720.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class VideoSource:
    """A video's frames. size_wh: the first frame's after rotation, or the `size_wh` asked for; all frames have it.

    fps: the container's rate; given, it replaces it, and times become number / fps. frames: None where the container
    does not say; about_frames: as many as its duration holds then, None too where that is not known. start_s: when the
    first frame that was read is due, on the file's own clock. has_sound: whether there is sound beside the pictures.
    path: the file's, None for a URL. A file that breaks off gives the frames that decode, then raises SourceError; a
    clean end gives None.
    """

    live, note, notice = False, "", ""
    drops = 0

    def __init__(
        self, input: str, *, size_wh: tuple[int, int] | None = None, fps: float | None = None, mirror: bool = False
    ) -> None:
        self.name = re.sub(r"(?<=://)[^/@]*@", "", input)  # a URL's user and password are for nobody's eyes
        local = input.removeprefix("file://")
        self.path = self._path = None if "://" in local else Path(local)
        self._fps_asked = fps
        self._mirror = mirror
        self._lock = threading.Lock()
        self._closed = False
        self._failure = ""
        self._ends_damaged = False
        self._number = 0
        self._zero_s = 0.0
        self.start_s = 0.0
        self._last_s = 0.0
        if self._path is not None:
            ordinary_bytes(self._path, "video")
        try:
            self._container = av.open(local, options=_LIMITS, timeout=None if self._path else _TIMEOUT_S)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            reason = _reason(error)
            raise SourceError(f"{self.name}: cannot be opened as a video ({reason}); {self._advice()}") from error
        try:
            self._stream = self._video_stream()
            self.fps = fps or self._rate()
            self.frames: int | None = self._stream.frames or None
            duration_s = (self._container.duration or 0) / av.time_base
            self.has_sound = bool(self._container.streams.audio)
            self.about_frames: int | None = self.frames or round(duration_s * self.fps) or None
            self._decoded = self._decode()
            self._first = self._next_frame()
            if self._first is None:
                why = "" if self._stream.width else ": its pictures have no size, or over 100 megapixels"
                raise SourceError(f"{self.name}: no frame can be decoded{why}; {self._advice()}")
            self.size_wh = size_wh or self._turned_wh(self._first)
        except BaseException:
            self._container.close()
            raise

    def read(self) -> CameraFrame | None:
        with self._lock:
            frame = None if self._closed else self._read()
        if self._closed:
            self.close()  # it was asked for while this read was under way
        return frame

    def close(self) -> None:
        self._closed = True
        if self._lock.acquire(blocking=False):  # otherwise the read under way closes it: PyAV is not thread-safe
            try:
                self._container.close()
            finally:
                self._lock.release()

    def _read(self) -> CameraFrame | None:
        frame = self._first if self._first is not None else self._next_frame()
        self._first = None
        if frame is None:
            if self._failure:
                raise self._broken()
            return None
        captured_s = time.monotonic()
        time_s = self._time_s(frame)
        try:
            bgr = shape(_upright_bgr(frame), size_wh=self.size_wh, mirror=self._mirror)
        except (OSError, ValueError, MemoryError, av.error.FFmpegError, cv2.error) as error:  # a format of its own
            self._failure = _reason(error)
            raise self._broken() from error
        number, self._number = self._number, self._number + 1
        return CameraFrame(number, bgr, time_s, captured_s)

    def _broken(self) -> SourceError:
        of = f" of {self.frames}" if self.frames else ""
        after = f"after {self._number}{of} frames ({self._failure})"
        return SourceError(f"{self.name}: the video breaks off {after}; get a whole copy of it")

    def _next_frame(self) -> VideoFrame | None:
        """The next decoded frame; None at the end, with `_failure` saying so if it is not a clean one."""
        if self._failure:
            return None
        try:
            frame = next(self._decoded, None)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            self._failure = _reason(error)
            return None
        if frame is None:
            missing = missing_bytes(self._path) if self._path else 0
            if missing or self._ends_damaged:
                self._failure = f"at least {missing} bytes are missing" if missing else "its end is damaged"
        return frame

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._container.demux(self._stream):
            if packet.size:  # the last, empty packet only flushes
                self._ends_damaged = packet.is_corrupt
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                if self._path is None or self._ends_damaged:
                    continue  # one joins a live stream between key frames, and a cut file's last packet is half a frame
                raise
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    yield frame

    def _video_stream(self) -> av.VideoStream:
        if not self._container.streams.video:
            raise SourceError(f"{self.name}: has no picture, only sound or data; give a video")
        stream = self._container.streams.video[0]
        if stream.codec_context is None:
            raise SourceError(f"{self.name}: its kind of picture is unknown to FFmpeg; get a whole copy, or convert it")
        if stream.codec_context.name in _NOT_TAKEN:
            raise SourceError(f"{self.name}: PNG pictures are no video here; name one .png, or convert them to MP4")
        width, height = stream.width, stream.height
        if width * height > MAX_PIXELS:
            raise SourceError(f"{self.name}: {width}x{height} is over 100 megapixels; make it smaller first")
        stream.codec_context.options = _LIMITS
        stream.thread_type = "AUTO"
        return stream

    def _rate(self) -> float:
        rates = (self._stream.average_rate, self._stream.guessed_rate)
        return next((float(rate) for rate in rates if rate and 0 < rate <= 1000), _FPS)

    def _time_s(self, frame: VideoFrame) -> float:
        """Seconds since the first frame, always rising: where the clock jumps, back or far ahead, one frame's time."""
        clock_s = frame.time
        if self._number == 0:
            self.start_s = clock_s or 0.0
        if self._fps_asked:
            return self._number / self._fps_asked
        if self._number == 0:
            self._zero_s = clock_s or 0.0
            return 0.0
        time_s = self._last_s if clock_s is None else clock_s - self._zero_s
        if not self._last_s < time_s <= self._last_s + _MAX_GAP_S:
            time_s = self._last_s + min(1 / self.fps, _MAX_GAP_S)
            if clock_s is not None:
                self._zero_s = clock_s - time_s
        self._last_s = time_s
        return time_s

    def _advice(self) -> str:
        return "check the address" if self._path is None else "the file may be cut off or no video"

    @staticmethod
    def _turned_wh(frame: VideoFrame) -> tuple[int, int]:
        return (frame.height, frame.width) if abs(frame.rotation) == 90 else (frame.width, frame.height)


def _upright_bgr(frame: VideoFrame) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR, turned as the container's display matrix says."""
    # Untagged files follow a custom: BT.709 for HD, BT.601 below it.
    hd = frame.width >= 1280 or frame.height > 576
    guess = ("ITU709" if hd else "ITU601") if frame.colorspace == _UNSPECIFIED_COLORSPACE else None
    bgr = frame.to_ndarray(format="bgr24", src_colorspace=guess, interpolation=_EXACT)
    turn = _TURNS.get(frame.rotation)
    return np.asarray(bgr if turn is None else cv2.rotate(bgr, turn), np.uint8)


def _reason(error: BaseException) -> str:
    if isinstance(error, av.error.ExitError):
        return f"no answer within {_TIMEOUT_S:g} s"
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
