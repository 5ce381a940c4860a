"""Backgrounds of another shape than the camera's: slides are shown whole, photos fill the picture, both can change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import write_clip
from live_run import LiveRun
from waiting import wait_for

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.fit import fit_background
from bgcam.realtime.backgrounds.whole import DIM, whole
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.settings import Settings

SIZE_WH = (64, 36)
NOBODY = CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
EDGE, INNER = 240, 120


def slide(size_wh: tuple[int, int] = (60, 60)) -> Any:
    """Grey, with text at its upper and lower edge: light lines."""
    bgr = np.full((size_wh[1], size_wh[0], 3), INNER, np.uint8)
    bgr[:6] = bgr[-6:] = EDGE
    return bgr


def shown(background: Any, *, size_wh: tuple[int, int] = SIZE_WH) -> Any:
    return background.picture(CameraFrame(0, np.zeros((size_wh[1], size_wh[0], 3), np.uint8), 0.0, 0.0), NOBODY)


def has_its_edges(bgr: Any) -> bool:
    """Whether the light lines at the edges of `slide` are in the picture."""
    middle = bgr[:, bgr.shape[1] // 2, 0]
    return bool(middle[0] > INNER + 50 and middle[-1] > INNER + 50)


def test_slides_are_shown_whole_and_photos_fill_the_picture(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), slide())
    assert has_its_edges(shown(open_background(str(tmp_path))))
    photo = shown(open_background(str(tmp_path / "a.png")))
    assert (photo == INNER).all()


@pytest.mark.parametrize(
    ("fit", "presented", "folder", "one"),
    [
        ("auto", False, True, False),
        ("auto", True, True, True),  # a single page behind the presenter is a slide too
        ("cover", True, False, False),
        ("contain", False, True, True),
    ],
)
def test_the_setting_decides(tmp_path: Path, fit: str, presented: bool, folder: bool, one: bool) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), slide())
    for spec, expected in ((tmp_path, folder), (tmp_path / "a.png", one)):
        background = open_background(str(spec))
        before = shown(background)
        fit_background(background, fit, presented=presented)
        after = shown(background)
        assert has_its_edges(after) is expected
        assert shown(background) is after
        assert np.array_equal(before, after) is (expected is (spec == tmp_path))


def test_the_bars_are_the_picture_blurred_and_dark() -> None:
    bgr = slide()
    bgr[:, :, 0] //= 2
    fitted = whole(bgr, SIZE_WH)
    assert fitted.shape == (36, 64, 3)
    assert fitted.dtype == np.uint8
    assert np.abs(fitted[18, 32].astype(int) - bgr[30, 30]).max() <= 1
    bar = fitted[:, :13].astype(int)
    assert np.abs(bar.mean((0, 1)) - DIM * bgr.mean((0, 1))).max() < 12
    assert bar.max() < INNER


@pytest.mark.parametrize("size_wh", [(1, 1), (640, 3), (3, 640), (64, 48), (37, 91)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (48, 64)])
def test_every_shape_fits_every_size(shape: tuple[int, int], size_wh: tuple[int, int]) -> None:
    fitted = whole(np.full((*shape, 3), 50, np.uint8), size_wh)
    assert fitted.shape == (size_wh[1], size_wh[0], 3)
    assert fitted.max() == 50


def test_a_sliver_is_cropped_rather_than_framed() -> None:
    nearly = np.full((768, 1366, 3), 200, np.uint8)  # 16:9, but for a pixel
    assert (whole(nearly, (1280, 720)) == 200).all()


def test_a_colour_has_no_bars_and_a_video_can_have_them(tmp_path: Path) -> None:
    colour = open_background("navy")
    fit_background(colour, "contain", presented=False)
    assert len(np.unique(shown(colour).reshape(-1, 3), axis=0)) == 1
    video = open_background(str(write_clip(tmp_path / "clip.mkv", frames=3, size_wh=(32, 32))))
    covered = shown(video).copy()
    fit_background(video, "contain", presented=False)
    assert not np.array_equal(shown(video), covered)
    video.close()


def test_it_changes_while_frames_flow_with_the_presenter_and_in_the_placeholder(tmp_path: Path) -> None:
    bgr = np.zeros((400, 100, 3), np.uint8)  # much taller than any camera's picture
    bgr[..., 0] = 100
    bgr[:40, :, 0] = bgr[-40:, :, 0] = 250
    cv2.imwrite(str(tmp_path / "page.png"), bgr)

    with LiveRun(begins_with="navy", real=open_background) as run:
        control = LiveControl(
            run.run, run.camera, Settings(background="navy", crossfade_s=0), keep_choice=lambda background: None
        )

        def edges(expected: bool) -> bool:
            """In the picture and in the placeholder."""
            now = (run.sink.pictures[-1], run.live.scene.behind.newest_bgr)
            return all((int(one[1, one.shape[1] // 2, 0]) > 200) is expected for one in now)

        control.change({"background": str(tmp_path / "page.png")})
        wait_for(lambda: edges(False))
        control.change({"background_fit": "contain"})
        wait_for(lambda: edges(True))
        control.change({"background_fit": "auto"})
        wait_for(lambda: edges(False))
        control.change({"presenter": "bottom-right"})
        wait_for(lambda: edges(True))
        control.change({"presenter": "off"})
        wait_for(lambda: edges(False))
        assert not run.sink.leaks + run.file.leaks
