"""One camera through OpenCV: a thread keeps only the newest frame, so that a slow reader gets no old pictures."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.devices.listing import opened
from bgcam.realtime.devices.users import busy_line
from bgcam.realtime.devices.v4l2 import DECODED, Mode, list_modes
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources._shape import shape
from bgcam.realtime.sources.jpeg import FOURCCS, JpegDecoder
from bgcam.realtime.trace import span, wait

_SIZE_WH = (1280, 720)
_FPS = 30.0
_FAILED_READS = 5  # in a row, or damaged pictures: some cameras fail once or twice at the start or at new exposure
_FAILED_S = 5.0  # or for this long
_SELECT_S = 3  # OpenCV's timeout for one frame; its default of 10 s would keep a camera that hangs in use for a minute
_SILENCE_S = 8.0  # longer than both together, so that a failed read is what gets reported
_SAME_RATE = 0.95  # of what was asked for: 29.97 is 30


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used; tests pass their own.

    `read` returns (H, W, 3) uint8 BGR, or undecoded JPEG, (1, N), after CAP_PROP_CONVERT_RGB was set to 0.
    """

    def isOpened(self) -> bool: ...
    def set(self, prop: int, value: float, /) -> bool: ...
    def get(self, prop: int, /) -> float: ...
    def read(self) -> tuple[bool, NDArray[np.uint8] | None]: ...
    def release(self) -> None: ...


Opener = Callable[[int | str], Capture]
# The result of a read, and when it arrived.
_Grabbed = tuple[NDArray[np.uint8], float]


def open_capture(target: int | str) -> Capture:
    """OpenCV's capture of a device path (Linux) or index (elsewhere)."""
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(_SELECT_S))
    # Its warnings on stderr would hide bgcam's one line, now and when a camera is unplugged.
    cv2.utils.logging.setLogLevel(0)
    capture: Capture = cv2.VideoCapture(target, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)  # type: ignore[assignment]
    return capture


class CameraSource:
    """A camera as a source, until it is lost.

    `read` waits for the next new frame; None after `close`.

    size_wh, fps: what the driver delivers; 1280x720 at 30 is requested by default.
    note: what was requested, if the driver delivers something else, as text for the user.
    drops: how many frames were never read.
    modes: the camera's modes; None: query the driver.
    """

    live, notice = True, ""
    frames: int | None = None

    def __init__(
        self,
        target: int | str,
        *,
        name: str,
        size_wh: tuple[int, int] | None = None,
        fps: float | None = None,
        mirror: bool = False,
        opener: Opener = open_capture,
        modes: Sequence[Mode] | None = None,
    ) -> None:
        self.name = name
        self.drops = 0
        self._mirror = mirror
        self._number = 0
        self._newest: _Grabbed | None = None
        self._jpeg: JpegDecoder | None = None
        self._failure = ""
        self._closed = False
        self._changed = threading.Condition()
        asked = (size_wh or _SIZE_WH, fps or _FPS)
        fourcc = pick_fourcc(_modes(target, asked[0]) if modes is None else modes, *asked)
        self._capture = opener(target)
        try:
            if not self._capture.isOpened():
                raise SourceError(f"{name}: cannot be opened; {_why_not(target)}, or choose another with --camera")
            self._ask(fourcc, *asked)
            if self._gives_jpeg():
                self._jpeg = JpegDecoder()
            first, bgr = self._begin()
            if first is None or bgr is None:
                raise SourceError(f"{name}: gives no picture; {_why_not(target)}, or choose another with --camera")
        except BaseException:
            self._capture.release()
            raise
        self._newest = first
        self._start_s = first[1]
        self.size_wh = (bgr.shape[1], bgr.shape[0])
        given_fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = given_fps if 0 < given_fps <= 1000 else fps or _FPS
        self.note = _note(*asked, size_wh=self.size_wh, fps=self.fps)
        self._thread = threading.Thread(target=self._run, name="bgcam-camera", daemon=True)
        self._thread.start()

    def read(self) -> CameraFrame | None:
        for _ in range(_FAILED_READS):
            with wait("the camera"):
                newest = self._wait()
            if newest is None:
                return None
            with span("decode"):
                bgr = self._picture(newest[0])
            if bgr is not None:
                number, self._number = self._number, self._number + 1
                bgr = shape(bgr, size_wh=self.size_wh, mirror=self._mirror)
                return CameraFrame(number, bgr, newest[1] - self._start_s, newest[1])
            with self._changed:
                self.drops += 1
        raise SourceError(
            f"{self.name}: its pictures arrive damaged; unplug it and plug it back in, or use another USB port"
        )

    def _wait(self) -> _Grabbed | None:
        """The newest unread frame, once there is one; None after `close`."""
        with self._changed:
            woken = self._changed.wait_for(lambda: self._closed or self._newest or self._failure, timeout=_SILENCE_S)
            if self._closed:
                return None
            if self._newest is None:
                reason = self._failure if woken else f"no frame for {_SILENCE_S:g} s"
                raise SourceError(f"{self.name}: {reason}; unplug it and plug it back in")
            newest, self._newest = self._newest, None
            return newest

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=2)  # the thread releases the device itself: never during a read

    def _ask(self, fourcc: str, size_wh: tuple[int, int], fps: float) -> None:
        # The format first: drivers choose sizes by it.
        wishes = (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc)),
            (cv2.CAP_PROP_FRAME_WIDTH, size_wh[0]),
            (cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1]),
            (cv2.CAP_PROP_FPS, fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        )
        for prop, value in wishes:
            self._capture.set(prop, value)

    def _gives_jpeg(self) -> bool:
        """Whether frames arrive as JPEG now: dropped ones are then not decoded, and the others decoded faster."""
        fourcc = int(self._capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        known = sys.platform == "linux" and fourcc in [one.encode() for one in FOURCCS]
        return known and self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def _begin(self) -> tuple[_Grabbed, NDArray[np.uint8]] | tuple[None, None]:
        """The first undamaged frame, as received and as a picture."""
        for _ in range(_FAILED_READS):
            grabbed = self._grab()
            if grabbed is None:
                break
            bgr = self._picture(grabbed[0])
            if bgr is not None:
                return grabbed, bgr
        return None, None

    def _picture(self, raw: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """(H, W, 3) BGR of a grab's result; None if that is damaged."""
        if self._jpeg is not None and raw.ndim == 2:
            return self._jpeg(raw.reshape(-1))
        if raw.ndim == 2 or raw.shape[2] == 1:  # an infrared camera
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_GRAY2BGR), np.uint8)
        return raw

    def _grab(self) -> _Grabbed | None:
        """The next frame and when it arrived; None if the camera no longer gives any."""
        begun_s = time.monotonic()
        for attempt in range(_FAILED_READS):
            if self._closed or time.monotonic() - begun_s > _FAILED_S:
                break
            try:
                ok, raw = self._capture.read()
            except cv2.error:
                ok, raw = False, None
            if ok and raw is not None and raw.size:
                return raw, time.monotonic()
            time.sleep(0.01 * (attempt + 1))
        return None

    def _run(self) -> None:
        try:
            while not self._closed:
                with wait("the camera"):
                    grabbed = self._grab()
                with self._changed:
                    if grabbed is None:
                        self._failure = "the camera stopped giving frames (unplugged?)"
                    else:
                        self.drops += self._newest is not None
                        self._newest = grabbed
                    self._changed.notify_all()
                if grabbed is None:
                    return
        except Exception as error:  # the reader must be notified, or it would wait forever
            with self._changed:
                self._failure = f"reading failed ({error})"
                self._changed.notify_all()
        finally:
            self._capture.release()


def pick_fourcc(modes: Sequence[Mode], size_wh: tuple[int, int], fps: float) -> str:
    """The format to ask a camera for: MJPG if it has the size and rate, since raw HD exceeds USB 2; otherwise the
    nearest one. Also MJPG if nothing is known."""
    known = [mode for mode in modes if mode.fourcc in DECODED]

    def worth(mode: Mode) -> tuple[float, ...]:
        away_px = abs(mode.size_wh[0] - size_wh[0]) + abs(mode.size_wh[1] - size_wh[1])
        return (-away_px, min(mode.fps, _SAME_RATE * fps), -DECODED.index(mode.fourcc))

    return max(known, key=worth).fourcc if known else DECODED[0]


def _modes(target: int | str, size_wh: tuple[int, int]) -> list[Mode]:
    if sys.platform != "linux" or not isinstance(target, str):
        return []
    try:
        with opened(target) as descriptor:
            return list_modes(descriptor, sizes=[size_wh])
    except OSError:  # opening it for frames reports why
        return []


def _note(asked_wh: tuple[int, int], asked_fps: float, *, size_wh: tuple[int, int], fps: float) -> str:
    if size_wh == asked_wh and fps >= _SAME_RATE * asked_fps:
        return ""
    return f"asked for {asked_wh[0]}x{asked_wh[1]} at {asked_fps:g} fps"


def _why_not(target: int | str) -> str:
    if isinstance(target, str):
        if os.path.exists(target) and not os.access(target, os.R_OK | os.W_OK):
            return "you have no permission to use it: run `sudo usermod -aG video $USER`, then log out and back in"
        if sys.platform == "linux":
            return busy_line(target)
    return "another program may have it open: close that program"
