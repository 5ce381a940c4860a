"""A folder of pictures: each one is processed on its own, keeps its name and its folder, and may be broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import PERSON, scene, write_picture
from command import Run, one_line

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.command import run
from bgcam.realtime.errors import MatteRefused, UsageError
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look
from bgcam.realtime.model.motion_gate import SamePicture
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.sources.picture_files import natural_key, picture_paths, picture_tree, written_names

GREEN = ("--background", "#00ff00")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photos/ with pictures of several kinds and sizes, in the current folder."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "photos"
    (made / "trip" / "day 2").mkdir(parents=True)
    for name, number, size_wh in (
        ("10.png", 0, (96, 64)),
        ("2.png", 3, (96, 64)),
        ("me.jpg", 5, (64, 96)),
        ("trip/me.jpg", 7, (96, 64)),
        ("trip/day 2/old.bmp", 9, (80, 60)),
        ("trip/day 2/scan.tif", 1, (96, 64)),
    ):
        write_picture(made / name, number=number, size_wh=size_wh)
    (made / "notes.txt").write_text("no picture")
    return made


def test_names_and_folders_are_kept(photos: Path, bgcam: Run) -> None:
    code, _, err = bgcam("--input", "photos", *GREEN, "--output", "out/")
    assert (code, err) == (0, "")
    assert names(Path("out")) == [name for name in names(photos) if name != "notes.txt"]
    for name in names(Path("out")):
        made, given = read(Path("out") / name), read(photos / name)
        assert made.shape == given.shape
        room = given[..., 0] < 60
        assert np.median(np.abs(made[room].astype(int) - (0, 255, 0))) < 12
        assert np.median(np.abs(made[~room].astype(int) - PERSON)) < 12


def test_one_picture_keeps_its_name(photos: Path, bgcam: Run) -> None:
    assert bgcam("--input", "photos/me.jpg", *GREEN, "--output", "out/")[0] == 0
    assert names(Path("out")) == ["me.jpg"]


def test_frames_of_a_video_are_numbered_still(in_tmp: Path, bgcam: Run) -> None:
    assert bgcam("--input", "clip.mp4", *GREEN, "--output", "out/")[0] == 0
    assert names(Path("out")) == [f"{number:05d}.png" for number in range(8)]


def test_a_tight_portrait_is_no_fault(tmp_path: Path, bgcam: Run) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.full((64, 96, 3), PERSON, np.uint8))
    write_picture(folder / "c.png")
    code, _, err = bgcam("--input", str(folder), *GREEN, "--output", f"{tmp_path}/out/")
    assert (code, err) == (0, "")
    assert np.abs(read(tmp_path / "out" / "a.png").astype(int) - PERSON).max() < 3
    assert bgcam("--input", str(folder / "a.png"), *GREEN, "--output", str(tmp_path / "one.png"))[0] == 0


def test_a_tight_portrait_of_a_video_still_is() -> None:
    with pytest.raises(MatteRefused, match="suddenly"):
        MatteCheck()(_everyone(0))
    MatteCheck(independent=True)(_everyone(0))
    with pytest.raises(MatteRefused, match="contains NaN or values outside"):
        MatteCheck(independent=True)(CoarseMatte(0, np.full((4, 4), np.nan, np.float32), np.zeros((4, 4, 3), np.uint8)))


def _everyone(number: int) -> CoarseMatte:
    return CoarseMatte(number, np.ones((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8))


def test_a_picture_is_the_same_alone_and_among_others(photos: Path, bgcam: Run) -> None:
    assert bgcam("--input", "photos", *GREEN, "--output", "out/")[0] == 0
    for name in ("2.png", "10.png"):
        assert bgcam("--input", f"photos/{name}", *GREEN, "--output", f"alone_{name}")[0] == 0
        assert np.array_equal(read(Path(f"alone_{name}")), read(Path("out") / name))


def test_a_soft_matte_leaves_nothing_in_the_next_picture(tmp_path: Path, bgcam: Run) -> None:
    for name, grey in (("1.png", 126), ("2.png", 129)):  # between person and room, and too near for a cut
        cv2.imwrite(str(tmp_path / name), np.full((64, 96, 3), grey, np.uint8))
    assert bgcam("--input", str(tmp_path), *GREEN, "--output", f"{tmp_path}/out/")[0] == 0
    assert bgcam("--input", str(tmp_path / "2.png"), *GREEN, "--output", f"{tmp_path}/alone/")[0] == 0
    assert np.array_equal(read(tmp_path / "out" / "2.png"), read(tmp_path / "alone" / "2.png"))


@pytest.mark.parametrize("look", [Look(), Look(frame="follow"), Look(match=10)], ids=["plain", "follow", "match"])
def test_nothing_of_one_picture_is_kept_for_the_next(look: Look) -> None:
    grey = np.random.default_rng(0).integers(100, 140, (48, 64, 3), np.uint8)
    alphas = [np.zeros((48, 64), np.float32) for _ in range(2)]
    alphas[0][8:, 8:30] = 0.7  # within reach of the filter that steadies a video's mattes
    alphas[1][8:, 10:40] = 0.45
    pairs = [
        (CameraFrame(number, grey, number / 25, 0.0), CoarseMatte(number, alpha, grey))
        for number, alpha in enumerate(alphas)
    ]
    green = open_background("#00ff00")
    alone = Chain(green, look)(*pairs[1]).bgr
    together = [Chain(green, look, independent=True), Chain(green, look)]
    independent, video = ([chain(*pair).bgr for pair in pairs][1] for chain in together)
    assert np.array_equal(independent, alone)
    assert not np.array_equal(video, alone)


def test_a_held_picture_is_inferred_once_and_another_one_anew() -> None:
    class Counting:
        calls = 0

        def see(self, frame: CameraFrame) -> np.ndarray:
            return frame.room_bgr

        def infer(self, frame: CameraFrame, seen_bgr: np.ndarray) -> CoarseMatte:
            self.calls += 1
            return CoarseMatte(frame.number, np.zeros(seen_bgr.shape[:2], np.float32), seen_bgr)

    counting = Counting()
    matting = SamePicture(counting)
    first, same = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    for number, bgr in enumerate((first, first, same)):
        assert matting(CameraFrame(number, bgr, 0.0, 0.0)).number == number
    assert counting.calls == 2


def test_broken_pictures_are_said_counted_and_skipped(photos: Path, bgcam: Run) -> None:
    (photos / "1.png").write_text("no")
    (photos / "trip" / "cut.jpg").write_bytes((photos / "me.jpg").read_bytes()[:100])
    code, out, err = bgcam("--input", "photos", *GREEN, "--output", "out/")
    assert code == 1
    assert [line.split(": ")[:3] for line in err.splitlines()] == [
        ["bgcam", "skipped", "photos/1.png"],
        ["bgcam", "skipped", "photos/trip/cut.jpg"],
    ]
    assert "6 frames, " in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("; 2 of 8 pictures skipped")
    assert len(names(Path("out"))) == 6


def test_a_folder_of_broken_pictures_leaves_nothing(tmp_path: Path, bgcam: Run) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_text("no")
    code, _, err = bgcam("--input", str(tmp_path / "photos"), *GREEN, "--output", f"{tmp_path}/out/")
    assert code == 2
    assert "none of the 1 pictures in it can be read" in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_the_output_may_lie_in_the_input(photos: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    for extra in ((), ("--overwrite",)):
        assert bgcam("--input", ".", *GREEN, "--output", "out/", *extra)[0] == 0
        assert len(names(Path("out"))) == 6


def test_what_is_read_is_not_written_over(photos: Path, bgcam: Run) -> None:
    write_picture(photos / "trip" / "trip.png")
    (photos / "trip" / "trip").mkdir()
    write_picture(photos / "trip" / "trip" / "trip.png")
    before = (photos / "trip" / "trip.png").read_bytes()
    code, _, err = bgcam("--input", "photos/trip", *GREEN, "--output", "photos/", "--overwrite")
    assert code == 2
    assert "would overwrite what --input reads" in one_line(err)
    assert (photos / "trip" / "trip.png").read_bytes() == before


def test_mattes_keep_names_and_folders_too(photos: Path, bgcam: Run) -> None:
    (photos / "3.png").write_text("no")
    code, out, _ = bgcam("matte", "photos", "mattes")
    assert code == 1
    assert "6 of 7 pictures done, 1 skipped" in out
    expected = ["10.png", "2.png", "me.png", "trip/day 2/old.png", "trip/day 2/scan.png", "trip/me.png"]
    assert names(Path("mattes")) == expected


def test_a_matte_is_the_same_alone_and_among_others(photos: Path, bgcam: Run) -> None:
    assert bgcam("matte", "photos", "mattes")[0] == 0
    for name in ("2.png", "10.png"):
        assert bgcam("matte", f"photos/{name}", f"alone_{name}")[0] == 0
        assert np.array_equal(read(Path(f"alone_{name}")), read(Path("mattes") / name))


def test_a_video_may_be_made_of_pictures(photos: Path, bgcam: Run) -> None:
    assert bgcam("--input", "photos", *GREEN, "--output", "out.mkv")[0] == 0


# ---- names


def test_people_count_2_before_10() -> None:
    given = ["b.png", "img10.png", "img2.png", "A1.png", "10.png", "9.png", "img02.png", "a.png"]
    ordered = ["9.png", "10.png", "A1.png", "a.png", "b.png", "img02.png", "img2.png", "img10.png"]
    assert sorted(sorted(given), key=natural_key) == ordered
    assert natural_key("²") != natural_key("2")  # a digit to Python, no number


def test_folders_are_read_in_order_and_no_circle_is_followed(photos: Path) -> None:
    (photos / ".hidden").mkdir()
    write_picture(photos / ".hidden" / "a.png")
    write_picture(photos / ".b.png")
    (photos / "trip" / "circle").symlink_to(photos)
    found = [str(path.relative_to(photos)) for path in picture_tree(photos)]
    assert found == ["2.png", "10.png", "me.jpg", "trip/me.jpg", "trip/day 2/old.bmp", "trip/day 2/scan.tif"]
    assert [path.name for path in picture_paths(photos)] == ["2.png", "10.png", "me.jpg"]
    assert len(picture_tree(photos, leave_out=[photos / "trip"])) == 3


def test_two_pictures_may_not_become_one(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jpg", tmp_path / "a.png", tmp_path / "b" / "a.png"]
    assert written_names(paths, tmp_path) == [Path("a.jpg"), Path("a.png"), Path("b/a.png")]
    with pytest.raises(UsageError, match=r"a\.jpg and a\.png would both become a\.png"):
        written_names(paths, tmp_path, suffix=".png")


def test_a_slideshow_counts_as_people_do(tmp_path: Path) -> None:
    for name, number in (("10.png", 1), ("2.png", 0)):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), 100 * number, np.uint8))
    frame = CameraFrame(0, scene(0), 0.0, 0.0)
    assert open_background(str(tmp_path)).picture(frame, _everyone(0)).max() == 0


def test_a_picture_that_appears_meanwhile_renames_no_other(
    photos: Path, bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run.open_source

    def opening(**options: Any) -> Any:
        write_picture(photos / "1.png", number=0)
        return real(**options)

    monkeypatch.setattr(run, "open_source", opening)
    assert bgcam("--input", "photos", *GREEN, "--output", "out/")[0] == 0
    assert len(names(Path("out"))) == 7
    assert read(Path("out/me.jpg")).shape == (96, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["-i", "photos", "-o", "out/"], "source: photos, 6 pictures; background: none"),
        (["-i", "photos/me.jpg", "-o", "me.png"], "source: photos/me.jpg, 64x96; background: none"),
        (["-i", "photos/me.jpg", "-o", "me.mp4"], "source: photos/me.jpg, 64x96 at 25 fps; background: none"),
    ],
)
def test_a_rate_is_given_only_for_what_has_one(photos: Path, bgcam: Run, arguments: list[str], line: str) -> None:
    code, out, _ = bgcam(*arguments, "--background", "none")
    assert code == 0
    assert line in out.splitlines()


def test_that_one_picture_gets_the_last_frame_alone_is_said(photos: Path, in_tmp: Path, bgcam: Run) -> None:
    out = bgcam("-i", str(in_tmp / "clip.mp4"), "--background", "none", "-o", "last.png")[1]
    assert "output: last.png, only the last frame (FOLDER/ keeps all)" in out.splitlines()
    out = bgcam("-i", "photos/me.jpg", "--background", "none", "-o", "one.png")[1]
    assert "output: one.png" in out.splitlines()
