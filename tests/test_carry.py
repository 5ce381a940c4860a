"""realtime/picture/carry.py: a matte moves as the picture does, and what cannot be followed is doubted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.picture.carry import carry, warp

Float = NDArray[np.float32]
Luma = NDArray[np.uint8]

WIDTH, HEIGHT = 320, 192


def texture(seed: int, low: int, high: int, size_wh: tuple[int, int] = (WIDTH, HEIGHT)) -> Float:
    small = np.random.default_rng(seed).uniform(low, high, (size_wh[1] // 14 + 2, size_wh[0] // 14 + 2))
    return np.asarray(cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC), np.float32)


def disc(right: float, down: float, *, gain: float = 1.0, noise: float = 0.0) -> tuple[Float, Luma]:
    """A bright textured disc before a textured room, moved by this much: its alpha, and the picture's luma."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    distance = np.hypot(x - 150 - right, y - 100 - down)
    alpha = np.asarray(np.clip((60 - distance) / 4 + 0.5, 0, 1), np.float32)
    inside = cv2.warpAffine(
        texture(1, 110, 230),
        np.array([[1, 0, right], [0, 1, down]], np.float64),
        (WIDTH, HEIGHT),
        borderMode=cv2.BORDER_REPLICATE,
    )
    luma = gain * (alpha * inside + (1 - alpha) * texture(2, 20, 120))
    luma = luma + noise * np.random.default_rng(int(abs(7 * right))).normal(size=luma.shape)
    return alpha, np.asarray(np.clip(np.rint(luma), 0, 255), np.uint8)


def warp_reference(values: Float, v: Float, *, at: tuple[int, int] = (0, 0)) -> NDArray[np.float64]:
    """As `warp`, in plain NumPy."""
    height, width = v.shape[:2]
    x = np.clip(np.arange(width) + at[0] - v[..., 0].astype(np.float64), 0, values.shape[1] - 1)
    y = np.clip(np.arange(height)[:, None] + at[1] - v[..., 1].astype(np.float64), 0, values.shape[0] - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, below = np.minimum(left + 1, values.shape[1] - 1), np.minimum(top + 1, values.shape[0] - 1)
    upper = values[top, left] * (1 - (x - left)) + values[top, right] * (x - left)
    lower = values[below, left] * (1 - (x - left)) + values[below, right] * (x - left)
    result: NDArray[np.float64] = upper * (1 - (y - top)) + lower * (y - top)
    return result


@pytest.mark.parametrize(("shape", "at"), [((37, 53), (0, 0)), ((8, 8), (11, 5)), ((1, 3), (0, 2))])
def test_the_warp_is_bilinear_and_repeats_the_border(shape: tuple[int, int], at: tuple[int, int]) -> None:
    random = np.random.default_rng(3)
    values = random.random((41, 60), np.float32)
    v = np.asarray(random.uniform(-9, 9, (*shape, 2)), np.float32)
    # OpenCV may round a place to 1/32 of a pixel.
    assert np.abs(warp(values, v, at=at) - warp_reference(values, v, at=at)).max() < 0.04


def test_a_warp_by_whole_pixels_is_exact() -> None:
    values = np.random.default_rng(4).random((20, 30), np.float32)
    moved = warp(values, np.full((20, 30, 2), (3, -2), np.float32))
    np.testing.assert_array_equal(moved[:-2, 3:], values[2:, :-3])


@pytest.mark.parametrize(("right", "down"), [(1.0, 0.0), (3.0, 1.0), (-5.0, 2.0), (0.5, -3.0), (7.0, 0.0)])
def test_a_moving_discs_matte_moves_with_it(right: float, down: float) -> None:
    alpha, before = disc(0, 0, noise=1.5)
    truth, luma = disc(right, down, noise=1.5)
    carried = carry(alpha, before, luma)
    assert not carried.fails
    assert carried.speed == pytest.approx(np.hypot(right, down), rel=0.2)
    left_behind = float(np.abs(alpha - truth).mean())
    assert float(np.abs(carried.alpha - truth).mean()) < 0.2 * left_behind
    assert carried.alpha.min() >= 0
    assert carried.alpha.max() <= 1


def test_a_still_picture_carries_the_very_same_matte() -> None:
    alpha, before = disc(0, 0, noise=2)
    _, luma = disc(0.001, 0, noise=2)
    luma[5, 5] += 1
    carried = carry(alpha, before, luma)
    assert carried.alpha is alpha
    assert not carried.fails


def test_a_change_of_exposure_is_no_motion() -> None:
    alpha, before = disc(0, 0)
    assert carry(alpha, before, disc(0, 0, gain=0.95)[1]).alpha is alpha
    truth, luma = disc(3, 1, gain=0.95)
    carried = carry(alpha, before, luma)
    assert not carried.fails
    assert float(np.abs(carried.alpha - truth).mean()) < 0.25 * float(np.abs(alpha - truth).mean())


def test_where_nothing_moves_nothing_is_changed() -> None:
    alpha, before = disc(0, 0)
    luma = before.copy()
    luma[60:80, 200:215] = before[60:80, 198:213]  # a small part of the edge
    soft = np.asarray(np.clip(alpha + 0.01 * np.random.default_rng(0).random(alpha.shape), 0, 1), np.float32)
    carried = carry(soft, before, luma)
    assert not carried.fails
    assert (carried.alpha != soft).any()
    np.testing.assert_array_equal(carried.alpha[:, :150], soft[:, :150])
    np.testing.assert_array_equal(carried.alpha[120:], soft[120:])


def test_a_cut_is_doubted() -> None:
    alpha, before = disc(0, 0)
    other = np.asarray(texture(9, 0, 255), np.uint8)
    assert carry(alpha, before, other).fails


@pytest.mark.parametrize(("right", "down"), [(40.0, 0.0), (0.0, -30.0), (20.0, 20.0)])
def test_fast_motion_is_doubted(right: float, down: float) -> None:
    alpha, before = disc(0, 0)
    assert carry(alpha, before, disc(right, down)[1]).fails


def test_what_comes_in_is_doubted() -> None:
    alpha, before = disc(0, 0)
    luma = before.copy()
    luma[40:110, 250:] = np.asarray(texture(5, 120, 250)[40:110, 250:], np.uint8)
    assert carry(alpha, before, luma).fails


def test_an_edge_that_does_not_move_with_what_is_inside_is_doubted() -> None:
    alpha, before = disc(0, 0)
    _, moved = disc(6, 0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inside = np.hypot(x - 150, y - 100) < 50
    luma = np.where(inside, moved, before)
    assert carry(alpha, before, luma).fails


def test_no_argument_is_changed() -> None:
    alpha, before = disc(0, 0)
    _, luma = disc(3, 1)
    copies = alpha.copy(), before.copy(), luma.copy()
    carry(alpha, before, luma)
    for now, then in zip((alpha, before, luma), copies, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 2), (17, 33), (96, 64), (191, 319)])
def test_any_size_is_carried(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(6)
    alpha = random.random(shape, np.float32)
    before, luma = (random.integers(0, 256, shape, np.uint8) for _ in range(2))
    for other in (before, luma, np.asarray(255 - before, np.uint8), np.zeros_like(before)):
        carried = carry(alpha, before, other)
        assert carried.alpha.shape == shape
        assert carried.alpha.dtype == np.float32
        assert np.isfinite(carried.alpha).all()
        assert carried.alpha.min() >= 0
        assert carried.alpha.max() <= 1


def test_what_does_not_fit_together_is_refused() -> None:
    alpha, luma = np.zeros((4, 6), np.float32), np.zeros((4, 6), np.uint8)
    with pytest.raises(ValueError, match="cannot be carried from luma"):
        carry(alpha, luma, luma[:2])
    with pytest.raises(ValueError, match="cannot be carried from luma float32"):
        carry(alpha, luma.astype(np.float32), luma)  # type: ignore[arg-type]
