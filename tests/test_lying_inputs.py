"""Files that lie: damaged anywhere, of odd sizes, or bombs. Either a right picture or one clear line, and no hang."""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import write_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_model import SPEC, write_tiny_model

from bgcam.realtime import cli
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.errors import BackgroundError, BgcamError, ModelError, SourceError
from bgcam.realtime.matting import Matting
from bgcam.realtime.options import build_parser
from bgcam.realtime.sources import MAX_PIXELS, images, open_source
from bgcam.realtime.sources._header import picture_size_wh
from bgcam.realtime.sources.images import read_picture
from bgcam.realtime.sources.video import VideoSource
from bgcam.realtime.spec import MAX_SIDE, ModelSpec, read_spec

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


# ---- pictures


def encoded(suffix: str) -> bytes:
    ok, data = cv2.imencode(suffix, smooth((37, 23)), [cv2.IMWRITE_WEBP_QUALITY, 90] if suffix == ".webp" else [])
    assert ok
    return data.tobytes()


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
    with pytest.raises(SourceError, match=r"no ordinary file; give a picture file"):
        read_picture(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(SourceError, match=r"pipe.png: no ordinary file; give a picture file"):
            open_source(input=str(tmp_path / "pipe.png"))
    with (tmp_path / "hole.bmp").open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)
    with pytest.raises(SourceError, match=r"hole.bmp: 800 MB are too much for a picture"):
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


# ---- videos


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


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_damaged_videos(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    if suffix == ".gif":
        with av.open(str(tmp_path / "whole.gif"), "w") as container:
            stream = container.add_stream("gif", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 24, "rgb8"
            for number in range(8):
                frame = av.VideoFrame.from_ndarray(smooth((32, 24)) + np.uint8(number), format="bgr24")
                container.mux(stream.encode(frame.reformat(format="rgb8")))
            container.mux(stream.encode(None))
        whole = (tmp_path / "whole.gif").read_bytes()
    else:
        whole = write_clip(tmp_path / f"whole{suffix}", frames=8, size_wh=(32, 24)).read_bytes()
    assert frames_of(tmp_path / f"whole{suffix}") == 8
    seen = {"read": 0, "refused": 0}

    @settings(quick, max_examples=40)
    @given(damages, front)
    def check(changes: list[tuple[float, bytes, str]], head: list[tuple[float, bytes, str]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            path.write_bytes(damage(whole, changes + head))
            try:
                seen["read"] += frames_of(path) > 0
            except SourceError as error:
                one_line(error, path.name)
                seen["refused"] += 1

    check()
    capfd.readouterr()  # FFmpeg's own lines
    assert seen["refused"] > 5, seen


def test_a_video_of_an_unknown_codec(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=8, size_wh=(32, 24))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(SourceError, match=r"a\.mp4: its kind of picture is unknown to FFmpeg; get a whole copy"):
        frames_of(path)


def test_a_video_that_changes_its_format_on_the_way(tmp_path: Path) -> None:
    """Sizes, and colours to grey: FFmpeg's own stream of pictures takes them as they come."""
    kinds = [("bgr24", (64, 48)), ("bgr24", (31, 17)), ("gray", (64, 48)), ("bgr24", (1, 1)), ("bgr24", (64, 48))]
    data = b""
    for kind, size_wh in kinds:
        bgr = smooth(size_wh)
        ok, picture = cv2.imencode(".bmp", bgr[..., 0] if kind == "gray" else bgr)
        assert ok
        data += picture.tobytes()
    path = tmp_path / "pictures.mp4"
    path.write_bytes(data)
    assert frames_of(path) == len(kinds)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_bomb_that_calls_itself_a_video_is_not_decoded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "bomb.mp4"
    path.write_bytes(large(suffix))
    said = "PNG pictures are no video here" if suffix == ".png" else "over 100 megapixels"
    with pytest.raises(SourceError, match=said) as caught:
        VideoSource(str(path))
    one_line(caught.value, "bomb.mp4")


def test_a_bomb_in_a_pictures_text_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg's limit of pixels does not hold for it, and it decodes a first picture while it opens a file."""
    text = b"zTXtcomment\0\0" + zlib.compress(bytes([65]) * 1_000_000)
    whole = encoded(".png")
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    path = tmp_path / "a.gif"
    path.write_bytes(whole[:33] + chunk + whole[33:])
    widths, really_open = [], av.open

    def spy(*arguments: Any, **options: Any) -> Any:
        container = really_open(*arguments, **options)
        widths.append(container.streams.video[0].width)
        return container

    monkeypatch.setattr(av, "open", spy)
    with pytest.raises(SourceError, match=r"a\.gif: PNG pictures are no video here; name one \.png"):
        VideoSource(str(path))
    assert widths == [0], "its first picture was decoded to learn about it"


PIPE = r"\S*pipe\.mp4: no ordinary file; give a video file"


@contextlib.contextmanager
def pipe(path: Path) -> Iterator[None]:
    """A pipe with a name that ends after a while, so that who reads it fails the test and does not hang it."""
    os.mkfifo(path)
    ending = threading.Timer(5, lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)))
    ending.start()
    yield
    ending.cancel()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_video_that_never_ends_is_not_opened(tmp_path: Path, prefix: str) -> None:
    with (
        pipe(tmp_path / "pipe.mp4"),
        pytest.raises(SourceError, match=PIPE),
    ):
        open_source(input=f"{prefix}{tmp_path / 'pipe.mp4'}")
    (tmp_path / "empty.mp4").touch()  # as /proc/kmsg, which gives what will come
    with pytest.raises(SourceError, match=r"^\S*empty\.mp4: the file is empty; give a video file"):
        open_source(input=f"{prefix}{tmp_path / 'empty.mp4'}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_background_that_never_ends_is_not_opened(tmp_path: Path) -> None:
    with (
        pipe(tmp_path / "pipe.mp4"),
        pytest.raises(BackgroundError, match=f"background {PIPE}"),
    ):
        open_background(str(tmp_path / "pipe.mp4"))


def white(size_wh: tuple[int, int]) -> bytes:
    """A whole JPEG: FFmpeg decodes no picture of which most is missing, whatever its size."""
    ok, data = cv2.imencode(".jpg", np.full(size_wh[::-1], 255, np.uint8))
    assert ok
    return data.tobytes()


def write_packets(path: Path, pictures: list[bytes], clock: list[int]) -> Path:
    """A video of these JPEGs at these seconds, for a reader that expects 25 pictures of 37x23 a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 37, 23, "yuvj420p"
        for data, second in zip(pictures, clock, strict=True):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = 25 * second
            container.mux(packet)
    return path


def test_a_video_that_grows_on_the_way_breaks_off(tmp_path: Path) -> None:
    small, huge = white((37, 23)), white((10_001, 10_001))
    path = write_packets(tmp_path / "a.mkv", 8 * [small] + 2 * [huge], list(range(10)))
    source = VideoSource(str(path))
    frames = [source.read() for _ in range(8)]
    assert all(frame is not None and frame.bgr.min() == 255 for frame in frames)
    with pytest.raises(SourceError, match=r"a\.mkv: the video breaks off after 8 frames") as caught:
        source.read()
    source.close()
    one_line(caught.value, "a.mkv")


def test_a_clock_that_leaps_goes_on_by_a_frame(tmp_path: Path) -> None:
    year_s = 365 * 86_400
    clock = [0, 1, 2, 32, year_s, year_s + 1, 2 * year_s]
    source = VideoSource(str(write_packets(tmp_path / "a.mkv", len(clock) * [white((37, 23))], clock)))
    step_s = 1 / source.fps
    times = []
    while (frame := source.read()) is not None:
        times.append(frame.time_s)
    np.testing.assert_allclose(times, [0, 1, 2, 32, 32 + step_s, 33 + step_s, 33 + 2 * step_s], atol=0.01)


@pytest.mark.parametrize("size_wh", [(2, 2), (18, 2), (2, 96), (66, 34)])
def test_odd_sizes_go_through_the_whole_command(tmp_path: Path, tiny_model: Path, size_wh: tuple[int, int]) -> None:
    write_clip(tmp_path / "a.mp4", frames=3, size_wh=size_wh)
    out = tmp_path / "out.mkv"
    code = cli.main(
        ["--model", str(tiny_model), "--threads", "1", "--input", str(tmp_path / "a.mp4"), "--output", str(out)]
    )
    assert code == 0
    assert frames_of(out) == 3


def test_a_folder_of_all_sizes_goes_through_the_whole_command(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = [(1, 1), (3, 200), (200, 3), (65, 49), (1, 480), (1999, 1001)]
    (tmp_path / "in").mkdir()
    for number, size_wh in enumerate(sizes):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), smooth(size_wh))
    for background in ("blur", "beach"):
        out = tmp_path / background
        arguments = ["--background", background, "--input", str(tmp_path / "in"), "--output", f"{out}/"]
        code = cli.main(["--model", str(tiny_model), "--threads", "1", *arguments])
        assert (code, capsys.readouterr().err) == (0, "")
        assert [read_picture(path).shape[1::-1] for path in sorted(out.iterdir())] == sizes


def test_8k_goes_through_the_whole_command(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4320, 7680, 3), 90, np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    arguments = ["--background", "green", "--input", str(tmp_path / "a.png"), "--output", "null"]
    code = cli.main(["--model", str(tiny_model), "--threads", "1", *arguments])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "7680x4320" in out


# ---- models


def test_damaged_models(tmp_path: Path, tiny_model: Path) -> None:
    whole = tiny_model.read_bytes()
    seen = {"read": 0, "refused": 0}

    @settings(quick, max_examples=200)
    @given(damages)
    def check(changes: list[tuple[float, bytes, str]]) -> None:
        path = tmp_path / "a.onnx"
        path.write_bytes(damage(whole, changes))
        try:
            assert isinstance(read_spec(path), ModelSpec)
            seen["read"] += 1
        except ModelError as error:
            one_line(error, "a.onnx")
            seen["refused"] += 1

    check()
    assert min(seen.values()) > 10, seen


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_backend_refuses_what_is_damaged_behind_the_spec(tmp_path: Path, tiny_model: Path, backend: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed on this machine")
    whole = tiny_model.read_bytes()
    seen = {"ran": 0, "refused": 0}

    @settings(quick, max_examples=25)
    @given(damages)
    def check(changes: list[tuple[float, bytes, str]]) -> None:
        path = tmp_path / "a.onnx"
        path.write_bytes(damage(whole, [(share, new, how) for share, new, how in changes if how != "cut"]))
        try:
            Matting(path, backend=backend, threads=1).prepare((320, 240))
            seen["ran"] += 1
        except BgcamError as error:
            one_line(error, "")
            seen["refused"] += 1

    check()
    assert seen["refused"] > 5, seen


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(quick, max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(json.loads(SPEC.to_json()))), json_values, max_size=3))
def test_a_spec_of_anything_is_a_spec_or_refused(changes: dict[str, object]) -> None:
    try:
        spec = ModelSpec.from_json(json.dumps(json.loads(SPEC.to_json()) | changes))
    except (ValueError, TypeError, KeyError):
        return
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert all(np.isfinite(spec.mean + spec.std))
    assert max(max(size) for size in spec.sizes_wh) <= MAX_SIDE


@pytest.mark.parametrize("text", ["[" * 100_000, "1", '"a"', "null", "{}", "[]", '{"sizes_wh": [[1e999, 16]]}'])
def test_a_spec_that_is_none(tmp_path: Path, text: str) -> None:
    class Wrong(ModelSpec):
        def to_json(self) -> str:
            return text

    path = write_tiny_model(tmp_path / "a.onnx", spec=Wrong("a", "b", "c"))
    with pytest.raises(ModelError, match=r"a\.onnx: its spec is damaged"):
        read_spec(path)


def test_models_are_data_only() -> None:
    """No part that runs in a call unpickles or runs what a file holds."""
    root = Path(__file__).parents[1] / "realtime"
    for path in root.rglob("*.py"):
        found = re.search(r"pickle|torch\.load\(|marshal|(?<![.\w])(eval|exec)\(", path.read_text())
        assert found is None, f"{path.name}: {found}"


# ---- options

OPTIONS = [
    "--size",
    "--fps",
    "--watchdog-ms",
    "--edge",
    "--light-wrap",
    "--light-match",
    "--frame",
    "--view",
    "--threads",
]


@settings(quick, max_examples=200)
@given(st.sampled_from(OPTIONS), st.text(max_size=12) | st.text("0123456789.:xe-+naif", max_size=12))
def test_an_options_value_is_taken_or_refused(option: str, value: str) -> None:
    with contextlib.suppress(SystemExit):
        assert build_parser().parse_args([f"{option}={value}"])
