"""NVIDIA's run-time compiler by ctypes, from its wheel: it needs no GPU and no driver."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path


def find_library() -> Path | None:
    """libnvrtc of the wheel nvidia-cuda-nvrtc (or of what else brought it), None where there is none."""
    found = importlib.util.find_spec("nvidia")
    folders = [Path(one) for one in (found.submodule_search_locations or [])] if found else []
    libraries = sorted(path for folder in folders for path in folder.rglob("libnvrtc.so.*[0-9]"))
    return libraries[-1] if libraries else None


class Nvrtc:
    def __init__(self, path: Path):
        self._library = ctypes.CDLL(str(path))

    def architectures(self) -> list[int]:
        """Compute capabilities that it compiles for, 75 for 7.5."""
        count = ctypes.c_int()
        self._check(self._library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
        found = (ctypes.c_int * count.value)()
        self._check(self._library.nvrtcGetSupportedArchs(found))
        return list(found)

    def compile(self, source: str, *, architecture: int) -> tuple[bytes, str]:
        """Machine code (an ELF file) and the log; the code is empty when it does not compile."""
        program = ctypes.c_void_p()
        made = self._library.nvrtcCreateProgram(
            ctypes.byref(program), source.encode(), b"kernels.cu", 0, ctypes.c_void_p(), ctypes.c_void_p()
        )
        self._check(made)
        try:
            options = [f"--gpu-architecture=sm_{architecture}".encode(), b"--std=c++17"]
            values = (ctypes.c_char_p * len(options))(*options)
            failed = self._library.nvrtcCompileProgram(program, len(options), values)
            log = self._text("ProgramLog", program).decode(errors="replace").strip("\0\n")
            return (b"" if failed else self._text("CUBIN", program)), log
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _text(self, what: str, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        self._check(getattr(self._library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
        text = ctypes.create_string_buffer(size.value)
        self._check(getattr(self._library, f"nvrtcGet{what}")(program, text))
        return text.raw

    def _check(self, failed: int) -> None:
        self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
        assert not failed, self._library.nvrtcGetErrorString(failed).decode()
