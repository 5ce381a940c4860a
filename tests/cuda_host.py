"""The kernels compiled for the host by g++, and launched with NumPy arrays; see cuda_host.h."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bgcam.realtime.errors import BackendError
from bgcam.realtime.picture.kernels.launch import Kernels
from bgcam.realtime.picture.kernels.source import ENTRIES, source_text

HEADER = Path(__file__).with_name("cuda_host.h")
ALIGNMENT = 256  # what cudaMalloc promises


def compiler() -> str | None:
    return shutil.which(os.environ.get("CXX", "g++"))


def build(folder: Path) -> Kernels:
    """Compile all kernels into a library in `folder` and give them as `Kernels` over NumPy arrays."""
    exports = "\n".join(
        f'extern "C" int host_{name}(unsigned x, unsigned y, unsigned n, void **v, int s) '
        f"{{ return host::launch(&{name}, x, y, n, v, s); }}"
        for name in ENTRIES
    )
    source, library = folder / "kernels.cpp", folder / "kernels.so"
    source.write_text(f"{source_text()}\n{exports}\n", encoding="utf-8")
    flags = ["-x", "c++", "-std=c++17", "-O1", "-Wall", "-Wno-unknown-pragmas", "-ffp-contract=off", "-shared", "-fPIC"]
    command = [str(compiler()), *flags, "-include", str(HEADER), str(source), "-o", str(library)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    loaded = ctypes.CDLL(str(library))
    lock = threading.Lock()  # blocks and threads are globals there, and a run that failed may leave a worker behind

    def launch(
        name: str, arguments: Sequence[Any], *, blocks: tuple[int, int], threads: int, shared_bytes: int = 0
    ) -> None:
        assert shared_bytes <= 228 * 1024
        held = [_value(one) for one in arguments]
        pointers = (ctypes.c_void_p * len(held))(*(ctypes.addressof(one) for one in held))
        with lock:
            misuse = getattr(loaded, f"host_{name}")(blocks[0], blocks[1], threads, pointers, shared_bytes)
        assert not misuse & 1, f"{name}: not all threads of a block reached the same barriers"
        assert not misuse & 2, f"{name}: wrote beyond its {shared_bytes} bytes of shared memory"

    return Kernels(launch)


@functools.cache
def host_kernels() -> Kernels:
    """`build`, once for all tests of a run; skips the test where there is no compiler."""
    if compiler() is None:
        pytest.skip("no g++ here")
    with tempfile.TemporaryDirectory(prefix="bgcam-kernels-") as folder:  # a library that is loaded may be deleted
        return build(Path(folder))


@dataclass
class Machine:
    """What runs the kernels: `put` gives it an array, `get` takes one back, `write` fills one that it has."""

    kernels: Kernels
    put: Callable[[Any], Any]
    get: Callable[[Any], np.ndarray]
    zeros: Callable[[tuple[int, ...], Any], Any]

    def write(self, array: Any, values: np.ndarray) -> None:
        array[...] = self.put(values)


@functools.cache
def machine(kind: str) -> Machine:
    """ "host" or "cuda"; skips the test where that is not to be had."""
    if kind == "host":
        return Machine(host_kernels(), host_put, np.asarray, host_zeros)
    from bgcam.realtime.cuda import load_cupy
    from bgcam.realtime.picture.kernels.load import load_kernels

    try:
        cupy = load_cupy()
    except BackendError as error:
        pytest.skip(str(error))
    return Machine(load_kernels(), cupy.asarray, cupy.asnumpy, cupy.zeros)


def host_put(values: np.ndarray) -> np.ndarray:
    array = device_array(values.shape, values.dtype)
    array[...] = values
    return array


def host_zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return host_put(np.zeros(shape, dtype))


def _value(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        assert argument.ctypes.data % 16 == 0, "make arrays with `device_array`"
        return ctypes.c_void_p(argument.ctypes.data)
    return {np.dtype("int32"): ctypes.c_int32, np.dtype("float32"): ctypes.c_float}[argument.dtype](argument.item())


def device_array(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array that begins where cudaMalloc would let it, not filled."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)
