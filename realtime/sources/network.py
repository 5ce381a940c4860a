"""A network camera: the newest picture of its stream, decoded in its own thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources._shape import COVER
from bgcam.realtime.sources.base import Wanted, always, is_live_address
from bgcam.realtime.sources.reopening import ReopeningSource
from bgcam.realtime.sources.video import Decoded, VideoSource

# Longer than FFmpeg's own limits for opening and reading, for calls that hang in spite of them.
_SILENCE_S = 12.0
# A picture may arrive a little early; dropping it would halve the rate.
_EARLY = 0.8
_LEAVE_S = 0.5


def open_address(
    url: str,
    *,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    fit: str = COVER,
    wanted: Wanted = always,
) -> VideoSource | ReopeningSource:
    """Opens an address: a camera, which is reopened when it is lost; or a file, which ends.

    Some schemes are those of cameras (`is_live_address`). With HTTP, a camera's stream has neither length nor duration.
    fps: a camera's surplus pictures are dropped; a file keeps its rate.
    wanted: see `ReopeningSource`.

    Raises SourceError.
    """
    first = VideoSource(url, size_wh=size_wh, mirror=mirror, fit=fit, as_camera=is_live_address(url))
    if not (first.endless or is_live_address(url)):
        return first

    def again() -> VideoSource:
        return VideoSource(url, size_wh=first.size_wh, mirror=mirror, fit=fit, as_camera=True)

    def camera(opens: Callable[[], VideoSource] = again) -> NetworkCamera:
        return NetworkCamera(opens, name=first.name, size_wh=first.size_wh, fps=min(fps or first.fps, first.fps))

    return ReopeningSource(camera(lambda: first), camera, wanted=wanted)


class NetworkCamera:
    """A network camera as a source, until it is lost.

    opens: called in the camera's thread, so that `close` need not wait for it.
    fps: surplus pictures are dropped.
    drops: counts these and the pictures that were never read.

    `read` waits for the next picture, returns None after `close`, and raises SourceError if the stream fails or ends.
    """

    live, note, notice = True, "", ""
    frames: int | None = None

    def __init__(self, opens: Callable[[], VideoSource], *, name: str, size_wh: tuple[int, int], fps: float) -> None:
        self.name, self.size_wh, self.fps, self.drops = name, size_wh, fps, 0
        self._opens = opens
        self._number = 0
        self._start_s: float | None = None
        self._video: VideoSource | None = None
        self._newest: tuple[Decoded, float] | None = None
        self._failure = ""
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="bgcam-network-camera", daemon=True)
        self._thread.start()

    def read(self) -> CameraFrame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._newest or self._failure, timeout=_SILENCE_S)
            if self._closed:
                return None
            if self._newest is None or self._video is None:
                raise SourceError(self._failure or f"{self.name}: no picture for {_SILENCE_S:g} s")
            (decoded, captured_s), self._newest = self._newest, None
        bgr = self._video.picture(decoded)
        if self._start_s is None:
            self._start_s = captured_s
        number, self._number = self._number, self._number + 1
        return CameraFrame(number, bgr, captured_s - self._start_s, captured_s)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=_LEAVE_S)  # a thread that waits for the network closes the stream when it returns

    def _run(self) -> None:
        failure = f"{self.name}: the stream ended"
        video: VideoSource | None = None
        try:
            video = self._opens()
            self._video = video
            self._keep_newest(video)
            failure = f"{failure} ({video.failure})" if video.failure else failure
        except SourceError as error:
            failure = str(error)
        except Exception as error:  # the reader must be notified, or it would wait forever
            failure = f"{self.name}: reading failed ({error})"
        finally:
            if video is not None:
                video.close()
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _keep_newest(self, video: VideoSource) -> None:
        """Until the stream ends, or `close`."""
        last_s = float("-inf")
        while not self._closed and (decoded := video.next_frame()) is not None:
            now_s = time.monotonic()
            with self._changed:
                if self.fps < video.fps and now_s - last_s < _EARLY / self.fps:
                    self.drops += 1
                    continue
                last_s = now_s
                self.drops += self._newest is not None
                self._newest = decoded, now_s
                self._changed.notify_all()
