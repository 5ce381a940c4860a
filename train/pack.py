"""`python -m bgcam.train pack`: prepared sets as a few tar files, small enough to carry to another machine.

`for part in pack/*.tar; do tar xf $part; done` there gives the same folders back, ready for `fit`.
"""

from __future__ import annotations

import io
import math
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.train.pairs import IMAGE_SUFFIXES, find_pairs, read_alpha, read_mask, read_rgb

# WebP qualities; a matte's edge is what is learnt, so it is kept best.
QUALITY = {"images": 78, "alphas": 90, "foregrounds": 70, "seen": 90}
MATTE_REACH_PX = 2
# A file takes a header and whole blocks; a tar file ends with zeros up to a record.
TAR_BLOCK_BYTES, TAR_END_BYTES = 512, 10240

File = tuple[str, bytes]


def _encode(picture: NDArray[np.uint8], quality: int) -> bytes:
    ok, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not ok:
        raise OSError(f"cannot encode a picture of shape {picture.shape}")
    return data.tobytes()


def _fit(picture: NDArray[np.uint8], max_side_px: int) -> NDArray[np.uint8]:
    scale = max_side_px / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size_wh = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def packed(folder: Path, max_side_px: int) -> Iterator[list[File]]:
    """The files of each photo of a prepared folder, or of each picture of a folder of pictures, reduced."""
    try:
        pairs, problems = find_pairs(folder)
    except FileNotFoundError:
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES):
            bgr = _fit(read_rgb(path), max_side_px)[..., ::-1]
            yield [(f"{folder.name}/{path.stem}.webp", _encode(bgr, QUALITY["images"]))]
        return
    for problem in problems:
        print(f"skipped: {problem}")
    for pair in pairs:
        alpha = _fit(read_alpha(pair), max_side_px)
        pictures = {"images": _fit(read_rgb(pair.image), max_side_px)[..., ::-1], "alphas": alpha}
        if pair.seen:
            pictures["seen"] = _fit(read_mask(pair.seen), max_side_px)
        if pair.foreground:
            # Only where the person is or nearly is: the rest is never seen, and flat grey costs nothing.
            near = cv2.dilate(alpha, np.ones((2 * MATTE_REACH_PX + 1,) * 2, np.uint8))[..., None] > 0
            colours = _fit(read_rgb(pair.foreground), max_side_px)[..., ::-1]
            pictures["foregrounds"] = np.where(near, colours, np.uint8(128))
        yield [
            (f"{folder.name}/{kind}/{pair.stem}.webp", _encode(np.ascontiguousarray(picture), QUALITY[kind]))
            for kind, picture in pictures.items()
        ]


def parts_of(folders: Sequence[Path], part_mb: float, max_side_px: int) -> Iterator[list[File]]:
    """All files in groups that fit a part; a photo's files stay together."""
    room_bytes = part_mb * 1e6 - TAR_END_BYTES
    part: list[File] = []
    used_bytes = 0
    for folder in folders:
        for files in packed(folder, max_side_px):
            size_bytes = sum(TAR_BLOCK_BYTES * (1 + math.ceil(len(data) / TAR_BLOCK_BYTES)) for _, data in files)
            if size_bytes > room_bytes:
                raise ValueError(f"{files[0][0]} needs {size_bytes / 1e6:.2f} MB, a part has {part_mb:g} MB")
            if used_bytes + size_bytes > room_bytes:
                yield part
                part, used_bytes = [], 0
            part += files
            used_bytes += size_bytes
    if part:
        yield part


def pack(folders: Sequence[Path], destination: Path, *, part_mb: float = 60.0, max_side_px: int = 384) -> list[Path]:
    """Write `part-00.tar` and so on, none above `part_mb` (10^6 bytes); a photo's files stay together.

    An earlier packing there is replaced when the new one is whole. Raises ValueError when two folders have the same
    name, a picture cannot be read, there is none, or a part is too small for a photo.
    """
    if len({folder.name for folder in folders}) < len(folders):
        raise ValueError("two folders have the same name; they would be merged")
    destination.mkdir(parents=True, exist_ok=True)
    # Beside the parts, so that they are moved and not copied.
    with TemporaryDirectory(dir=destination, prefix=".packing-") as new:
        for number, files in enumerate(parts_of(folders, part_mb, max_side_px)):
            with tarfile.open(Path(new) / f"part-{number:02}.tar", "w") as tar:
                for name, data in files:
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
        parts = sorted(Path(new).iterdir())
        if not parts:
            raise ValueError(f"no pictures in {', '.join(map(str, folders))}")
        for old in destination.glob("part-*.tar"):
            old.unlink()
        return [part.rename(destination / part.name) for part in parts]
