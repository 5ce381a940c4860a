"""HEIC and AVIF pictures: whole and upright, under whatever name, or refused in one line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from command import Run
from heif_files import box, heif, untiled
from hypothesis import given, settings
from lies import damage, damages, front, one_line, quick
from numpy.typing import NDArray

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.sources import MAX_PIXELS, open_source
from bgcam.realtime.sources.images import read_picture

Turns = list[tuple[bytes, int]]

TILE = 64
CORNERS = {(4, 4): (0, 0, 255), (4, -5): (0, 255, 0), (-5, 4): (255, 0, 0), (-5, -5): (0, 255, 255)}


def corners(size_wh: tuple[int, int] = (160, 100)) -> NDArray[np.uint8]:
    """Red, green, blue and yellow corners on grey."""
    bgr = np.full((size_wh[1], size_wh[0], 3), 128, np.uint8)
    for (row, column), colour in CORNERS.items():
        bgr[slice(0, 16) if row > 0 else slice(-16, None), slice(0, 16) if column > 0 else slice(-16, None)] = colour
    return bgr


@pytest.fixture(scope="module")
def tiled() -> bytes:
    return heif(corners(), tile=TILE)


def assert_near(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    assert found.shape == expected.shape
    for at in CORNERS:
        assert np.abs(found[at].astype(int) - expected[at]).max() < 40, at


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "a.jpg", "a"])
def test_tiles_are_laid_together_whatever_the_name(tmp_path: Path, tiled: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(tiled)
    source = open_source(input=str(tmp_path / name))
    assert (source.frames, source.size_wh) == (1, (160, 100))
    frame = source.read()
    assert frame is not None
    assert_near(frame.room_bgr, corners())


def test_av1_tiles(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.avif").write_bytes(heif(corners((150, 70)), tile=TILE, codec="av1"))
    capfd.readouterr()  # the encoder's own lines
    assert_near(read_picture(tmp_path / "a.avif"), corners((150, 70)))


@pytest.fixture
def avif(tmp_path: Path) -> Callable[..., Path]:
    """Writes an AVIF as other programs do: by libavif. hidden: the left half is red and transparent."""
    from PIL import Image, features

    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")

    def write(*, hidden: bool) -> Path:
        rgba = np.full((80, 120, 4), 255, np.uint8)
        rgba[..., :3] = (30, 60, 200)
        rgba[:, :60] = (255, 0, 0, 0) if hidden else (255, 0, 0, 255)
        Image.fromarray(rgba if hidden else np.ascontiguousarray(rgba[..., :3])).save(tmp_path / "a.avif", quality=90)
        return tmp_path / "a.avif"

    return write


@pytest.mark.parametrize("hidden", [False, True])
def test_an_avif_is_a_background_and_shows_nothing_that_is_transparent(avif: Callable[..., Path], hidden: bool) -> None:
    background = open_background(str(avif(hidden=hidden)))
    frame = CameraFrame(0, np.zeros((80, 120, 3), np.uint8), 0.0, 0.0)
    bgr = background.picture(frame, CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8)))
    assert np.abs(bgr[40, 90].astype(int) - (200, 60, 30)).max() < 12
    assert np.abs(bgr[40, 20].astype(int) - ((128, 128, 128) if hidden else (0, 0, 255))).max() < 12


def test_a_format_without_a_decoder_is_named(
    tmp_path: Path, tiled: bytes, avif: Callable[..., Path], bgcam: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgcam.realtime.sources.heif._decoder_of", lambda stream: None)
    (tmp_path / "tiled.heic").write_bytes(tiled)
    (tmp_path / "whole.heic").write_bytes(untiled(corners()))
    avif(hidden=False)
    for name, kind in (("tiled.heic", "HEIC"), ("whole.heic", "HEIC"), ("a.avif", "AVIF")):
        code, _, err = bgcam("--background", str(tmp_path / name), "--output", "null")
        assert code == 2
        assert err.count("\n") == 1
        assert f"{name}: the FFmpeg of this bgcam has no decoder for {kind}; save the picture as JPEG or PNG" in err


def is_shown(turns: Turns, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    for kind, value in turns:
        bgr = np.rot90(bgr, value) if kind == b"irot" else np.flip(bgr, value)
    return bgr


@pytest.mark.parametrize(
    "made", [lambda bgr, turns: heif(bgr, tile=TILE, turns=turns), untiled], ids=["tiled", "whole"]
)
@pytest.mark.parametrize(
    "turns",
    [
        [(b"irot", 1)],
        [(b"irot", 2)],
        [(b"irot", 3)],
        [(b"imir", 0)],
        [(b"imir", 1)],
        [(b"irot", 1), (b"imir", 0)],
        [(b"irot", 1), (b"imir", 1)],
    ],
    ids=str,
)
def test_a_picture_is_upright(tmp_path: Path, turns: Turns, made: Any) -> None:
    """FFmpeg turns a picture that is stored whole, and the tiles of another are turned here: both the same way."""
    boxes = tuple(box(kind, bytes((value,))) for kind, value in turns)
    (tmp_path / "a.heic").write_bytes(made(corners(), turns=boxes))
    assert_near(read_picture(tmp_path / "a.heic"), is_shown(turns, corners()))


def test_a_picture_without_tiles(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.avif"), "w") as container:
        stream: Any = container.add_stream("libsvtav1", rate=1, options={"crf": "15", "preset": "12"})
        stream.width, stream.height, stream.pix_fmt = 160, 100, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="bgr24")))
        container.mux(stream.encode(None))
    assert_near(read_picture(tmp_path / "a.avif"), corners())


def test_in_a_folder_as_a_background_and_through_the_command(tmp_path: Path, tiled: bytes, bgcam: Run) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.heic").write_bytes(tiled)
    cv2.imwrite(str(tmp_path / "in" / "a.png"), corners((32, 32)))
    source = open_source(input=str(tmp_path / "in"))
    assert [frame.size_wh for frame in iter(source.read, None)] == [(32, 32), (160, 100)]
    background = open_background(str(tmp_path / "in" / "b.heic"))
    frame = CameraFrame(0, np.zeros((100, 160, 3), np.uint8), 0.0, 0.0)
    matte = CoarseMatte(0, np.zeros((9, 9), np.float32), np.zeros((9, 9, 3), np.uint8))
    assert_near(background.picture(frame, matte), corners())
    out = tmp_path / "out.png"
    code = bgcam("--input", str(tmp_path / "in" / "b.heic"), "--background", "none", "--output", str(out))[0]
    assert code == 0
    assert_near(read_picture(out), corners())


def test_they_are_written_to_a_folder_as_jpegs(tmp_path: Path, tiled: bytes, bgcam: Run) -> None:
    (tmp_path / "in" / "trip").mkdir(parents=True)
    for name in ("a.heic", "trip/b.AVIF", "c.png", "d.jpg"):
        (tmp_path / "in" / name).write_bytes(tiled)
    code, _, err = bgcam("--input", str(tmp_path / "in"), "--background", "none", "--output", f"{tmp_path}/out/")
    assert (code, err) == (0, "")
    written = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [str(path.relative_to(tmp_path / "out")) for path in written] == ["a.jpg", "c.png", "d.jpg", "trip/b.jpg"]
    for path in written:
        assert_near(read_picture(path), corners())
    assert (tmp_path / "out" / "c.png").read_bytes()[:4] == b"\x89PNG"


def test_over_100_megapixels_is_refused_by_its_header(tmp_path: Path, tiled: bytes) -> None:
    (tmp_path / "a.heic").write_bytes(heif(corners(), tile=TILE, announced_wh=(60_000, 60_000)))
    with pytest.raises(SourceError, match=r"a\.heic: 60000x60000 is over 100 megapixels"):
        read_picture(tmp_path / "a.heic")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_cut_file_is_refused_in_a_line_that_names_heic(tmp_path: Path, tiled: bytes, share: float) -> None:
    (tmp_path / "a.heic").write_bytes(tiled[: int(share * len(tiled))])
    with pytest.raises(
        SourceError, match=r"a\.heic: not a readable HEIC or AVIF picture \(.*\); it may be cut off: get a whole copy"
    ) as caught:
        read_picture(tmp_path / "a.heic")
    one_line(caught.value, "a.heic")


def test_damaged_files(tiled: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    seen = {"read": 0, "refused": 0}

    @settings(quick, max_examples=60)
    @given(damages, front)
    def check(changes: list[tuple[float, bytes, str]], head: list[tuple[float, bytes, str]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.heic"
            path.write_bytes(tiled[:12] + damage(tiled[12:], changes + head))
            try:
                assert 0 < read_picture(path).size <= 3 * MAX_PIXELS
                seen["read"] += 1
            except SourceError as error:
                one_line(error, path.name)
                seen["refused"] += 1

    check()
    capfd.readouterr()  # FFmpeg's own lines
    assert seen["refused"] > 5, seen
