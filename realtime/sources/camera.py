"""A live camera by OpenCV: a thread keeps the newest frame only, so that a slow reader sees no old pictures."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.devices import Device, find_device, list_cameras, list_virtual_cameras
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources._shape import shape

_SIZE_WH = (1280, 720)
_FPS = 30.0
_FAILED_READS = 5  # in a row: some cameras fail once or twice when they start or change their exposure
_SILENCE_S = 15.0  # longer than OpenCV's own limit of 10 s, so that its failed read is what gets reported


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used; tests give their own. `read` gives (H, W, 3) uint8 BGR."""

    def isOpened(self) -> bool: ...
    def set(self, prop: int, value: float, /) -> bool: ...
    def get(self, prop: int, /) -> float: ...
    def read(self) -> tuple[bool, NDArray[np.uint8] | None]: ...
    def release(self) -> None: ...


Opener = Callable[[int | str], Capture]


def open_capture(target: int | str) -> Capture:
    """OpenCV's capture of a device path (Linux) or index (elsewhere)."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)  # its warnings on stderr would hide our one line
    try:
        capture: Capture = cv2.VideoCapture(target, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)  # type: ignore[assignment]
    finally:
        cv2.utils.logging.setLogLevel(level)
    return capture


def open_camera(
    wanted: str | None,
    *,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    mirror: bool = False,
    cameras: Sequence[Device] | None = None,
    virtual: Sequence[Device] | None = None,
    opener: Opener = open_capture,
) -> CameraSource:
    """The camera that `wanted` names (see `find_device`), None: the first. The lists default to this machine's.

    Raises SourceError when there is no such camera, or it gives no picture.
    """
    if cameras is None:
        cameras = list_cameras()
    target: int | str
    if sys.platform != "linux" and (wanted is None or wanted.isdigit()):
        target = int(wanted or 0)
        name = f"camera {target}"
    elif wanted is None:
        if not cameras:
            raise SourceError("no camera found; plug one in, or give a file with --input FILE")
        target, name = cameras[0].path, str(cameras[0])
    else:
        if virtual is None:
            virtual = list_virtual_cameras()
        known = [*cameras, *virtual]  # another program's virtual camera is a fair choice when named
        if os.path.isabs(wanted) and not Path(wanted).exists():
            raise SourceError(f"no camera at {wanted}; `bgcam devices` lists those there are")
        if os.path.isabs(wanted) and os.path.realpath(wanted) not in {device.path for device in known}:
            target, name = wanted, wanted
        else:
            device = find_device(known, wanted)
            target, name = device.path, str(device)
    return CameraSource(target, name=name, size_wh=size_wh, fps=fps, mirror=mirror, opener=opener)


class CameraSource:
    """A camera as a source. size_wh and fps: what the driver gives, whatever was asked for (1280x720 at 30 by default).

    drops counts frames that were never read. `read` waits for the next new frame; None after `close`.
    """

    live = True
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
    ) -> None:
        self.name = name
        self.drops = 0
        self._mirror = mirror
        self._number = 0
        self._newest: tuple[NDArray[np.uint8], float] | None = None
        self._failure = ""
        self._closed = False
        self._changed = threading.Condition()
        self._capture = opener(target)
        try:
            if not self._capture.isOpened():
                raise SourceError(f"{name}: cannot be opened; {_why_not(target)}")
            self._ask(size_wh or _SIZE_WH, fps or _FPS)
            first = self._grab()
            if first is None:
                raise SourceError(f"{name}: gives no picture; close other programs that use it, or replug the camera")
        except BaseException:
            self._capture.release()
            raise
        self._newest = first
        self._start_s = first[1]
        self.size_wh = (first[0].shape[1], first[0].shape[0])
        given_fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = given_fps if 0 < given_fps <= 1000 else fps or _FPS
        self._thread = threading.Thread(target=self._run, name="bgcam-camera", daemon=True)
        self._thread.start()

    def read(self) -> CameraFrame | None:
        with self._changed:
            woken = self._changed.wait_for(lambda: self._closed or self._newest or self._failure, timeout=_SILENCE_S)
            if self._closed:
                return None
            if self._newest is None:
                reason = self._failure if woken else f"no frame for {_SILENCE_S:g} s"
                raise SourceError(f"{self.name}: {reason}; replug it and start again")
            bgr, captured_s = self._newest
            self._newest = None
            number, self._number = self._number, self._number + 1
        bgr = shape(bgr, size_wh=self.size_wh, mirror=self._mirror)
        return CameraFrame(number, bgr, captured_s - self._start_s, captured_s)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=2)  # the thread lets go of the device itself: never during a read

    def _ask(self, size_wh: tuple[int, int], fps: float) -> None:
        # MJPG first: raw formats do not fit through USB 2 at HD, and drivers pick sizes by format.
        wishes = (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, size_wh[0]),
            (cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1]),
            (cv2.CAP_PROP_FPS, fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        )
        for prop, value in wishes:
            self._capture.set(prop, value)

    def _grab(self) -> tuple[NDArray[np.uint8], float] | None:
        """The next frame and when it came; None when the camera gives none any more."""
        for attempt in range(_FAILED_READS):
            if self._closed:
                break
            try:
                ok, bgr = self._capture.read()
            except cv2.error:
                ok, bgr = False, None
            if ok and bgr is not None and bgr.size:
                captured_s = time.monotonic()
                if bgr.ndim == 2 or bgr.shape[2] == 1:  # an infrared camera
                    bgr = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_GRAY2BGR), np.uint8)
                return bgr, captured_s
            time.sleep(0.01 * (attempt + 1))
        return None

    def _run(self) -> None:
        try:
            while not self._closed:
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
        except Exception as error:  # the reader must hear of it, or it would wait in vain
            with self._changed:
                self._failure = f"reading failed ({error})"
                self._changed.notify_all()
        finally:
            self._capture.release()


def _why_not(target: int | str) -> str:
    if isinstance(target, str) and not os.access(target, os.R_OK | os.W_OK):
        return "you may not use it: run `sudo usermod -aG video $USER`, log out and in"
    return "another program may hold it: close that program, or choose another with --camera"
