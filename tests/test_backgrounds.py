"""Backgrounds: what a spec opens, how pictures are cut, how videos and slideshows play, and what is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime import shipped
from bgcam.realtime.backgrounds import cover, open_background
from bgcam.realtime.errors import BackgroundError, UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources.video import VideoSource

NOBODY = CoarseMatte(0, np.zeros((24, 32), np.float32), np.full((24, 32, 3), 77, np.uint8))


def camera_frame(time_s: float = 0.0, *, size_wh: tuple[int, int] = (64, 48), level: int = 77) -> CameraFrame:
    return CameraFrame(0, np.full((size_wh[1], size_wh[0], 3), level, np.uint8), time_s, 0.0)


def shown_level(spec: str, times_s: list[float]) -> list[int]:
    """The mean grey level of the background at these times, in tens."""
    background = open_background(spec)
    return [round(float(background.picture(camera_frame(t), NOBODY).mean()) / 10) for t in times_s]


def write_video(path: Path, levels: list[int], *, fps: int = 10) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif" if path.suffix == ".gif" else "libx264", rate=fps)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "rgb8" if path.suffix == ".gif" else "yuv420p"
        stream.time_base = Fraction(1, fps)
        for at, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="bgr24")
            frame.pts, frame.time_base = at, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("spec", "bgr"),
    [("green", (0, 128, 0)), ("Navy", (128, 0, 0)), ("#ff8000", (0, 128, 255)), ("#FF8000", (0, 128, 255))],
)
def test_colours(spec: str, bgr: tuple[int, int, int]) -> None:
    picture = open_background(spec).picture(camera_frame(), NOBODY)
    assert picture.shape == (48, 64, 3)
    assert (picture == bgr).all()


def test_none_is_the_frame_itself_and_needs_no_matte() -> None:
    background, frame = open_background("none"), camera_frame()
    assert background.picture(frame, NOBODY) is frame.room_bgr
    assert not background.needs_matte


@pytest.mark.parametrize(("spec", "name"), [("blur", "blur:5"), ("blur:1", "blur:1"), ("blur:7.5", "blur:7.5")])
def test_blur_takes_a_strength(spec: str, name: str) -> None:
    background = open_background(spec)
    assert background.name == name
    assert np.abs(background.picture(camera_frame(), NOBODY).astype(int) - 77).max() <= 1


@pytest.mark.parametrize(
    "spec", ["blur:", "blur:0", "blur:11", "blur:nan", "blur:soft", "#12", "#12345g", "#1234567", ""]
)
def test_values_that_make_no_sense(spec: str) -> None:
    with pytest.raises(UsageError, match="background"):
        open_background(spec)


def test_a_picture_is_cut_around_its_centre_and_kept(tmp_path: Path) -> None:
    wide = np.zeros((50, 300, 3), np.uint8)
    wide[:, 100:200] = 200  # the middle third is all that a square shows of it
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    background = open_background(str(tmp_path / "wide.png"))
    square = camera_frame(size_wh=(80, 80))
    picture = background.picture(square, NOBODY)
    assert picture.shape == (80, 80, 3)
    assert (picture == 200).all()
    assert background.picture(square, NOBODY) is picture
    assert background.picture(camera_frame(), NOBODY).shape == (48, 64, 3)


@pytest.mark.parametrize("size_wh", [(1, 1), (640, 3), (3, 640), (64, 48), (37, 91)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (48, 64)])
def test_cover_gives_every_size(shape: tuple[int, int], size_wh: tuple[int, int]) -> None:
    cut = cover(np.full((*shape, 3), 50, np.uint8), size_wh)
    assert cut.shape == (size_wh[1], size_wh[0], 3)
    assert (cut == 50).all()


def test_a_bare_name_is_looked_up_among_the_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shipped").mkdir()
    (tmp_path / "here").mkdir()
    cv2.imwrite(str(tmp_path / "shipped" / "shore.png"), np.full((4, 4, 3), 10, np.uint8))
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path / "shipped")
    monkeypatch.chdir(tmp_path / "here")
    assert shown_level("shore", [0]) == shown_level("shore.png", [0]) == [1]
    cv2.imwrite("shore.png", np.full((4, 4, 3), 90, np.uint8))  # a file here goes first
    assert shown_level("shore.png", [0]) == [9]
    with pytest.raises(
        BackgroundError, match=r"^shoer: no such background; did you mean shore\? .*`bgcam backgrounds`$"
    ):
        open_background("shoer")


@pytest.mark.parametrize("name", ["v.mp4", "v.gif"])
def test_a_video_loops_at_its_own_rate(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, [0, 50, 150, 250])
    levels = shown_level(str(path), [0.0, 0.05, 0.11, 0.21, 0.29, 0.31, 0.41, 0.52, 0.75])
    # GIF's palette has few greys
    assert np.abs(np.array(levels) - [0, 0, 5, 15, 15, 25, 0, 5, 25]).max() <= 2


def test_a_gap_of_many_loops_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bgcam.realtime import playback

    opened: list[str] = []

    class Counted(VideoSource):
        def __init__(self, path: str):
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr(playback, "VideoSource", Counted)
    path = write_video(tmp_path / "v.mp4", [0, 50, 150, 250])
    assert np.abs(np.array(shown_level(str(path), [0.0, 0.5, 4000.11])) - [0, 5, 5]).max() <= 1
    assert len(opened) < 6


def test_a_video_that_breaks_leaves_its_last_good_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "v.mp4", [0, 50, 150, 250])
    background = open_background(str(path))
    assert background.picture(camera_frame(0.11), NOBODY).mean() == pytest.approx(50, abs=8)
    path.unlink()  # the second loop cannot open it
    for time_s in (0.35, 0.5, 9.0):
        assert background.picture(camera_frame(time_s), NOBODY).mean() == pytest.approx(250, abs=8)


def test_a_slideshow_shows_each_picture_for_ten_seconds(tmp_path: Path) -> None:
    for name, level in (("b.png", 100), ("a.png", 20), ("c.jpg", 200), (".hidden.png", 250)):
        cv2.imwrite(str(tmp_path / name), np.full((30, 40, 3), level, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    assert shown_level(str(tmp_path), [0, 9.9, 10, 20.5, 30, 41]) == [2, 2, 10, 20, 2, 10]


def test_a_slideshow_passes_over_what_cannot_be_read(tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "b.png"), np.full((30, 40, 3), 100, np.uint8))
    assert shown_level(str(tmp_path), [0, 10, 20, 30]) == [10] * 4


def huge_png(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("gone.jpg", lambda path: None, "no such background"),
        ("text.jpg", lambda path: path.write_text("no picture"), "not a readable picture"),
        ("empty.png", lambda path: path.write_bytes(b""), "the file is empty; give a picture file"),
        ("text.mp4", lambda path: path.write_text("no video"), "cannot be opened as a video"),
        ("folder", lambda path: path.mkdir(), "no pictures in this folder"),
        ("huge.png", huge_png, "over 100 megapixels"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, name: str, write: Callable[[Path], object], message: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(BackgroundError, match=message) as caught:
        open_background(str(tmp_path / name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(BackgroundError, match=r"none of its 1 pictures can be read; the first: .*a\.png"):
        open_background(str(tmp_path))


def test_the_shipped_names_are_files() -> None:
    for name, path in shipped.shipped_backgrounds().items():
        picture: NDArray[np.uint8] = open_background(name).picture(camera_frame(), NOBODY)
        assert path.is_file()
        assert picture.shape == (48, 64, 3)
