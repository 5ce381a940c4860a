"""The backgrounds that a page offers: the list, thumbnails, and uploads that are decoded before they are kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import write_clip
from numpy.typing import NDArray

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.shipped import shipped_backgrounds
from bgcam.realtime.control import check_upload, library
from bgcam.realtime.control.library import MIB, Library
from bgcam.realtime.errors import BackgroundError

SHIPPED = [path.stem for path in shipped_backgrounds().values()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "backgrounds"


@pytest.fixture
def mine(folder: Path) -> Library:
    return Library(folder=lambda: folder)


def picture(suffix: str = ".png", colour: tuple[int, int, int] = (200, 40, 10)) -> bytes:
    data: Any = cv2.imencode(suffix, np.full((36, 64, 3), colour, np.uint8))[1]
    return bytes(data.tobytes())


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_the_list_goes_from_what_comes_with_bgcam_to_the_room(mine: Library, folder: Path) -> None:
    assert [info.spec for info in mine.entries()] == [*SHIPPED, "blur", "green", "none"]
    folder.mkdir(parents=True)
    for name in ("b10.png", "b2.JPG", "notes.txt", ".hidden.png"):
        (folder / name).write_bytes(b"")
    found = [(info.name, info.kind) for info in mine.entries()]
    own = len(SHIPPED)
    assert found[:own] == [(name.replace("-", " "), "shipped") for name in SHIPPED]
    assert found[own : own + 2] == [("b2", "yours"), ("b10", "yours")]
    assert [kind for _, kind in found[own + 2 :]] == ["blur", "colour", "room"]


def test_a_shipped_one_is_itself_beside_a_file_of_its_name(
    mine: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = [mine.thumbnail(spec) for spec in ("beach", "bookshelf", "blur")]
    for name in ("beach.jpg", "bookshelf"):
        Path(name).write_bytes(picture(".jpg"))
    specs = [info.spec for info in mine.entries()[:2]]
    assert specs == ["beach", "bookshelf"]
    assert [mine.thumbnail(spec) for spec in (*specs, "blur")] == before


def test_without_a_home_folder_there_are_still_backgrounds() -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    assert len(Library(folder=homeless).entries()) == len(SHIPPED) + 3
    with pytest.raises(BackgroundError, match=r"a\.png: it cannot be kept \(Could not determine home directory"):
        Library(folder=homeless).add("a.png", picture())


def test_thumbnails_are_made_once_for_each_version_of_a_file(tmp_path: Path) -> None:
    opened: list[str] = []

    def open_one(spec: str) -> Any:
        opened.append(spec)
        return open_background(spec)

    mine, path = Library(folder=lambda: tmp_path, open_one=open_one), tmp_path / "wall.png"
    path.write_bytes(picture())
    for _ in range(2):
        thumbnail = decoded(mine.thumbnail(str(path)))
        assert thumbnail.shape == (90, 160, 3)
        assert np.abs(thumbnail.astype(int) - (200, 40, 10)).max() < 6
    path.write_bytes(picture(colour=(0, 0, 255)) + b" ")
    assert decoded(mine.thumbnail(str(path)))[9, 9, 2] > 240
    assert len(opened) == 2
    assert decoded(mine.thumbnail("green")).shape == decoded(mine.thumbnail("blur:3")).shape == (90, 160, 3)
    for spec, message in (("none", "no thumbnail"), (str(tmp_path / "gone.png"), "no such background")):
        with pytest.raises(BackgroundError, match=message):
            mine.thumbnail(spec)


def test_an_upload_is_kept_under_its_hash_once_it_was_decoded(mine: Library, folder: Path) -> None:
    data = picture()
    info = mine.add("../../Mein Büro (2).JPG.exe", data)
    digest = hashlib.sha256(data).hexdigest()[:16]
    assert info.spec == str(folder / f"mein-b-ro-2-jpg-{digest}.png")  # by what is in it
    assert (info.name, info.kind) == ("mein-b-ro-2-jpg", "yours")
    assert Path(info.spec).read_bytes() == data
    assert mine.add("again.png", data) == info
    assert info in mine.entries()
    assert [path.name for path in folder.iterdir()] == [Path(info.spec).name]
    assert decoded(mine.thumbnail(info.spec)).shape == (90, 160, 3)


def test_a_video_is_decoded_too(mine: Library, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=4)
    assert mine.add("clip.mp4", clip.read_bytes()).spec.endswith(".mp4")
    with pytest.raises(BackgroundError, match=r"cut\.mp4: "):
        mine.add("cut.mp4", clip.read_bytes()[:200])
    assert len(mine.entries()) == len(SHIPPED) + 4


def test_what_cannot_be_shown_is_not_kept(mine: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackgroundError, match=r"page\.html: neither a picture nor a video"):
        mine.add("page.html", b"<html>")
    with pytest.raises(BackgroundError, match="neither"):
        mine.add("", b"")
    with pytest.raises(BackgroundError, match=r"^cut\.png: .*"):
        mine.add("cut.png", picture()[:60])
    monkeypatch.setattr(library, "MOST_PICTURE_BYTES", 10)
    with pytest.raises(BackgroundError, match=r"large\.png: 0 MB, and a picture may have 0; give a smaller one"):
        mine.add("large.png", picture())
    monkeypatch.undo()
    monkeypatch.setattr(library, "MOST_FOLDER_BYTES", MIB // 2)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "large.png").write_bytes(bytes(MIB // 2))
    with pytest.raises(BackgroundError, match=r"more\.png: .*backgrounds would get larger than 0 MB; remove some"):
        mine.add("more.png", picture())
    assert [path.name for path in folder.iterdir()] == ["large.png"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it cannot be decoded"),
        ("import time; time.sleep(60)", r"it takes over 0\.5 s to decode"),
        ("import sys; print('a\\nbackground x: too large', file=sys.stderr); sys.exit(1)", r"^a\.png: x: too large$"),
    ],
)
def test_a_decoder_that_crashes_or_hangs_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, message: str
) -> None:
    run = check_upload.subprocess.run

    def instead(command: list[str], **given: Any) -> Any:
        return run([command[0], "-c", program], **given)

    monkeypatch.setattr(check_upload.subprocess, "run", instead)
    with pytest.raises(BackgroundError, match=message):
        check_upload.check_decodes(tmp_path / "a.png", name="a.png", limit_s=0.5 if "sleep" in program else 20)
