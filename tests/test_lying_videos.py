"""Videos that lie: damaged anywhere, growing, without an end, or with a clock that leaps. Frames or one clear line."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import write_clip
from hypothesis import given, settings
from lies import damage, damages, encoded, frames_of, front, large, one_line, quick, smooth

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.errors import BackgroundError, SourceError
from bgcam.realtime.sources import open_source
from bgcam.realtime.sources.video import VideoSource


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
    with pytest.raises(SourceError, match=r"a\.mp4: FFmpeg does not know its codec; get a complete copy"):
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
    said = "PNG pictures are not supported as a video" if suffix == ".png" else "over 100 megapixels"
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
    with pytest.raises(SourceError, match=r"a\.gif: PNG pictures are not supported as a video; name one \.png"):
        VideoSource(str(path))
    assert widths == [0], "its first picture was decoded to learn about it"


PIPE = r"\S*pipe\.mp4: not a regular file; give a video file"


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
    assert all(frame is not None and frame.room_bgr.min() == 255 for frame in frames)
    with pytest.raises(SourceError, match=r"a\.mkv: the video ends early after 8 frames") as caught:
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
