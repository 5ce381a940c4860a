"""`bgcam matte`: gray PNGs of the source's size, gray videos, cutouts, and folders with broken pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import PERSON, SIZE_WH, read_clip, scene, write_clip, write_picture
from PIL import Image

from bgcam.realtime.atomic_write import NewFile
from bgcam.realtime.command import cli
from bgcam.realtime.command import matte as matte_command
from bgcam.realtime.frames import CameraFrame, CoarseMatte

Matte = Callable[..., int]


@pytest.fixture
def matte(tiny_model: Path) -> Matte:
    """`bgcam matte` with the tiny model."""
    return lambda *given: cli.main(["matte", *map(str, given), "--model", str(tiny_model), "--threads", "1"])


def share_right(gray: np.ndarray, number: int, size_wh: tuple[int, int] = SIZE_WH) -> float:
    """How much of the picture is white where the person is, and black elsewhere."""
    return float(((gray > 127) == (scene(number, size_wh)[..., 0] == PERSON)).mean())


@pytest.mark.parametrize("size_wh", [(96, 64), (64, 96), (97, 65), (160, 40)])
def test_a_picture_gives_a_gray_png_of_its_size(tmp_path: Path, matte: Matte, size_wh: tuple[int, int]) -> None:
    write_picture(tmp_path / "photo.jpg", size_wh=size_wh)
    assert matte(tmp_path / "photo.jpg", tmp_path / "m.png") == 0
    gray = cv2.imread(str(tmp_path / "m.png"), cv2.IMREAD_UNCHANGED)
    assert gray.shape == (size_wh[1], size_wh[0])
    assert gray.dtype == np.uint8
    assert share_right(gray, 0, size_wh) > 0.93  # type: ignore[arg-type]


def test_a_folder_gives_a_folder_with_the_same_stems(tmp_path: Path, matte: Matte) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(("a.jpg", "b c.png", "d.e.bmp")):
        write_picture(photos / name, number=number)
    (photos / "notes.txt").write_text("no picture")
    assert matte(photos, tmp_path / "out" / "mattes") == 0
    written = sorted((tmp_path / "out" / "mattes").iterdir())
    assert [path.name for path in written] == ["a.png", "b c.png", "d.e.png"]
    for number, path in enumerate(written):
        assert share_right(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), number) > 0.93  # type: ignore[arg-type]


def test_a_broken_picture_in_a_folder_is_told_and_skipped(
    tmp_path: Path, matte: Matte, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    write_picture(photos / "a.png")
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes()[:40])
    write_picture(photos / "c.png")
    assert matte(photos, tmp_path / "mattes") == 1
    out, err = capsys.readouterr()
    assert "b.png" in err
    assert "2 of 3 pictures done, 1 skipped" in out
    assert sorted(path.name for path in (tmp_path / "mattes").iterdir()) == ["a.png", "c.png"]


def test_the_last_line_says_what_is_where(
    tmp_path: Path, matte: Matte, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("a.png", "b.png"):
        write_picture(Path("photos") / name)
    assert matte(Path("photos/a.png"), Path("m.png")) == 0
    assert matte(Path("photos"), Path("mattes")) == 0
    assert capsys.readouterr().out.splitlines() == ["done: m.png", "2 pictures done: mattes"]


def test_a_video_gives_a_gray_video(tmp_path: Path, matte: Matte) -> None:
    write_clip(tmp_path / "clip.mp4", frames=6)
    assert matte(tmp_path / "clip.mp4", tmp_path / "m.mkv") == 0
    frames = read_clip(tmp_path / "m.mkv")
    assert len(frames) == 6
    for number, frame in enumerate(frames):
        assert np.ptp(frame.astype(int), axis=2).max() <= 4
        assert share_right(frame[..., 1], number) > 0.93


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_an_animated_picture_gives_a_gray_video(
    tmp_path: Path, matte: Matte, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    pictures = [Image.fromarray(np.ascontiguousarray(scene(number)[..., ::-1])) for number in (0, 4, 8)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=[100, 200, 300], loop=1)
    assert matte(tmp_path / name, tmp_path / "m.mp4") == 0
    mattes = read_clip(tmp_path / "m.mp4")
    assert len(mattes) == 3
    for number, gray in zip((0, 4, 8), mattes, strict=True):
        assert share_right(gray[..., 0], number) > 0.93
    assert matte(tmp_path / name, tmp_path / "m.png") == 2
    assert "the matte of a video is a video" in capsys.readouterr().err


def test_an_input_that_is_given_by_its_address_is_not_written_over(
    tmp_path: Path, matte: Matte, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "in.mp4", frames=3)
    data = (tmp_path / "in.mp4").read_bytes()
    assert matte(f"file://{tmp_path / 'in.mp4'}", tmp_path / "in.mp4", "--overwrite") == 2
    assert "in.mp4 is the input video" in capsys.readouterr().err
    assert (tmp_path / "in.mp4").read_bytes() == data


def test_a_cutout_has_transparency_and_hides_the_room(tmp_path: Path, matte: Matte) -> None:
    write_picture(tmp_path / "photo.png")
    assert matte("--cutout", tmp_path / "photo.png", tmp_path / "mattes") == 0
    bgra = cv2.imread(str(tmp_path / "mattes" / "photo.png"), cv2.IMREAD_UNCHANGED)
    assert bgra.shape == (SIZE_WH[1], SIZE_WH[0], 4)
    assert share_right(bgra[..., 3], 0) > 0.93
    assert (bgra[bgra[..., 3] == 0] == 0).all()
    assert np.abs(bgra[bgra[..., 3] > 250][:, :3].astype(int) - PERSON).max() < 25


def test_two_pictures_may_not_become_one(tmp_path: Path, matte: Matte, capsys: pytest.CaptureFixture[str]) -> None:
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "a.jpg")
    assert matte(tmp_path, tmp_path / "mattes") == 2
    assert "a.jpg and a.png would both become a.png" in capsys.readouterr().err
    assert not (tmp_path / "mattes").exists()


@pytest.mark.parametrize("target", ["", "mattes.png", "mattes.mp4", "file"])
def test_a_folders_mattes_go_to_another_folder(tmp_path: Path, matte: Matte, target: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    write_picture(photos / "a.png")
    (tmp_path / "file").write_text("a file")
    before = (photos / "a.png").read_bytes()
    assert matte(photos, tmp_path / target if target else photos) == 2
    assert (photos / "a.png").read_bytes() == before


def test_a_full_disk_leaves_no_part_of_a_png(
    tmp_path: Path, matte: Matte, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "photo.jpg")

    def full(self: NewFile, data: bytes) -> None:
        self.raw.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(NewFile, "write", full)
    assert matte(tmp_path / "photo.jpg", tmp_path / "m.png") == 1
    assert "m.png: cannot be written (No space left on device)" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_cutouts_colours_and_alpha_fit_together() -> None:
    frame = scene(0)
    alpha = (frame[..., 0] == PERSON).astype(np.float32)
    bgra = matte_command.cutout(CameraFrame(0, frame, 0.0, 0.0), CoarseMatte(0, alpha, frame))
    assert np.array_equal(bgra[..., 3], (alpha * 255).astype(np.uint8))
    assert np.array_equal(bgra[..., :3], frame * (alpha > 0)[..., None])
