"""Writes I420 frames to a v4l2loopback device."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.devices.listing import capability_of
from bgcam.realtime.devices.users import Holders, find_holders
from bgcam.realtime.devices.v4l2 import HeldFormat, output_format, set_output_format, set_output_rate, start_output
from bgcam.realtime.devices.viewers import Viewers, module_uses, watch_viewers

_OUTPUT = 0x00000002
_I420 = "YU12"
_MODULE = Path("/sys/module/v4l2loopback")


class LoopbackWriter:
    """The device at `path`, open for frames of this even size.

    After opening, and before each frame, the driver's real format is compared: v4l2loopback accepts a format without
    using it while another program owns the device, and then pictures would be sheared. Raises OSError, with
    a text for the user if it is another program.
    """

    def __init__(self, width: int, height: int, fps: float, path: str, *, module: Path = _MODULE) -> None:
        self.device = path
        self._format = HeldFormat((width, height), _I420)
        self._bytes = width * height * 3 // 2
        self._viewers: Callable[[], Viewers] | None = None
        self._descriptor = os.open(path, os.O_RDWR)
        try:
            # With exclusive_caps the output bit is set while nobody writes, unless an earlier writer left it cleared.
            if not self._takes_output():
                if not self._alone(module):
                    raise OSError(errno.EBUSY, f"another program writes to it{self._named(self._holders().writers)}")
                self._unlock()
            set_output_format(self._descriptor, self._format, picture_bytes=self._bytes, line_bytes=width)
            self._compare()
            with contextlib.suppress(OSError):  # readers only see a wrong rate: keep_format is set
                set_output_rate(self._descriptor, fps)
            # For older drivers a program that only writes is not a writer: the output bit would stay cleared for good.
            if _version(module) < (0, 14):
                start_output(self._descriptor)
        except BaseException:
            self.close()
            raise

    def send(self, i420: NDArray[np.uint8]) -> None:
        """(H * 3 / 2, W) uint8. Raises OSError when the device is gone or holds another format."""
        self._compare()
        taken = os.write(self._descriptor, np.ascontiguousarray(i420).data)
        if taken != self._bytes:
            raise OSError(errno.EIO, f"it accepted {taken} of {self._bytes} bytes")

    def viewers(self) -> Viewers:
        """Who reads the device now. Raises OSError."""
        if self._viewers is None:
            self._viewers = watch_viewers(self._descriptor, self.device)
        return self._viewers()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _compare(self) -> None:
        found = output_format(self._descriptor)
        if found != self._format:
            reason = f"another program has it open{self._named(str(self._holders()))} or keep_format is set"
            raise OSError(errno.EBUSY, f"it holds {found} instead of {self._format}, as {reason}")

    def _takes_output(self) -> bool:
        return bool(capability_of(self._descriptor).bits & _OUTPUT)

    def _unlock(self) -> None:
        """Before 0.14, a program that only writes, as pyvirtualcam does, leaves the output bit cleared for good. It is
        set again when a program that streamed as a writer closes the device, even if the start failed."""
        with contextlib.suppress(OSError):
            start_output(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        self._descriptor = os.open(self.device, os.O_RDWR)
        if not self._takes_output():
            reload = "`sudo modprobe -r v4l2loopback`, then modprobe it again"
            raise OSError(errno.EBUSY, f"its last writer left it locked: {reload}")

    def _alone(self, module: Path) -> bool:
        holders = self._holders()
        return not holders.found and (not holders.unseen or module_uses(module) == 1)

    def _holders(self) -> Holders:
        return find_holders(self.device)

    def _named(self, who: str) -> str:
        return f" ({who or f'`sudo fuser -v {self.device}` names it'})"


def _version(module: Path) -> tuple[int, ...]:
    """The driver's version, which it reports since 0.13; if unknown, that of a new one."""
    try:
        return tuple(int(part) for part in (module / "version").read_text().strip().split(".")[:2])
    except (OSError, ValueError):
        return (0, 12) if module.is_dir() else (1, 0)
