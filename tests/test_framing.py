"""`--frame follow`: where the crop goes, that it rests and glides, and what it cuts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.picture.framing import MAX_ZOOM, WHOLE, Crop, Follow, _cut, _cut_finely, crop_frame, target_crop


def figure(
    x: float, *, top: float = 0.3, width: float = 0.25, shape: tuple[int, int] = (96, 160)
) -> NDArray[np.float32]:
    """A head above shoulders, at shares of the frame."""
    alpha = np.zeros(shape, np.float32)
    height, full = shape
    left, right = int((x - width / 2) * full), int((x + width / 2) * full)
    shoulders = int((top + 0.3) * height)
    alpha[shoulders:, max(left, 0) : right] = 1
    alpha[int(top * height) : shoulders, max(int((x - width / 5) * full), 0) : int((x + width / 5) * full)] = 1
    return alpha


def test_nobody_shows_the_whole_frame() -> None:
    assert target_crop(np.zeros((96, 160), np.float32)) == WHOLE


@pytest.mark.parametrize("x", [0.3, 0.5, 0.68])
def test_the_crop_centres_the_person(x: float) -> None:
    crop = target_crop(figure(x))
    assert crop.x == pytest.approx(x, abs=0.02)
    assert 1 / MAX_ZOOM <= crop.side <= 0.6
    assert crop.y - crop.side / 2 < 0.3  # the head is in it


@pytest.mark.parametrize("x", [0.0, 0.1, 0.9, 1.0])
def test_the_crop_never_leaves_the_frame(x: float) -> None:
    crop = target_crop(figure(x, width=0.5))
    for middle in (crop.x, crop.y):
        assert crop.side / 2 - 1e-9 <= middle <= 1 - crop.side / 2 + 1e-9


def test_it_starts_at_its_target_and_rests_while_the_person_nods() -> None:
    follow = Follow()
    start = follow.step(figure(0.4), seconds=0)
    assert start == target_crop(figure(0.4))
    for number in range(1, 30):
        assert follow.step(figure(0.4 + 0.005 * (number % 3)), seconds=number / 30) == start


def test_it_glides_to_a_person_who_moved() -> None:
    follow = Follow()
    crops = [follow.step(figure(0.35), seconds=0)]
    crops += [follow.step(figure(0.6), seconds=number / 30) for number in range(1, 120)]
    ways = np.diff([crop.x for crop in crops])
    assert ways.min() >= 0
    assert ways.max() < 0.02
    assert crops[-1].x == pytest.approx(0.6, abs=0.02)


def test_after_a_gap_it_starts_anew() -> None:
    follow = Follow()
    follow.step(figure(0.3), seconds=0)
    assert follow.step(figure(0.7), seconds=5) == target_crop(figure(0.7))


def test_frame_and_matte_are_cut_alike() -> None:
    frame = CameraFrame(2, np.zeros((60, 80, 3), np.uint8), 0.1, 0.2)
    frame.room_bgr[30:45, 40:60] = 255  # the middle half, of the crop below
    small = np.zeros((30, 40), np.float32)
    small[15:23, 20:30] = 1
    seen = frame.room_bgr[::2, ::2].copy()
    cut, coarse = crop_frame(frame, CoarseMatte(2, small, seen), Crop(0.625, 0.625, 0.5))
    assert (cut.number, cut.size_wh, cut.time_s, cut.captured_s) == (2, (80, 60), 0.1, 0.2)
    assert cut.room_bgr[17:42, 22:58].min() > 250
    assert cut.room_bgr[:13].max() < 5
    bright = cut.room_bgr[::2, ::2, 0] / 255
    assert np.abs(coarse.alpha - bright).mean() < 0.05
    assert np.abs(coarse.seen_bgr[..., 0] / 255 - bright).mean() < 0.05


def test_the_whole_frame_is_not_touched() -> None:
    frame = CameraFrame(0, np.zeros((6, 8, 3), np.uint8), 0.0, 0.0)
    coarse = CoarseMatte(0, np.zeros((3, 4), np.float32), np.zeros((3, 4, 3), np.uint8))
    assert crop_frame(frame, coarse, WHOLE) == (frame, coarse)


@pytest.mark.parametrize(
    "crop", [Crop(0.5, 0.5, 0.5), Crop(0.41, 0.63, 0.731), Crop(0.3, 0.25, 0.5), Crop(0.9, 0.9, 0.2)]
)
@pytest.mark.parametrize("size_wh", [(160, 96), (333, 251), (7, 5)])
def test_the_fast_cut_is_the_fine_one_to_a_pixel(crop: Crop, size_wh: tuple[int, int]) -> None:
    x, y = np.meshgrid(np.linspace(0, 250, size_wh[0]), np.linspace(0, 250, size_wh[1]))
    slopes = np.dstack([x, y, 250 - x]).astype(np.uint8)
    step = 250 / min(size_wh)  # one pixel's difference; the crop only makes it smaller
    inside = crop.inside()
    assert np.abs(_cut(slopes, inside).astype(int) - _cut_finely(slopes, inside)).max() <= step + 1
