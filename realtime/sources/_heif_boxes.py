"""Detects HEIC and AVIF files, and reads how a tiled picture is assembled: FFmpeg returns only the tiles.

ISO/IEC 23008-12 (HEIF), in boxes of ISO/IEC 14496-12. Every number comes from the file: invalid ones raise
ValueError, IndexError or struct.error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Brands of still pictures; image sequences have others (avis, hevc, msf1).
_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif"})
_MAX_META_BYTES = 1 << 24


@dataclass(frozen=True)
class Grid:
    """A picture made of tiles.

    tiles: item numbers, row by row.
    turns: transformations of the whole picture, in this order: ("rotate", quarter turns counterclockwise) or
        ("mirror", 0: top to bottom, 1: left to right).
    """

    rows: int
    columns: int
    size_wh: tuple[int, int]
    tiles: tuple[int, ...]
    turns: tuple[tuple[str, int], ...]


def is_heif(path: Path) -> bool:
    """Whether the file begins as a HEIC or AVIF picture; also False if it cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return False
    return head[4:8] == b"ftyp" and head[8:] in _BRANDS


def read_grid(data: bytes) -> Grid | None:
    """The grid of the file's main picture; None if it is not a grid, or if there is no main picture."""
    meta = next((body for kind, body in _boxes(data) if kind == b"meta"), None)
    if meta is None or len(meta) > _MAX_META_BYTES:
        return None
    found = dict(_boxes(meta[4:]))
    main = _number(found[b"pitm"], 4, wide=found[b"pitm"][0] > 0)
    if _kinds(found[b"iinf"]).get(main) != b"grid":
        return None
    tiles = _derived_from(found[b"iref"], main)
    rows, columns, size_wh = _layout(_item_data(found, main, data))
    if len(tiles) != rows * columns or not all(size_wh):
        raise ValueError(f"{rows}x{columns} tiles declared, {len(tiles)} found")
    return Grid(rows, columns, size_wh, tiles, tuple(_turns(found[b"iprp"], main)))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each box in a row."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        size = size or len(data) - at
        if size < head:
            raise ValueError("a box without a size")
        yield kind, data[at + head : at + size]
        at += size


def _number(data: bytes, at: int, *, wide: bool) -> int:
    return int(struct.unpack_from(">I" if wide else ">H", data, at)[0])


def _kinds(iinf: bytes) -> dict[int, bytes]:
    """Item number to kind."""
    kinds = {}
    for kind, body in _boxes(iinf[8 if iinf[0] else 6 :]):
        if kind == b"infe" and body[0] in (2, 3):
            wide = body[0] == 3
            begin = 4 + (4 if wide else 2) + 2
            kinds[_number(body, 4, wide=wide)] = body[begin : begin + 4]
    return kinds


def _derived_from(iref: bytes, item: int) -> tuple[int, ...]:
    """The items that this one consists of, in order."""
    wide = iref[0] > 0
    size = 4 if wide else 2
    for kind, body in _boxes(iref[4:]):
        if kind == b"dimg" and _number(body, 0, wide=wide) == item:
            count = _number(body, size, wide=False)
            return tuple(_number(body, size + 2 + size * at, wide=wide) for at in range(count))
    return ()


def _item_data(found: dict[bytes, bytes], item: int, data: bytes) -> bytes:
    """An item's own bytes, from the file or from the box `idat`."""
    iloc = found[b"iloc"]
    version, sizes = iloc[0], int.from_bytes(iloc[4:6], "big")
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    at = 6

    def take(size: int) -> int:
        nonlocal at
        at += size
        if at > len(iloc):
            raise ValueError("the table of items is truncated")
        return int.from_bytes(iloc[at - size : at], "big")

    for _ in range(take(4 if version == 2 else 2)):
        number = take(4 if version == 2 else 2)
        method = take(2) & 15 if version else 0
        take(2)
        base, parts = take(base_size), []
        for _ in range(take(2)):
            take(index_size if version else 0)
            offset, length = take(offset_size), take(length_size)
            parts.append((base + offset, length))
        if number == item:
            store = found.get(b"idat", b"") if method == 1 else data
            return b"".join(store[begin : begin + length if length else None] for begin, length in parts)
    raise ValueError("the table of items lacks the main one")


def _layout(grid: bytes) -> tuple[int, int, tuple[int, int]]:
    _, flags, rows, columns = grid[:4]
    width, height = struct.unpack_from(">II" if flags & 1 else ">HH", grid, 4)
    return rows + 1, columns + 1, (width, height)


def _turns(iprp: bytes, item: int) -> Iterator[tuple[str, int]]:
    boxes = dict(_boxes(iprp))
    properties = list(_boxes(boxes[b"ipco"]))
    for index in _properties_of(boxes[b"ipma"], item):
        kind, body = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"irot":
            yield "rotate", body[0] & 3
        elif kind == b"imir":
            yield "mirror", body[0] & 1


def _properties_of(ipma: bytes, item: int) -> list[int]:
    """Which properties an item has, numbered from 1."""
    wide, long = ipma[0] > 0, bool(ipma[3] & 1)
    at = 8
    for _ in range(_number(ipma, 4, wide=True)):
        number = _number(ipma, at, wide=wide)
        at += 4 if wide else 2
        count, at = ipma[at], at + 1
        size = 2 if long else 1
        if number == item:
            mask = 0x7FFF if long else 0x7F  # the highest bit only marks the property as essential
            return [int.from_bytes(ipma[at + size * k : at + size * k + size], "big") & mask for k in range(count)]
        at += size * count
    return []
