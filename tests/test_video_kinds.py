"""Videos of every kind that people have: which stream is shown, in what shape, and when."""

from __future__ import annotations

import math
import os
import shutil
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from clips import write_clip
from command import Run
from numpy.typing import NDArray

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources import open_source


def frames_of(path: Path | str, **options: Any) -> list[CameraFrame]:
    source = open_source(input=str(path), **options)
    try:
        return list(iter(source.read, None))
    finally:
        source.close()


def flat(level: int, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    return np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def disc(size_wh: tuple[int, int], *, stretched: float = 1.0) -> NDArray[np.uint8]:
    """A white disc in the middle of black; stretched: its width by its height."""
    bgr = flat(0, size_wh)
    radius = min(size_wh) / 3
    axes = (round(radius * min(1.0, stretched)), round(radius / max(1.0, stretched)))
    cv2.ellipse(bgr, (size_wh[0] // 2, size_wh[1] // 2), axes, 0, 0, 360, (255, 255, 255), -1)
    return bgr


def roundness(bgr: NDArray[np.uint8]) -> float:
    """Width by height of what is white."""
    rows, columns = np.nonzero(bgr[..., 1] > 127)
    return float((np.ptp(columns) + 1) / (np.ptp(rows) + 1))


def encode(container: Any, stream: Any, pictures: list[NDArray[np.uint8]], times: list[int] | None = None) -> None:
    for number, bgr in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(bgr, format="bgr24").reformat(format=stream.pix_fmt)
        frame.pts = times[number] if times else number
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write(
    path: Path, pictures: list[NDArray[np.uint8]], *, codec: str = "libx264", rate: Any = 25, **options: str
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=rate, options={"crf": "5", **options} if codec == "libx264" else options
        )
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        encode(container, stream, pictures)
    return path


# ---- which stream


def write_streams(path: Path, streams: list[tuple[str, tuple[int, int], Disposition, int]]) -> Path:
    """(codec, size, disposition, frames) of each; each shows its own level of grey: 50, 100 and so on."""
    with av.open(str(path), "w") as container:
        added = []
        for codec, size_wh, disposition, _ in streams:
            stream: Any = container.add_stream(codec, rate=25)
            stream.width, stream.height = size_wh
            stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(codec, "yuv420p")
            stream.disposition = disposition
            added.append(stream)
        for at, (stream, (_, size_wh, _, count)) in enumerate(zip(added, streams, strict=True)):
            encode(container, stream, [flat(50 + 50 * at, size_wh)] * count)
    if path.suffix == ".mp4":
        put_cover_first(path)
    return path


def put_cover_first(path: Path) -> None:
    """Move the metadata, which holds the cover, before the tracks, as downloaders write it."""
    data = path.read_bytes()
    begin = data.index(b"moov") + 4
    end = begin - 8 + int.from_bytes(data[begin - 8 : begin - 4], "big")
    boxes, at = [], begin
    while at < end:
        size = int.from_bytes(data[at : at + 4], "big")
        boxes.append(data[at : at + size])
        at += size
    boxes.sort(key=lambda box: (b"mvhd", b"udta").index(box[4:8]) if box[4:8] in (b"mvhd", b"udta") else 2)
    path.write_bytes(data[:begin] + b"".join(boxes) + data[end:])


NONE, DEFAULT, COVER = Disposition(0), Disposition.default, Disposition.attached_pic
SMALL, LARGE = (64, 48), (96, 64)


@pytest.mark.parametrize(
    ("name", "streams", "shown"),
    [
        ("cover.mp4", [("mjpeg", (200, 200), COVER, 1), ("libx264", SMALL, DEFAULT, 4)], 100),
        ("png_cover.mp4", [("png", (200, 200), COVER, 1), ("libx264", SMALL, DEFAULT, 4)], 100),
        ("unmarked.mp4", [("mjpeg", (200, 200), NONE, 1), ("libx264", SMALL, NONE, 4)], 100),
        ("unmarked.mkv", [("mjpeg", (200, 200), DEFAULT, 1), ("libx264", SMALL, DEFAULT, 4)], 100),
        ("default.mkv", [("libx264", LARGE, NONE, 4), ("libx264", SMALL, DEFAULT, 4)], 100),
        ("largest.mkv", [("libx264", SMALL, DEFAULT, 4), ("libx264", LARGE, DEFAULT, 4)], 100),
        ("first.mkv", [("libx264", SMALL, DEFAULT, 4), ("libx264", SMALL, DEFAULT, 4)], 50),
    ],
)
def test_the_video_is_shown_and_no_cover_or_side_stream(tmp_path: Path, name: str, streams: Any, shown: int) -> None:
    frames = frames_of(write_streams(tmp_path / name, streams))
    assert len(frames) == 4
    assert all(abs(float(frame.room_bgr.mean()) - shown) < 6 for frame in frames)


def test_a_sound_file_with_a_cover_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        cover: Any = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 64, "yuvj420p", COVER
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.float32), format="fltp", layout="mono")
        samples.rate = 8000
        container.mux(sound.encode(samples))
        container.mux(sound.encode(None))
        encode(container, cover, [flat(90, (64, 64))])
    with pytest.raises(SourceError, match=r"song\.mp4: has no picture, only sound or data; give a video$"):
        frames_of(path)


# ---- in what shape


@pytest.mark.parametrize(("aspect", "shown_wh"), [((64, 45), (102, 64)), ((1, 2), (72, 128)), ((1, 1), (72, 64))])
def test_pixels_that_are_not_square_are_made_so(
    tmp_path: Path, aspect: tuple[int, int], shown_wh: tuple[int, int]
) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 72, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        encode(container, stream, [disc((72, 64), stretched=aspect[1] / aspect[0])] * 3)
    frames = frames_of(path)
    assert {frame.size_wh for frame in frames} == {shown_wh}
    assert roundness(frames[0].room_bgr) == pytest.approx(1, abs=0.08)


MATRICES = {
    "flat": ((1, 0, 0, 1), lambda bgr: bgr),
    "clockwise": ((0, 1, -1, 0), lambda bgr: np.rot90(bgr, -1)),
    "counterclockwise": ((0, -1, 1, 0), lambda bgr: np.rot90(bgr)),
    "half": ((-1, 0, 0, -1), lambda bgr: np.rot90(bgr, 2)),
    "mirror": ((-1, 0, 0, 1), lambda bgr: bgr[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda bgr: bgr[::-1]),
    "transposed": ((0, 1, 1, 0), lambda bgr: bgr.transpose(1, 0, 2)),
    "transposed, half": ((0, -1, -1, 0), lambda bgr: np.rot90(bgr.transpose(1, 0, 2), 2)),
}


def set_matrix(path: Path, matrix: tuple[float, ...]) -> Path:
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (round(value * 65536) for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", MATRICES)
def test_the_display_matrix_is_followed(tmp_path: Path, name: str) -> None:
    matrix, shown = MATRICES[name]
    bgr = flat(0, (64, 48))
    bgr[:24, :16], bgr[:24, 16:32] = 255, 120  # no turn or mirror leaves it as it is
    (frame, *_) = frames_of(set_matrix(write(tmp_path / "a.mp4", [bgr] * 2), matrix))
    expected = np.asarray(shown(bgr))
    assert frame.room_bgr.shape == expected.shape
    assert np.abs(frame.room_bgr.astype(int) - expected).mean() < 6


def test_an_odd_angle_leaves_black_corners(tmp_path: Path) -> None:
    turn = math.radians(30)
    matrix = (math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn))
    (frame, *_) = frames_of(set_matrix(write(tmp_path / "a.mp4", [flat(200, (64, 48))] * 2), matrix))
    assert frame.size_wh == (64, 48)
    assert frame.room_bgr[0, 0].max() < 10
    assert frame.room_bgr[24, 32].min() > 190


def test_another_size_on_the_way_is_fitted_with_bars(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(
        b"".join(
            write(tmp_path / f"{number}.ts", [disc(size_wh)] * 5, codec="mpeg2video").read_bytes()
            for number, size_wh in enumerate([(96, 64), (64, 96), (48, 48)])
        )
    )
    frames = frames_of(path)
    assert {frame.size_wh for frame in frames} == {(96, 64)}
    assert len(frames) > 9
    for frame in frames:
        assert roundness(frame.room_bgr) == pytest.approx(1, abs=0.08)
    assert frames[-1].room_bgr[:, 0].max() < 16, "no bar at the side"


@pytest.mark.parametrize(
    ("fit", "size_wh"), [("cover", (40, 64)), ("contain", (40, 64)), ("cover", (96, 20)), ("contain", (96, 20))]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.png"])
def test_an_asked_size_squeezes_nobody(tmp_path: Path, name: str, fit: str, size_wh: tuple[int, int]) -> None:
    path = tmp_path / name
    assert cv2.imwrite(str(path), disc((96, 64))) if name == "a.png" else write(path, [disc((96, 64))] * 2)
    scale = (max if fit == "cover" else min)(size_wh[0] / 96, size_wh[1] / 64)
    for frame in frames_of(path, size_wh=size_wh, fit=fit):
        assert frame.size_wh == size_wh
        white = frame.room_bgr[..., 1] > 127
        across, down = white[size_wh[1] // 2].sum(), white[:, size_wh[0] // 2].sum()
        assert across == pytest.approx(min(size_wh[0], 128 / 3 * scale), abs=2)
        assert down == pytest.approx(min(size_wh[1], 128 / 3 * scale), abs=2)


def test_fit_is_an_option_of_the_command_and_needs_a_size(in_tmp: Path, bgcam: Run) -> None:
    cv2.imwrite("tall.png", flat(200, (40, 80)))
    arguments = ("--input", "tall.png", "--background", "none", "--size", "80x80")
    for fit, level in (((), 200), (("--fit", "cover"), 200), (("--fit", "contain"), 0)):
        assert bgcam(*arguments, *fit, "--output", "out.png", "--overwrite")[0] == 0
        assert cv2.imread("out.png")[40, 2, 0] == level
    for missing in (("--input", "tall.png"), ("--size", "80x80")):
        code, _, err = bgcam(*missing, "--fit", "cover", "--output", "null")
        assert (code, err) == (
            2,
            "bgcam: --fit cover fits an --input to a --size; give both, or leave it out\n",
        )


def combed(number: int) -> NDArray[np.uint8]:
    """A bar that moves by 8 pixels between the two fields of a frame."""
    fields = []
    for field in range(2):
        bgr = flat(20, (96, 64))
        left = 8 + 8 * (2 * number + field)
        bgr[:, left : left + 16] = 230
        fields.append(bgr)
    fields[0][1::2] = fields[1][1::2]
    return fields[0]


def combs(bgr: NDArray[np.uint8]) -> float:
    """How much neighbouring lines differ."""
    return float(np.abs(np.diff(bgr.astype(int), axis=0)).mean())


def test_an_interlaced_video_has_no_combs(tmp_path: Path) -> None:
    pictures = [combed(number) for number in range(4)]
    path = write(tmp_path / "a.mp4", pictures, **{"x264-params": "tff=1:bframes=0", "flags": "+ildct+ilme"})
    frames = frames_of(path)
    assert len(frames) == 4
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(4) / 25, atol=1e-6)
    assert max(combs(frame.room_bgr) for frame in frames) < combs(pictures[0]) / 4


def test_a_progressive_video_is_left_as_it_is(tmp_path: Path) -> None:
    lines = flat(20, (96, 64))
    lines[::2] = 230
    (frame, *_) = frames_of(write(tmp_path / "a.mp4", [lines] * 3))
    assert combs(frame.room_bgr) > 190


# ---- when


@pytest.mark.parametrize("ticks", [[0, 43, 77, 121, 158, 203, 240], [0, 33, 67, 133, 167, 400, 600, 1000, 1010, 1100]])
def test_every_frame_keeps_its_time_in_a_written_video(in_tmp: Path, bgcam: Run, ticks: list[int]) -> None:
    with av.open("holes.mp4", "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        encode(container, stream, [flat(9 * number, (64, 48)) for number in range(len(ticks))], ticks)
    for name in ("out.mp4", "out.mkv"):
        assert bgcam("--input", "holes.mp4", "--background", "none", "--output", name)[0] == 0
        with av.open(name) as container:
            times = [frame.time for frame in container.decode(video=0)]
        np.testing.assert_allclose(np.subtract(times, times[0]), np.array(ticks) / 1000, atol=0.001)


def test_a_very_slow_video_keeps_its_times(in_tmp: Path, bgcam: Run) -> None:
    seconds = [0, 400, 4000, 4001]
    with av.open("slow.mkv", "w") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(1, 2000))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1)
        encode(container, stream, [flat(50 * number, (64, 48)) for number in range(4)], seconds)
    assert [frame.time_s for frame in frames_of("slow.mkv")] == seconds
    assert bgcam("--input", "slow.mkv", "--background", "none", "--output", "out.mp4")[:3:2] == (0, "")
    np.testing.assert_allclose([frame.time_s for frame in frames_of("out.mp4")], seconds, atol=0.001)


# ---- names


@pytest.mark.parametrize("name", ["12:30 call.mp4", "http:a.mp4", "concat:a.mp4"])
def test_a_colon_in_a_relative_name(in_tmp: Path, bgcam: Run, name: str) -> None:
    shutil.move("clip.mp4", name)
    assert len(frames_of(name)) == 8
    assert bgcam("--input", name, "--background", "none", "--output", "out.mp4")[:3:2] == (0, "")
    assert bgcam("--input", "photo.png", "--background", name, "--output", "out.png")[:3:2] == (0, "")


def test_a_file_that_is_read_by_its_address_is_not_written_over(in_tmp: Path, bgcam: Run) -> None:
    clip = (in_tmp / "clip.mp4").read_bytes()
    code, _, err = bgcam("--input", f"file://{in_tmp / 'clip.mp4'}", "--background", "none", "--output", "clip.mp4")
    assert (code, err.startswith("bgcam: --output clip.mp4 would overwrite")) == (2, True), err
    assert (in_tmp / "clip.mp4").read_bytes() == clip


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text on this system")
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_a_name_that_is_no_text(tmp_path: Path, encoding: str) -> None:
    write_clip(tmp_path / "a.mp4")
    os.rename(os.fsencode(tmp_path / "a.mp4"), os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    inputs: list[list[str | bytes]] = [["--input", b"caf\xe9.mp4", "--background", "none"], ["--input", b"n\xe9.mp4"]]
    for arguments in inputs:
        run = subprocess.run(
            [sys.executable, "-m", "bgcam", *arguments, "--output", "null"],
            capture_output=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            timeout=60,
        )
        there = arguments[1] == b"caf\xe9.mp4"
        assert run.returncode == (0 if there else 2), run.stderr
        assert run.stderr == (
            b"" if there else b"bgcam: n\\udce9.mp4: no such file or folder; check the path given to --input\n"
        )
        assert (b"caf\\udce9.mp4" in run.stdout) is there
