"""Reads a picture file's header: its size (PNG, JPEG, WebP, BMP, TIFF), and whether the file is complete.

A decoder must find the same size, so unusual headers are rejected here: decoders disagree about them.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 without DHT, JPG, DAC
_JPEG_SCAN = 0xDA
_JPEG_SEGMENTS = frozenset(range(0xC0, 0xFF)) - frozenset(range(0xD0, 0xDA))  # the other markers have no length
# Each covers the whole picture and may be only a few bytes long; encoders write about ten.
_MAX_SCANS = 100
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF_SIDES = (256, 257, 322, 323)  # ImageWidth, ImageLength, TileWidth, TileLength
_TIFF_NUMBERS = {3: "H", 4: "I"}  # SHORT, LONG; for larger types an entry contains only the offset


def picture_size_wh(data: bytes) -> tuple[int, int] | None:
    """The stored width and height (before any EXIF rotation); None if the header is unknown or broken."""
    for magic, read in _READERS:
        if data.startswith(magic):
            try:
                size_wh = read(data)
            except (struct.error, IndexError):
                return None
            return size_wh if size_wh and min(size_wh) > 0 else None
    return None


def is_whole(data: bytes) -> bool:
    """False for a truncated JPEG or PNG, a JPEG with too many scans, a PNG with a wrong checksum in a critical chunk.

    A decoder silently fills the missing part of a JPEG with grey; libpng prints its own message.
    """
    if data[:2] == b"\xff\xd8":
        return _jpeg_is_whole(data)
    return data[:8] != _PNG or _png_is_whole(memoryview(data))


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether an end marker follows the first scan, without too many further scans."""
    for marker, at in _jpeg_segments(data):
        if marker == _JPEG_SCAN:  # 0xFF in the picture's own data is always stuffed
            return data.find(b"\xff\xd9", at) >= 0 and data.count(b"\xff\xda", at) < _MAX_SCANS
    return False


def _png_is_whole(data: memoryview) -> bool:
    """Checks chunks of length, name, data and CRC-32. A capital first letter of the name marks a critical chunk."""
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        name = bytes(data[at + 4 : at + 8])
        critical = name[:1].isupper()
        if end > len(data) or (
            critical and zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big") != data[end - 4 : end]
        ):
            return False
        if name == b"IEND":
            return True
        at = end
    return False


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    for marker, at in _jpeg_segments(data):
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, offset of its length field) of each segment up to the first scan, or up to invalid data."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker not in _JPEG_SEGMENTS:
            break
        yield marker, at + 2
        if marker == _JPEG_SCAN:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16] if data[8:12] == b"WEBP" else b""
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _bmp(data: bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == 12 else "<ii", data, 18)
    return width, abs(height)  # a negative height means top row first


def _tiff(data: bytes) -> tuple[int, int] | None:
    """The picture's size, or its tiles' if larger: each tile is decoded as a whole."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    sides: dict[int, int] = {}
    for entry in range(entries):
        tag, kind, count = struct.unpack_from(order + "HHI", data, at + 2 + 12 * entry)
        if tag in _TIFF_SIDES:
            if kind not in _TIFF_NUMBERS or count != 1:
                return None
            (side,) = struct.unpack_from(order + _TIFF_NUMBERS[kind], data, at + 2 + 12 * entry + 8)
            sides[tag] = max(side, sides.get(tag, 0))  # if one is given twice, the decoder may use either
    width, height, tile_width, tile_height = (sides.get(tag, 0) for tag in _TIFF_SIDES)
    return max((width, height), (tile_width, tile_height), key=math.prod) if width and height else None


# By the file's first bytes, like the decoder.
_READERS: tuple[tuple[bytes, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (_PNG, _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"RIFF", _webp),
    (b"BM", _bmp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
