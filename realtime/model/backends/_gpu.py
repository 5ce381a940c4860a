"""Finds the NVIDIA GPU through the driver's library, without any package."""

from __future__ import annotations

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgcam.realtime.errors import BackendError

DRIVER_LIBRARIES = {"win32": "nvcuda.dll"}
DRIVER_VERSION_FILE = Path("/proc/driver/nvidia/version")
# CUdevice_attribute
MAJOR, MINOR = 75, 76
NO_GPU = "no NVIDIA GPU can be used here ({}); install NVIDIA's driver, or choose another --backend"


@dataclass(frozen=True)
class Gpu:
    """The first GPU.

    name: "NVIDIA H100 80GB HBM3".
    compute_capability: (9, 0).
    driver: "580.65.06" or "CUDA 13.0".
    """

    name: str
    compute_capability: tuple[int, int]
    driver: str


def gpu(library: Any = None) -> Gpu:
    """CUDA's device 0. library: the driver's, for tests. Raises BackendError if there is none."""
    if library is None:
        try:
            library = ctypes.CDLL(DRIVER_LIBRARIES.get(sys.platform, "libcuda.so.1"))
        except OSError:
            raise BackendError(NO_GPU.format("its driver is not installed")) from None
    count, device = ctypes.c_int(), ctypes.c_int()
    if library.cuInit(0) or library.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        raise BackendError(NO_GPU.format("its driver finds no GPU"))
    name = ctypes.create_string_buffer(256)
    values = [ctypes.c_int() for _ in range(3)]
    failed = (
        library.cuDeviceGet(ctypes.byref(device), 0)
        or library.cuDeviceGetName(name, len(name), device)
        or library.cuDeviceGetAttribute(ctypes.byref(values[0]), MAJOR, device)
        or library.cuDeviceGetAttribute(ctypes.byref(values[1]), MINOR, device)
        or library.cuDriverGetVersion(ctypes.byref(values[2]))
    )
    if failed:
        raise BackendError(NO_GPU.format(f"its driver answers with error {failed}"))
    major, minor, cuda = (value.value for value in values)
    return Gpu(name.value.decode(), (major, minor), _release() or f"CUDA {cuda // 1000}.{cuda % 1000 // 10}")


def has_gpu() -> bool:
    """Whether `gpu` finds one."""
    try:
        gpu()
    except BackendError:
        return False
    return True


def _release() -> str:
    """The driver's release ("580.65.06"), "" if it cannot be read."""
    try:
        found = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", DRIVER_VERSION_FILE.read_text())
    except OSError:
        return ""
    return found.group() if found else ""
