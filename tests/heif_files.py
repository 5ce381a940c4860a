"""HEIF pictures for tests, in tiles as phones write them: a grid in one HEVC or AV1 picture a tile."""

from __future__ import annotations

import struct
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

# What a player needs to know of each codec: the encoder, its options, the box of its setup, the kind of an item.
_HEVC = ("libx265", {"x265-params": "log-level=none:keyint=1:crf=10"}, b"hvcC", b"hvc1", b"heic")
_AV1 = ("libsvtav1", {"crf": "15", "preset": "12", "svtav1-params": "avif=1"}, b"av1C", b"av01", b"avif")
CODECS = {"hevc": _HEVC, "av1": _AV1}


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def tile_data(bgr: NDArray[np.uint8], codec: str) -> tuple[bytes, bytes]:
    """(setup, picture) of one tile, taken from an MP4."""
    import io

    encoder, options, setup, _, _ = CODECS[codec]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream(encoder, rate=1, options=options)
        stream.height, stream.width = bgr.shape[:2]
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        container.mux(stream.encode(None))
    data = file.getvalue()
    at = data.index(setup) - 4
    config = data[at : at + int.from_bytes(data[at : at + 4], "big")]
    with av.open(io.BytesIO(data)) as container:
        packet = next(packet for packet in container.demux(video=0) if packet.size)
        return config, bytes(packet)


def untiled(bgr: NDArray[np.uint8], *, turns: tuple[bytes, ...] = ()) -> bytes:
    """A HEIC file of one picture, as many phones write it too."""
    config, data = tile_data(bgr, "hevc")
    ispe = full(b"ispe", struct.pack(">II", bgr.shape[1], bgr.shape[0]))
    own = bytes(range(1, 3 + len(turns)))

    def meta(offset: int) -> bytes:
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iinf", struct.pack(">H", 1), full(b"infe", struct.pack(">HH4sx", 1, 0, b"hvc1"), version=2)),
            box(
                b"iprp",
                box(b"ipco", ispe, config, *turns),
                full(b"ipma", struct.pack(">IHB", 1, 1, len(own)) + own),
            ),
            full(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(data)), version=0),
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", data)


def heif(
    bgr: NDArray[np.uint8],
    *,
    tile: int,
    codec: str = "hevc",
    turns: tuple[bytes, ...] = (),
    announced_wh: tuple[int, int] | None = None,
) -> bytes:
    """The picture in tiles of `tile` pixels square, filled up at the right and below. turns: property boxes."""
    height, width = bgr.shape[:2]
    rows, columns = -(-height // tile), -(-width // tile)
    padded = np.zeros((rows * tile, columns * tile, 3), np.uint8)
    padded[:height, :width] = bgr
    tiles = [
        tile_data(np.ascontiguousarray(padded[r * tile :, c * tile :][:tile, :tile]), codec)
        for r in range(rows)
        for c in range(columns)
    ]
    _, _, _, item_kind, brand = CODECS[codec]
    width, height = announced_wh or (width, height)
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    items = [b"grid", *[item_kind] * len(tiles)]
    infe = b"".join(
        full(b"infe", struct.pack(">HH4sx", at + 1, 0, kind), version=2, flags=int(at > 0))
        for at, kind in enumerate(items)
    )
    ispe = [full(b"ispe", struct.pack(">II", *size)) for size in ((width, height), (tile, tile))]
    # Properties: 1 and 2 the sizes, 3 the codec's setup, then the turns.
    ipco = box(b"ipco", *ispe, tiles[0][0], *turns)
    of_grid = [1, *range(4, 4 + len(turns))]
    of_items = [struct.pack(">HB", 1, len(of_grid)) + bytes(of_grid)]
    of_items += [struct.pack(">HB", 2 + at, 2) + bytes((2, 0x80 | 3)) for at in range(len(tiles))]
    ipma = full(b"ipma", struct.pack(">I", len(items)), *of_items)
    dimg = box(b"dimg", struct.pack(">HH", 1, len(tiles)), *[struct.pack(">H", 2 + at) for at in range(len(tiles))])
    sizes = [len(grid), *[len(data) for _, data in tiles]]

    def meta(offsets: list[int]) -> bytes:
        iloc = struct.pack(">BBH", 0x44, 0, len(items))
        for at, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
            iloc += struct.pack(">HHHHII", at + 1, 1 if at == 0 else 0, 0, 1, offset, size)
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iinf", struct.pack(">H", len(items)), infe),
            full(b"iref", dimg),
            box(b"iprp", ipco, ipma),
            box(b"idat", grid),
            full(b"iloc", iloc, version=1),
        )

    head = box(b"ftyp", brand, bytes(4), b"mif1" + brand)
    begin = len(head) + len(meta([0] * len(items))) + 8
    offsets = [0, *(begin + sum(sizes[1 : 1 + at]) for at in range(len(tiles)))]
    return head + meta(offsets) + box(b"mdat", *[data for _, data in tiles])
