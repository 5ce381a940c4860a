"""The CUDA kernels compile for every NVIDIA GPU from Turing to Blackwell, by the compiler that CuPy uses."""

from __future__ import annotations

import pytest
from nvrtc import Nvrtc, find_library

from bgcam.realtime.picture.kernels.source import ENTRIES, source_text

# The oldest and the newest that are served, and the one that the figures are of; those between take the same paths.
ARCHITECTURES = (75, 90, 120)


@pytest.fixture(scope="module")
def nvrtc() -> Nvrtc:
    library = find_library()
    if library is None:
        pytest.skip("no NVRTC here; run: pip install nvidia-cuda-nvrtc")
    return Nvrtc(library)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kernels_compile(nvrtc: Nvrtc, architecture: int) -> None:
    if architecture not in nvrtc.architectures():
        pytest.skip(f"this NVRTC compiles for {nvrtc.architectures()} alone")
    code, log = nvrtc.compile(source_text(), architecture=architecture)
    assert log == "", "not even a warning"
    assert code.startswith(b"\x7fELF")
    assert [name for name in ENTRIES if f".text.{name}\0".encode() not in code] == []


def test_an_error_names_file_and_line(nvrtc: Nvrtc) -> None:
    code, log = nvrtc.compile(source_text().replace("int Y = blockIdx.y", "int Y = blockIdx.nothing"), architecture=90)
    assert code == b""
    assert log.startswith("resize_normalize.cu(")


def test_the_source_is_ascii() -> None:
    assert source_text().isascii()
