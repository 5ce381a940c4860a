"""Backgrounds: what a spec opens, how pictures are cut, how videos and slideshows play, and what is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bgcam.realtime.backgrounds import open_background, shipped
from bgcam.realtime.errors import BackgroundError, SourceError, UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources import open_source
from bgcam.realtime.sources._shape import cover

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
    assert open_background("shore.png").name == "shore"  # and not a path inside bgcam
    cv2.imwrite("shore.png", np.full((48, 64, 3), 90, np.uint8))  # a file here goes first
    assert shown_level("shore.png", [0]) == [9]
    Path("shore").mkdir()  # but a bare name is the shipped one
    Path("shore.png").rename("shore/a.png")
    assert shown_level("shore", [0]) == shown_level("SHORE", [0]) == [1]
    assert shown_level("./shore", [0]) == [9]
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
    from bgcam.realtime.backgrounds import moving as playback

    opened: list[str] = []

    really_open = playback.open_moving
    monkeypatch.setattr(playback, "open_moving", lambda path: opened.append(str(path)) or really_open(path))
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


def test_a_gif_without_its_last_byte_loops_with_all_its_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.gif", [0, 50, 150, 250])
    path.write_bytes(path.read_bytes()[:-1])
    levels = shown_level(str(path), [0.0, 0.11, 0.21, 0.31, 0.41, 0.52, 0.75])
    assert np.abs(np.array(levels) - [0, 5, 15, 25, 0, 5, 25]).max() <= 2


@pytest.mark.parametrize("name", ["v.ts", "v.mkv"])
def test_a_cut_video_loops_what_there_is(tmp_path: Path, name: str) -> None:
    """Whatever its length then is: it begins anew, again and again."""
    path = write_video(tmp_path / name, [0, 50, 100, 150, 200, 250] * 4)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4 - 7])
    levels = shown_level(str(path), [0.05 + 0.1 * at for at in range(90)])
    starts = [at for at in range(1, 90) if levels[at] <= 1 and levels[at - 1] > 1]
    assert len(starts) > 8, levels
    assert max(levels) > 22


PictureList = list[Image.Image]


def animated(path: Path, *, mode: str = "RGB") -> Path:
    """Levels 0, 100 and 200 for 100, 200 and 300 ms."""
    pictures: PictureList = [Image.new("RGB", (64, 48), (level,) * 3).convert(mode) for level in (0, 100, 200)]
    how: dict[str, Any] = {"lossless": True} if path.suffix == ".webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 200, 300], loop=1, **how)
    return path


def test_an_animated_picture_is_none_of_several_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    moving = animated(tmp_path / "v.webp")
    with pytest.raises(UsageError, match=r"v\.webp is not a picture, but several inputs must all be pictures"):
        open_source(input=[str(tmp_path / "a.png"), str(moving)])


@pytest.mark.parametrize("name", ["v.webp", "v.png", "v.apng"])
def test_animated_pictures_move_and_loop_at_their_own_times(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    animated(tmp_path / f"made{'.webp' if name == 'v.webp' else '.png'}").rename(path)
    times_s = [0.05, 0.15, 0.25, 0.35, 0.55, 0.65, 0.75, 6.35]
    assert shown_level(str(path), times_s) == [0, 10, 10, 20, 20, 0, 10, 20]
    source = open_source(input=str(path))
    frames = list(iter(source.read, None))
    assert (source.frames, source.size_wh, source.live) == (3, (64, 48), False)
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.1, 0.3])
    assert len(list(iter(open_source(input=str(path), fps=10).read, None))) == 6


def test_a_cut_animation_loops_what_there_is_or_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
    pictures = [Image.fromarray(bgr) for bgr in noise]
    for path in (tmp_path / "v.webp", tmp_path / "v.png"):
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 3 // 5])
    with pytest.raises(BackgroundError, match=r"v\.webp: not a readable animation \(.*\); replace or remove it"):
        open_background(str(tmp_path / "v.webp"))
    background = open_background(str(path))
    shown = [background.picture(camera_frame(0.05 + 0.1 * at), NOBODY).tobytes() for at in range(12)]
    assert len(set(shown)) >= 2
    assert shown.count(shown[0]) >= 3, "it does not begin anew"
    source = open_source(input=str(path))
    with pytest.raises(
        SourceError, match=r"the animation ends early after \d of 6 pictures .*; get a complete copy of it"
    ):
        list(iter(source.read, None))


def test_an_animation_over_100_megapixels_is_refused(tmp_path: Path) -> None:
    path = animated(tmp_path / "v.png")
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 20_000, 20_000)
    path.write_bytes(data)
    with pytest.raises(BackgroundError, match=r"v\.png: 20000x20000 is over 100 megapixels"):
        open_background(str(path))


def hidden(path: Path) -> Path:
    """Left half transparent over noise, right half green and opaque."""
    bgra = np.zeros((48, 64, 4), np.uint8)
    bgra[..., :3] = np.random.default_rng(0).integers(0, 256, (48, 64, 3))
    bgra[:, 32:] = (10, 250, 30, 255)
    rgba = Image.fromarray(np.ascontiguousarray(bgra[..., [2, 1, 0, 3]]))
    how: dict[str, Any] = {"lossless": True, "exact": True} if path.suffix == ".webp" else {}
    rgba.save(path, **how)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_colours_under_transparency_stay_hidden(tmp_path: Path, name: str) -> None:
    path = str(hidden(tmp_path / name))
    frame = open_source(input=path).read()
    assert frame is not None
    for picture in (open_background(path).picture(camera_frame(), NOBODY), frame.room_bgr):
        assert (picture[:, :32] == 128).all()
        assert (picture[:, 32:] == (10, 250, 30)).all()


@pytest.mark.parametrize("mode", ["LA", "P", "RGBA"])
def test_other_kinds_of_transparency(tmp_path: Path, mode: str) -> None:
    image = Image.open(hidden(tmp_path / "a.png")).convert(mode)
    image.save(tmp_path / "b.png")
    picture = open_background(str(tmp_path / "b.png")).picture(camera_frame(), NOBODY)
    assert (picture[:, :32] == 128).all()
    assert (picture[:, 32:] != 128).any()


def test_half_transparency_is_mixed_and_a_turned_picture_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image = Image.new("RGBA", (48, 64), (255, 0, 0, 128))
    image.paste((0, 0, 255, 255), (0, 32, 48, 64))
    image.save(tmp_path / "a.png", exif=exif)
    picture = open_background(str(tmp_path / "a.png")).picture(camera_frame(), NOBODY)
    assert np.abs(picture[:, :30].astype(int) - (255, 0, 0)).max() <= 1
    assert np.abs(picture[:, 34:].astype(int) - (64, 64, 192)).max() <= 1


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
    with pytest.raises(BackgroundError, match=r"none of its 1 pictures can be read; the first error: .*a\.png"):
        open_background(str(tmp_path))


def test_the_shipped_names_are_files() -> None:
    for name, path in shipped.shipped_backgrounds().items():
        picture: NDArray[np.uint8] = open_background(name).picture(camera_frame(), NOBODY)
        assert path.is_file()
        assert picture.shape == (48, 64, 3)
