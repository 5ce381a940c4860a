"""Pictures that lie: damaged anywhere, of kinds that hide their size, or bombs. A right picture or one clear line."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lies import damage, damages, encoded, front, large, one_line, quick, smooth

from bgcam.realtime.errors import SourceError
from bgcam.realtime.sources import MAX_PIXELS, images, open_source
from bgcam.realtime.sources._header import picture_size_wh
from bgcam.realtime.sources.images import read_picture


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_damaged_pictures(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    whole = encoded(suffix)
    seen = {"read": 0, "refused": 0}

    @quick
    @given(damages, front)
    def check(changes: list[tuple[float, bytes, str]], head: list[tuple[float, bytes, str]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            path.write_bytes(damage(whole, changes + head))
            try:
                bgr = read_picture(path)
            except SourceError as error:
                one_line(error, path.name)
                seen["refused"] += 1
            else:
                assert bgr.dtype == np.uint8
                assert bgr.ndim == 3
                assert 0 < bgr.size <= 3 * MAX_PIXELS
                seen["read"] += 1

    check()
    assert seen["refused"] > 10, seen
    said = capfd.readouterr().err
    assert "libpng error" not in said, said


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures_that_are_cut_off_are_refused(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    whole, path = encoded(suffix), tmp_path / f"a{suffix}"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SourceError, match="not a readable picture" if length else "the file is empty"):
            read_picture(path)
    path.write_bytes(whole + b"and more")
    assert read_picture(path).shape == (23, 37, 3)
    assert capfd.readouterr().err == ""


@quick
@given(st.binary(max_size=300), st.sampled_from([b"", *(encoded(suffix)[:40] for suffix in (".png", ".jpg", ".webp"))]))
def test_headers_of_anything(data: bytes, head: bytes) -> None:
    size_wh = picture_size_wh(head + data)
    assert size_wh is None or all(isinstance(side, int) for side in size_wh)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("grey.png", lambda path: cv2.imwrite(path, smooth((9, 7))[..., 0])),
        ("alpha.png", lambda path: cv2.imwrite(path, smooth((9, 7))[..., [0, 1, 2, 0]])),
        ("deep.png", lambda path: cv2.imwrite(path, smooth((9, 7)).astype(np.uint16) * 257)),
        ("deep.tiff", lambda path: cv2.imwrite(path, smooth((9, 7)).astype(np.uint16) * 257)),
        ("dot.png", lambda path: cv2.imwrite(path, smooth((1, 1)))),
        ("line.png", lambda path: cv2.imwrite(path, smooth((1, 3000)))),
    ],
)
def test_other_kinds_and_sizes_are_read(tmp_path: Path, name: str, write: Callable[[str], object]) -> None:
    write(str(tmp_path / name))
    bgr = read_picture(tmp_path / name)
    assert bgr.dtype == np.uint8
    assert bgr.shape[2] == 3


def test_what_is_no_ordinary_file_or_far_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=r"not a regular file; give a picture file"):
        read_picture(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(SourceError, match=r"pipe.png: not a regular file; give a picture file"):
            open_source(input=str(tmp_path / "pipe.png"))
    with (tmp_path / "hole.bmp").open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)
    with pytest.raises(SourceError, match=r"hole.bmp: 800 MB are too large for a picture"):
        read_picture(tmp_path / "hole.bmp")


def test_a_size_that_is_given_twice_is_the_larger(tmp_path: Path) -> None:
    (tmp_path / "a.tiff").write_bytes(tiff([(256, 4, 10), (257, 4, 10), (256, 4, 60_000), (257, 4, 60_000)]))
    with pytest.raises(SourceError, match="60000x60000 is over 100 megapixels"):
        read_picture(tmp_path / "a.tiff")


def tiff(sides: list[tuple[int, int, int]], behind_the_header: bytes = b"") -> bytes:
    """A black TIFF of one deflated strip and tile, whatever its `sides` (tag, type, value) are."""
    pixels = zlib.compress(bytes(256), 9)
    at = 8 + len(behind_the_header)
    tiled = any(tag > 300 for tag, _, _ in sides)
    place = [(324, 4, at), (325, 4, len(pixels))] if tiled else [(273, 4, at), (279, 4, len(pixels))]
    usual = [(258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1), *place]
    entries = sorted(sides + usual, key=lambda entry: entry[0])
    ifd = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, kind, 1, n) for tag, kind, n in entries)
    begin = b"II*\0" + struct.pack("<I", at + len(pixels))
    return begin + behind_the_header + pixels + ifd + bytes(4)


def behind_a_marker(marker: int) -> bytes:
    """A JPEG bomb behind a comment that holds another, small, JPEG's headers. Whoever takes `marker` for a segment of
    length 6 sees the small one.
    """
    small = encoded(".jpg")[2:]
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(small)) + small
    return b"\xff\xd8\xff" + bytes([marker]) + b"\0\x06" + comment + large(".jpg")[2:]


# Eight bytes: two numbers of type LONG8 at offset 8, of which the entries hold the offset alone.
_LONG8 = struct.pack("<QQ", 12_000, 12_000)
_WEBP = b"WEBPVP8X" + bytes(16)
BOMBS = {
    "rst.jpg": behind_a_marker(0xD0),
    "tem.jpg": behind_a_marker(0x01),
    "zero.jpg": behind_a_marker(0x00),
    "long8.tiff": tiff([(256, 16, 8), (257, 16, 16)], _LONG8),
    "count.tiff": tiff([(256, 4, 8), (257, 4, 16)], _LONG8).replace(b"\x01\x01\4\0\1", b"\x01\x01\4\0\2"),
    "tile.tiff": tiff([(256, 4, 16), (257, 4, 16), (322, 4, 16_000), (323, 4, 16_000)]),
    "called_webp.tiff": tiff([(256, 4, 12_000), (257, 4, 12_000)], _WEBP),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_that_hide_their_size_are_not_given_to_the_decoder(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    (tmp_path / name).write_bytes(BOMBS[name])
    with pytest.raises(SourceError, match=r"not a readable picture|over 100 megapixels") as caught:
        read_picture(tmp_path / name)
    one_line(caught.value, name)


def test_opencv_refuses_bombs_too(tmp_path: Path) -> None:
    """The second wall, of every kind of picture, in a process where bgcam comes first, as in the command."""
    kinds = {name: data for name, data in BOMBS.items() if name not in ("count.tiff", "tile.tiff")}
    kinds |= {f"plain{suffix}": large(suffix) for suffix in (".bmp", ".jpg", ".png", ".webp")}
    for name, data in kinds.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "small.png").write_bytes(encoded(".png"))
    code = """
import sys
from pathlib import Path
import bgcam.realtime
import cv2, numpy as np
for path in Path(sys.argv[1]).iterdir():
    try:
        found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        print(path.name, "nothing" if found is None else "read")
    except cv2.error as error:
        print(path.name, "refused" if "CV_IO_MAX_IMAGE_PIXELS" in str(error) else error)
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment, timeout=60
    )
    found = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert found == dict.fromkeys(kinds, "refused") | {"small.png": "read"}, run.stderr


def test_a_jpeg_of_endless_scans_is_refused(tmp_path: Path) -> None:
    ok, data = cv2.imencode(".jpg", smooth((64, 64)), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert ok
    whole = data.tobytes()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    (tmp_path / "a.jpg").write_bytes(whole)
    assert read_picture(tmp_path / "a.jpg").shape == (64, 64, 3)
    (tmp_path / "a.jpg").write_bytes(whole[:-2] + 100 * last + whole[-2:])
    with pytest.raises(SourceError, match="not a readable picture"):
        read_picture(tmp_path / "a.jpg")


def test_a_tiff_of_tiles_is_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff([(256, 3, 10), (257, 3, 9), (322, 3, 16), (323, 3, 16)]))
    assert read_picture(path).shape == (9, 10, 3)
    offset = struct.pack("<HHI", 324, 4, 1)
    path.write_bytes(path.read_bytes().replace(offset + struct.pack("<I", 8), offset + struct.pack("<I", 88_888)))
    with pytest.raises(SourceError, match="not a readable picture"):
        read_picture(path)
    assert capfd.readouterr().err == "", "OpenCV's own lines"
