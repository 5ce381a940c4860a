"""Files that lie, for the tests of them: where to damage one, and what has to come of it."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bgcam.realtime.errors import BgcamError
from bgcam.realtime.sources.video import VideoSource

quick = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
# Where to damage a file, as a share of its length, and with what: bytes put in, in place of, or taken away.
damages = st.lists(
    st.tuples(st.floats(0, 1), st.binary(max_size=8), st.sampled_from(["replace", "insert", "cut", "drop"])),
    min_size=1,
    max_size=6,
)
# Most of what a header holds is at the front.
front = st.lists(st.tuples(st.floats(0, 0.05), st.binary(min_size=1, max_size=4), st.just("replace")), max_size=4)


def damage(data: bytes, changes: list[tuple[float, bytes, str]]) -> bytes:
    for share, new, how in changes:
        at = int(share * len(data))
        after = {"replace": at + len(new), "insert": at, "cut": len(data), "drop": at + 4 * len(new)}[how]
        data = data[:at] + (b"" if how == "drop" else new) + data[after:]
    return data


def smooth(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size_wh
    return np.add.outer(np.arange(height), np.arange(width))[..., None].repeat(3, 2).astype(np.uint8)


def one_line(error: BgcamError, name: str) -> None:
    assert name in str(error)
    assert "\n" not in str(error)


def frames_of(path: Path, *, limit_s: float = 20.0) -> int:
    """How many frames it gives, each checked. Raises SourceError."""
    began_s, count, last_s = time.monotonic(), 0, -1.0
    source = VideoSource(str(path))
    try:
        while (frame := source.read()) is not None:
            assert frame.number == count
            assert frame.size_wh == source.size_wh
            assert np.isfinite(frame.time_s)
            assert frame.time_s > last_s
            count, last_s = count + 1, frame.time_s
            assert time.monotonic() < began_s + limit_s, "it does not end"
    finally:
        source.close()
    return count


def encoded(suffix: str) -> bytes:
    ok, data = cv2.imencode(suffix, smooth((37, 23)), [cv2.IMWRITE_WEBP_QUALITY, 90] if suffix == ".webp" else [])
    assert ok
    return data.tobytes()


def large(suffix: str, size_wh: tuple[int, int] = (12_000, 12_000)) -> bytes:
    """A small picture that says it has this size."""
    width, height = size_wh
    data = bytearray(encoded(suffix))
    if suffix == ".png":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    elif suffix == ".jpg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif suffix == ".bmp":
        data[18:26] = struct.pack("<ii", width, height)
    else:
        at = data.index(b"\x9d\x01\x2a") + 3
        data[at : at + 4] = struct.pack("<HH", width, height)
    return bytes(data)
