"""The blur of the room alone."""

from __future__ import annotations

import numpy as np
import pytest
from picture_scenes import before, disc, shrunk

from bgcam.realtime.picture.blur import blur_background


@pytest.mark.parametrize("strength", [1, 5, 10])
@pytest.mark.parametrize("network_wh", [(320, 192), (160, 120)])
def test_the_person_does_not_leak_into_the_blur(strength: float, network_wh: tuple[int, int]) -> None:
    alpha = disc(360, 640, radius=110)
    room, person = np.array([200, 60, 40]), np.array([20, 220, 250])
    frame = before(alpha, person, room)
    seen, small = shrunk(frame, network_wh), shrunk(alpha, network_wh)
    blurred = blur_background(seen, small, frame_wh=(640, 360), strength=strength)  # type: ignore[arg-type]
    assert blurred.shape == frame.shape
    assert np.abs(blurred.astype(int) - room)[alpha < 0.999].max() <= 12  # where alpha is 1 it does not show at all
    assert np.abs(blurred.astype(int) - room).max() <= 30  # not even behind the person's middle


@pytest.mark.parametrize("frame_wh", [(320, 240), (1280, 720)])
def test_a_stronger_blur_leaves_less_detail(frame_wh: tuple[int, int]) -> None:
    board = (np.indices((240, 320)).sum(axis=0) // 12 % 2 * 255).astype(np.uint8)
    seen = np.repeat(board[..., None], 3, axis=2)
    nobody = np.zeros((240, 320), np.float32)
    pictures = [blur_background(seen, nobody, frame_wh=frame_wh, strength=strength) for strength in range(1, 11)]
    left = [float(picture.std()) for picture in pictures]
    assert board.std() > left[0] > left[2] > left[4] + 5
    assert left[9] < 5
    assert abs(float(pictures[9].mean()) - board.mean()) < 3


def test_a_step_blurs_as_far_as_its_sigma_says() -> None:
    step = np.zeros((192, 320, 3), np.uint8)
    step[:, 160:] = 200
    for strength, sigma_px in ((2, 7.2), (5, 18.0), (10, 36.0)):
        blurred = blur_background(step, np.zeros((192, 320), np.float32), frame_wh=(1280, 720), strength=strength)
        row = blurred[360, :, 0].astype(float)
        # From 16 % to 84 % of a Gaussian edge it is two sigmas.
        width_px = np.searchsorted(row, 0.84 * 200) - np.searchsorted(row, 0.16 * 200)
        assert width_px == pytest.approx(2 * sigma_px, rel=0.2, abs=3)


@pytest.mark.parametrize("frame_wh", [(1, 1), (9, 1), (3, 5), (47, 33)])
@pytest.mark.parametrize("network_wh", [(1, 1), (16, 16)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_blur_takes_any_size_and_any_matte(
    frame_wh: tuple[int, int], network_wh: tuple[int, int], value: float
) -> None:
    seen = np.full((*network_wh[::-1], 3), 90, np.uint8)
    blurred = blur_background(seen, np.full(network_wh[::-1], value, np.float32), frame_wh=frame_wh)
    assert blurred.shape == (*frame_wh[::-1], 3)
    if value == 0.0:
        assert np.abs(blurred.astype(int) - 90).max() <= 1
