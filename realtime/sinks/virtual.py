"""A virtual camera that video calls can pick: v4l2loopback on Linux, OBS's elsewhere, by pyvirtualcam."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.devices import Device, HeldFormat, find_device, held_output_format, list_virtual_cameras
from bgcam.realtime.errors import SinkError, SourceError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks._shape import cropped_note, even_size, to_size

HOW_TO_GET_ONE = (
    "run `sudo modprobe v4l2loopback exclusive_caps=1 card_label=bgcam` "
    "(on Debian and Ubuntu first `sudo apt install v4l2loopback-dkms`)"
)
_LABEL = "bgcam"
_FOURCC = "YU12"  # I420 in V4L2's words

# (width, height, fps, device or None) -> something with `device`, `send(array)` and `close()`
Opener = Callable[[int, int, float, str | None], Any]


def open_pyvirtualcam(width: int, height: int, fps: float, device: str | None) -> Any:
    """A `pyvirtualcam.Camera` that takes I420. Raises RuntimeError."""
    import pyvirtualcam

    return pyvirtualcam.Camera(width, height, fps, fmt=pyvirtualcam.PixelFormat.I420, device=device)


class VirtualSink:
    """Frames to a virtual camera as I420 (BT.601, limited range). argument: a /dev path, index or part of a card label;
    "" takes the one labelled bgcam, else the first that opens.

    Odd sides lose one pixel, and `name` says so. Frames of another size are scaled to fit, with black bars. After
    opening, the size and fourcc that the driver really holds are compared: v4l2loopback says yes to a format that it
    does not take while another program owns the device, and then pictures shear. Raises SinkError.
    """

    live = True

    def __init__(
        self,
        argument: str = "",
        *,
        size_wh: tuple[int, int],
        fps: float,
        devices: Sequence[Device] | None = None,
        opener: Opener = open_pyvirtualcam,
        held: Callable[[str], HeldFormat] = held_output_format,
    ) -> None:
        self._size_wh = even_size(size_wh)
        self._camera: Any = None
        self.name = ""
        failures = []
        for path, label in _candidates(argument, devices):
            try:
                camera = opener(*self._size_wh, fps, path)
            except ImportError as error:
                line = "run `pip install pyvirtualcam`"
                raise SinkError(f"the virtual camera needs pyvirtualcam ({error}); {line}") from error
            except Exception as error:  # pyvirtualcam passes on whatever its backends raise
                failures.append(f"{label}: {' '.join(str(error).split())}")
                continue
            try:
                _compare(label, held(path) if path else None, self._size_wh)
            except OSError as error:
                camera.close()
                if isinstance(error, SinkError):
                    raise
                reload = "reload it: `sudo modprobe -r v4l2loopback`, then modprobe it again"
                raise SinkError(f"{label}: its format cannot be read back ({error.strerror}); {reload}") from error
            self._camera = camera
            self.name = (label if path else str(camera.device)) + cropped_note(size_wh)
            return
        reasons = "; ".join(failures)
        raise SinkError(f"the virtual camera cannot be opened ({reasons}); close other programs that write to it")

    def write(self, frame: ComposedFrame) -> None:
        if self._camera is None:
            raise SinkError(f"{self.name}: closed already; open it again")
        try:
            self._camera.send(to_i420(to_size(frame.bgr, self._size_wh)))
        except Exception as error:
            raise SinkError(f"{self.name}: a frame cannot be sent ({error}); start again") from error

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def abort(self) -> None:
        self.close()


def to_i420(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR with even sides -> (H * 3 / 2, W) uint8: the Y plane, then U and V at half size."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)


def _candidates(argument: str, devices: Sequence[Device] | None) -> list[tuple[str | None, str]]:
    """(path, name for people) in the order to try. A path of None leaves the choice to pyvirtualcam."""
    if devices is None:
        if sys.platform != "linux":
            return [(argument or None, argument or "the OBS virtual camera")]
        devices = list_virtual_cameras()
    if not devices:
        raise SinkError(f"no virtual camera found; {HOW_TO_GET_ONE}")
    if argument:
        try:
            chosen = [find_device(devices, argument)]
        except SourceError as error:
            raise SinkError(f"virtual camera: {error}") from None
    else:
        chosen = sorted(devices, key=lambda device: _LABEL not in device.name.casefold())
    return [(device.path, str(device)) for device in chosen]


def _compare(label: str, found: HeldFormat | None, size_wh: tuple[int, int]) -> None:
    if found is None or found == HeldFormat(size_wh, _FOURCC):
        return
    wanted = f"{size_wh[0]}x{size_wh[1]} {_FOURCC}"
    holds = f"{found.size_wh[0]}x{found.size_wh[1]} {found.fourcc.strip()}"
    raise SinkError(
        f"{label}: holds {holds} instead of {wanted}, as another program has it open "
        f"(`fuser -v {label.split()[0]}` names it) or keep_format is set; close that program, or use --size"
    )
