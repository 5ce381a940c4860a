"""The stages that are off by default, each against plain NumPy: edges, light match, light wrap, views."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_scenes import disc, shrunk

from bgcam.realtime.picture.edges import STEEPER, STEP_SHARE, move_edge, sharpen_edge
from bgcam.realtime.picture.foreground import grid_of
from bgcam.realtime.picture.light_match import light_gains, light_table
from bgcam.realtime.picture.light_wrap import light_wrap
from bgcam.realtime.picture.views import checkerboard, four_in_one, matte_view

Float = NDArray[np.float32]


def cross(alpha: NDArray[np.float64], *, largest: bool) -> NDArray[np.float64]:
    """The largest or smallest of each cell and its four neighbours; what lies outside never is."""
    padded = np.pad(alpha, 1, constant_values=-np.inf if largest else np.inf)
    parts = [padded[1:-1, 1:-1], padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    found: NDArray[np.float64] = np.max(parts, axis=0) if largest else np.min(parts, axis=0)
    return found


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.integers(1, 60), st.floats(-5, 5), st.integers(0, 2**32 - 1))
def test_moving_the_edge_is_the_reference(height: int, width: int, steps: float, seed: int) -> None:
    alpha = np.random.default_rng(seed).uniform(0, 1, (height, width)).astype(np.float32)
    before = alpha.copy()
    expected, left = alpha.astype(np.float64), abs(steps) * STEP_SHARE * min(height, width)
    while left > 0:
        share = min(left, 1.0)
        expected = (1 - share) * expected + share * cross(expected, largest=steps > 0)
        left -= 1
    moved = move_edge(alpha, steps=steps)
    assert moved.dtype == np.float32
    assert np.abs(moved - expected).max() < 1e-5
    assert np.array_equal(alpha, before)


def test_a_step_is_two_pixels_of_720_lines() -> None:
    row = np.clip((np.arange(320) - 160) / 8 + 0.5, 0, 1).astype(np.float32)
    alpha = np.repeat(row[None], 192, axis=0)
    for steps in (-4, -2, 2, 4):
        moved_cells = float((move_edge(alpha, steps=steps) - alpha)[96].sum())
        assert moved_cells * 720 / 192 == pytest.approx(2 * steps, rel=0.1)


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_sharpening_is_the_formula(steps: int) -> None:
    alpha = np.linspace(0, 1, 101, dtype=np.float32)[None]
    sharp = sharpen_edge(alpha, steps=steps)
    assert np.abs(sharp - np.clip(0.5 + (alpha - 0.5) * STEEPER**steps, 0, 1)).max() < 1e-6
    assert sharp[0, 50] == pytest.approx(0.5)


def gains(room: tuple[int, int, int], behind: tuple[int, int, int], *, strength: float = 10) -> Float:
    seen = np.full((48, 64, 3), room, np.uint8)
    return light_gains(seen, disc(48, 64, radius=12), np.full((90, 160, 3), behind, np.uint8), strength=strength)


def test_the_same_light_and_no_strength_change_nothing() -> None:
    assert np.allclose(gains((80, 90, 100), (80, 90, 100)), 1, atol=1e-3)
    assert np.array_equal(gains((80, 90, 100), (200, 20, 20), strength=0), np.ones(3))
    nobody_sees = np.full((4, 4, 3), 50, np.uint8)
    all_person = np.ones((4, 4), np.float32)
    assert np.array_equal(light_gains(nobody_sees, all_person, nobody_sees, strength=10), np.ones(3))


def test_exposure_and_balance_go_the_backgrounds_way_within_limits() -> None:
    for level, brighter in ((240, True), (10, False)):
        exposure = gains((100, 100, 100), (level,) * 3)
        assert np.allclose(exposure, exposure[0], atol=1e-5)
        assert (exposure[0] > 1.2) == brighter
        assert 1 / 1.5 - 1e-5 <= exposure[0] <= 1.5 + 1e-5
    warm, cold = gains((100, 100, 100), (30, 110, 220)), gains((100, 100, 100), (220, 110, 30))
    assert warm[2] / warm[0] == pytest.approx(1.25, abs=1e-4)
    assert cold[2] / cold[0] == pytest.approx(1 / 1.25, abs=1e-4)
    half, full = (gains((100, 100, 100), (60, 60, 60), strength=strength)[0] for strength in (5, 10))
    assert half == pytest.approx(full**0.5, abs=1e-3)


@pytest.mark.parametrize("gain", [0.67, 1.0, 1.5])
def test_the_table_keeps_black_and_white_and_never_turns(gain: float) -> None:
    table = light_table(np.array([gain, 1.0, gain], np.float32))[:, 0].astype(int)
    assert (table[0] == 0).all()
    assert np.array_equal(table[:, 1], np.arange(256))
    assert (np.diff(table, axis=0) >= 0).all()
    assert table[255, 0] == round(255 * min(gain, 1.0))
    assert table[40, 0] == pytest.approx(40 * gain / (1 + max(0.0, gain - 1) * 40 / 255), abs=0.51)


def test_light_wrap_falls_off_inwards_and_has_the_backgrounds_colour() -> None:
    alpha = disc(192, 320, radius=60, softness=3)
    behind = np.full((720, 1280, 3), (200, 100, 50), np.uint8)
    glow = light_wrap(alpha, behind, strength=10)
    grid = grid_of((1280, 720), (320, 192))
    assert glow.shape == (grid.rows, grid.columns, 3)
    share = glow / np.array([200, 100, 50])
    assert np.abs(share - share[..., :1]).max() < 0.02
    middle = share[grid.rows // 2, :, 0]
    inwards = middle[grid.columns // 2 - 45 : grid.columns // 2]
    assert (np.diff(inwards) <= 1e-4).all()
    assert inwards[-1] < 0.01
    edge = grid.columns // 2 - round(60 * 4 / grid.cell_px)
    assert middle[edge] == pytest.approx(0.7, abs=0.12)
    half = light_wrap(alpha, behind, strength=5)
    assert np.abs(2 * half - glow).max() < 0.1


@pytest.mark.parametrize("size_wh", [(1, 1), (2, 3), (33, 47), (64, 48)])
def test_views_take_any_size(size_wh: tuple[int, int]) -> None:
    shape = (size_wh[1], size_wh[0], 3)
    alpha = np.random.default_rng(1).uniform(0, 1, shape[:2]).astype(np.float32)
    matte = matte_view(alpha)
    assert np.array_equal(matte, np.repeat(np.rint(alpha * 255).astype(np.uint8)[..., None], 3, axis=2))
    assert checkerboard(size_wh).shape == shape
    four = four_in_one([np.full(shape, level, np.uint8) for level in (10, 20, 30, 40)])
    assert four.shape == shape
    assert four[-1, -1, 0] == 40
    if min(size_wh) > 1:
        assert [four[0, 0, 0], four[0, -1, 0], four[-1, 0, 0]] == [10, 20, 30]


def test_the_grid_sees_the_matte_where_it_is() -> None:
    alpha = np.asarray(shrunk(disc(180, 320, radius=50), (160, 96)), np.float32)
    glow = light_wrap(alpha, np.full((180, 320, 3), 255, np.uint8), strength=10)
    outside = np.asarray(cv2.resize(glow[..., 0], (320, 180)), np.float32)
    assert outside[90, 160] < 5
    assert outside[5, 5] > 0.9 * outside.max()
