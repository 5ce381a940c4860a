"""How many bytes are missing at a video file's end, according to its container.

A decoder ends a truncated file like a complete one: MP4 (index first), Matroska and GIF raise nothing. The containers'
own lengths are exact: boxes of MP4, the segment of Matroska, chunks of RIFF (AVI), packets of 188 bytes of MPEG-TS.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_MP4_BOXES = tuple(b"ftyp styp moov mdat moof sidx mfra free skip wide uuid meta".split())
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_TS_BYTES = 188
_GIF_TRAILER = b"\x3b"


def missing_bytes(path: Path) -> int:
    """Bytes that should follow the file's end (at least that many); 0 if it is complete or does not say."""
    try:
        with path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            head = file.read(_TS_BYTES + 1)
            for knows, missing in _KINDS:
                if knows(head):
                    return max(0, missing(file, end))
    except (OSError, ValueError):
        pass
    return 0


def _mp4(file: BinaryIO, end: int) -> int:
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8 or head[4:8] not in _MP4_BOXES:  # 0 is "to the end of the file", others are not boxes
            return 0
        at += size
    return at - end


def _matroska(file: BinaryIO, end: int) -> int:
    at = 0
    for wanted in (_EBML, _SEGMENT):
        file.seek(at)
        head = file.read(12)
        if head[:4] != wanted or len(head) < 5 or not head[4]:
            return 0
        length = 9 - head[4].bit_length()  # of the size field: the leading zeros say it
        bits = 7 * length
        size = int.from_bytes(head[4 : 4 + length], "big") & (1 << bits) - 1
        if size == (1 << bits) - 1:  # unknown: a live recording
            return 0
        at += 4 + length + size
    return at - end


def _riff(file: BinaryIO, end: int) -> int:
    at = 0
    while at + 8 <= end:  # files over 1 GB are several RIFF chunks in a row
        file.seek(at)
        head = file.read(8)
        if head[:4] != b"RIFF":
            return 0
        size = int.from_bytes(head[4:], "little")
        if size in (0, 0xFFFFFFFF):  # never filled in
            return 0
        at += 8 + size + size % 2
    return at - end - 1  # the last chunk's padding byte may be left out


def _gif(file: BinaryIO, end: int) -> int:
    """A GIF whose last picture is complete needs no trailer: many lack it, and every program plays them."""
    file.seek(max(0, end - 64))
    if file.read().rstrip(b"\0").endswith(_GIF_TRAILER):  # some tools pad behind it
        return 0
    file.seek(0)
    data = memoryview(file.read())
    at, waits = 13 + _gif_colours(data[10]), False
    while at < end:
        kind = bytes(data[at : at + 1])
        if kind == _GIF_TRAILER:
            return 0
        if kind == b"!":
            at, waits = _gif_blocks(data, at + 2), True
        elif kind == b"," and at + 10 < end:
            at, waits = _gif_blocks(data, at + 11 + _gif_colours(data[at + 9])), False
        else:
            return 1
    return max(at - end, int(waits))  # an extension stands before a picture


def _gif_colours(flags: int) -> int:
    """The bytes of the colour table that these flags declare."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif_blocks(data: memoryview, at: int) -> int:
    """Where a row of blocks ends, each of which begins with its length; beyond the data if they are truncated."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _ts(_file: BinaryIO, end: int) -> int:
    return -end % _TS_BYTES


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, int], int]], ...] = (
    (lambda head: head[4:8] in _MP4_BOXES, _mp4),
    (lambda head: head[:4] == _EBML, _matroska),
    (lambda head: head[:4] == b"RIFF", _riff),
    (lambda head: head[:4] == b"GIF8", _gif),
    (lambda head: head[:1] == b"\x47" and head[_TS_BYTES:] == b"\x47", _ts),
)
