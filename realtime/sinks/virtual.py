"""A virtual camera for video calls: v4l2loopback on Linux; OBS's or Unity's elsewhere, through pyvirtualcam."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.packages import install_command
from bgcam.realtime.backoff import Backoff
from bgcam.realtime.devices.listing import Device, find_device, list_virtual_cameras
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import SinkError, SourceError
from bgcam.realtime.failsafe.gate import check_shown
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks._shape import cropped_note, even_size, to_size

HOW_TO_GET_ONE = "run `bgcam doctor --fix`: it finds what is missing, and offers the commands that create one"
HOW_TO_BE_ALLOWED = "run `sudo usermod -aG video $USER`, then log out and back in"
_LABEL = "bgcam"

# (width, height, fps, device or None) -> something with `device`, `send(array)`, `close()` and perhaps `viewers()`
Opener = Callable[[int, int, float, str | None], Any]
Lister = Callable[[], Sequence[Device]]


def open_virtual_camera(width: int, height: int, fps: float, device: str | None) -> Any:
    """Opens a device that accepts I420. Passes on its driver's errors."""
    if sys.platform == "linux" and device is not None:
        from bgcam.realtime.sinks._loopback import LoopbackWriter

        return LoopbackWriter(width, height, fps, device)
    import pyvirtualcam

    return pyvirtualcam.Camera(width, height, fps, fmt=pyvirtualcam.PixelFormat.I420, device=device)


class VirtualSink:
    """Frames to a virtual camera as I420 (BT.601, limited range). argument: a /dev path, index or part of a card label;
    "" takes the one labelled bgcam, otherwise the first that opens.

    Odd sides lose one pixel, and `name` says so. Frames of another size are scaled to fit, with black bars. Raises
    SinkError if it cannot be opened. If the device disappears later, or another program changes its format, frames
    are dropped, `notice` says why, and a device of the same name is reopened when there is one.
    """

    live = True

    def __init__(
        self,
        argument: str = "",
        *,
        size_wh: tuple[int, int],
        fps: float,
        devices: Lister = list_virtual_cameras,
        opener: Opener = open_virtual_camera,
        backoff: Backoff | None = None,
    ) -> None:
        self.notice = ""
        self._size_wh, self._fps, self._cropped = even_size(size_wh), fps, cropped_note(size_wh)
        self._devices, self._opener, self._backoff = devices, opener, backoff or Backoff()
        self._lock = threading.Lock()
        self._closed = False
        self._camera, self._device = self._open_first(_candidates(argument, devices))
        self.name = self._named()

    def write(self, frame: ComposedFrame) -> None:
        check_shown(frame)
        with self._lock:
            if self._closed:
                raise SinkError(f"{self.name}: closed already; open it again")
            if self._camera is None:
                self._open_again()
            if self._camera is None:
                return
            if frame.i420 is not None and frame.size_wh == self._size_wh:
                i420 = frame.i420
            else:
                i420 = to_i420(to_size(frame.bgr, self._size_wh))
            try:
                self._camera.send(i420)
            except Exception as error:  # pyvirtualcam passes on whatever its backends raise
                self._lose(error)
            else:
                self.notice = ""
                self._backoff.succeeded()

    def viewers(self) -> Viewers:
        """Who reads it now; nobody while it is gone. A viewer is assumed if that is unknown."""
        with self._lock:
            if self._camera is None:
                return Viewers.NONE
            ask: Callable[[], Viewers] | None = getattr(self._camera, "viewers", None)
            try:
                return Viewers.STREAMING if ask is None else ask()
            except OSError as error:
                self._lose(error)
                return Viewers.NONE

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._let_go()

    def abort(self) -> None:
        self.close()

    def _open_first(self, candidates: Sequence[Device | None]) -> tuple[Any, Device | None]:
        failures = []
        for device in candidates:
            try:
                return self._opener(*self._size_wh, self._fps, device.path if device else None), device
            except ImportError as error:
                line = f"run `{install_command('pyvirtualcam')}`"
                raise SinkError(f"the virtual camera needs pyvirtualcam ({error}); {line}") from error
            except PermissionError as error:
                raise SinkError(f"{device}: no permission to write to it; {HOW_TO_BE_ALLOWED}") from error
            except Exception as error:  # pyvirtualcam passes on whatever its backends raise
                failures.append(f"{device or 'the OBS virtual camera'}: {_reason(error)}")
        reasons = "; ".join(failures)
        raise SinkError(f"the virtual camera cannot be opened ({reasons}); close other programs that write to it")

    def _open_again(self) -> None:
        if not self._backoff.due:
            return
        try:
            device = self._device
            if device is not None and device.index >= 0:
                # The old path first; a device with another label belongs to another program.
                there = sorted(self._devices(), key=lambda other: other.path != self._path)
                device = next((other for other in there if other.name == device.name), None)
                if device is None:
                    raise FileNotFoundError("it is gone")
            self._camera = self._opener(*self._size_wh, self._fps, device.path if device else None)
            self._device = device
            self.name = self._named()
        except Exception as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        self._let_go()
        self._backoff.failed()
        times = self._backoff.tries - 1
        tried = f", tried {times} time{'s' if times > 1 else ''}" if times else ""
        self.notice = f"{self.name}: it does not accept pictures: {_reason(error)}; opening it again{tried}"

    def _let_go(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _named(self) -> str:
        self._path = str(self._camera.device)
        known = self._device is not None and self._device.index >= 0
        return (str(self._device) if known else self._path) + self._cropped


def to_i420(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR with even sides -> (H * 3 / 2, W) uint8: the Y plane, then U and V at half size."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)


def _candidates(argument: str, list_devices: Lister) -> Sequence[Device | None]:
    """In the order to try. None leaves the choice to pyvirtualcam."""
    if sys.platform != "linux":
        return [Device(argument, argument, -1, "") if argument else None]
    devices = list_devices()
    if not devices:
        raise SinkError(f"no virtual camera found; {HOW_TO_GET_ONE}")
    if argument:
        try:
            return [find_device(devices, argument)]
        except SourceError as error:
            raise SinkError(f"virtual camera: {error}") from None
    return sorted(devices, key=lambda device: (device.locked, _LABEL not in device.name.casefold()))


def _reason(error: Exception) -> str:
    """The error in one line, without its number."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())
