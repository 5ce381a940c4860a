"""The blend against the paper's formula, the blur of the room alone, foreground colours, and composing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, Matte
from bgcam.realtime.picture.blend import blend, blend_reference
from bgcam.realtime.picture.blur import blur_background
from bgcam.realtime.picture.compose import card, compose, matte_picture
from bgcam.realtime.picture.foreground import estimate_foreground


def disc(height: int, width: int, *, radius: float, softness: float = 6.0) -> NDArray[np.float32]:
    """Alpha of a disc in the middle, with a soft edge `softness` pixels wide."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x - width / 2, y - height / 2)
    return np.clip((radius - distance) / softness + 0.5, 0, 1).astype(np.float32)


def test_the_reference_is_the_formula() -> None:
    frame = np.full((1, 3, 3), 200, np.uint8)
    background = np.full((1, 3, 3), 100, np.uint8)
    alpha = np.array([[0.0, 0.25, 1.0]], np.float32)
    assert blend_reference(frame, background, alpha)[0, :, 0].tolist() == [100, 125, 200]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 67), st.integers(1, 67), st.integers(0, 2**32 - 1))
def test_blend_is_within_one_level_of_the_reference(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    frame, background = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    alpha = np.clip(random.uniform(-0.5, 1.5, (height, width)), 0, 1).astype(np.float32)
    before = frame.copy(), background.copy(), alpha.copy()
    out = blend(frame, background, alpha)
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - blend_reference(frame, background, alpha)).max() <= 1
    assert np.array_equal(out[alpha == 0], background[alpha == 0])
    assert np.array_equal(out[alpha == 1], frame[alpha == 1])
    assert all(np.array_equal(a, b) for a, b in zip(before, (frame, background, alpha), strict=True))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (333, 511), (720, 1280)])
def test_alpha_0_is_exactly_the_background_and_1_exactly_the_frame(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    frame, background = random.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    assert np.array_equal(blend(frame, background, np.zeros(shape, np.float32)), background)
    assert np.array_equal(blend(frame, background, np.ones(shape, np.float32)), frame)


def test_every_pair_of_levels_at_every_alpha_in_eighths() -> None:
    frame = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 256, axis=1).repeat(3, axis=2)
    background = frame.transpose(1, 0, 2).copy()
    for eighth in range(9):
        alpha = np.full((256, 256), eighth / 8, np.float32)
        difference = blend(frame, background, alpha).astype(int) - blend_reference(frame, background, alpha)
        assert np.abs(difference).max() <= 1


def test_blend_refuses_other_sizes() -> None:
    with pytest.raises(ValueError, match="sizes differ"):
        blend(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4), np.float32))


@pytest.mark.parametrize("strength", [1, 5, 10])
def test_the_person_does_not_leak_into_the_blur(strength: float) -> None:
    alpha = disc(360, 640, radius=110)
    room, person = np.array([200, 60, 40]), np.array([20, 220, 250])
    frame = np.rint(person * alpha[..., None] + room * (1 - alpha[..., None])).astype(np.uint8)
    blurred = blur_background(frame, alpha, strength=strength)
    assert blurred.shape == frame.shape
    seen = alpha < 0.999  # where alpha is 1 the background does not show at all
    assert np.abs(blurred.astype(int) - room)[seen].max() <= 12
    assert np.abs(blurred.astype(int) - room).max() <= 20  # not even behind the person's middle


def test_a_stronger_blur_leaves_less_detail() -> None:
    board = (np.indices((240, 320)).sum(axis=0) // 8 % 2 * 255).astype(np.uint8)
    frame = np.repeat(board[..., None], 3, axis=2)
    nobody = np.zeros((240, 320), np.float32)
    left = [blur_background(frame, nobody, strength=strength).std() for strength in (1, 3, 10)]
    assert frame.std() > left[0] > left[1] > left[2]
    assert abs(blur_background(frame, nobody, strength=10).mean() - frame.mean()) < 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 3), (33, 47)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_blur_takes_any_size_and_any_matte(shape: tuple[int, int], value: float) -> None:
    frame = np.full((*shape, 3), 90, np.uint8)
    blurred = blur_background(frame, np.full(shape, value, np.float32))
    assert blurred.shape == frame.shape
    if value == 0.0:
        assert np.abs(blurred.astype(int) - 90).max() <= 1


def test_foreground_colours_lose_the_room() -> None:
    alpha = disc(240, 320, radius=80, softness=16)
    room, person = np.array([40, 200, 40]), np.array([60, 80, 210])
    frame = np.rint(person * alpha[..., None] + room * (1 - alpha[..., None])).astype(np.uint8)
    estimated = estimate_foreground(frame, alpha).astype(int)
    edge = (alpha > 0.1) & (alpha < 0.9)
    assert np.abs(frame.astype(int) - person)[edge].mean() > 40
    assert np.abs(estimated - person)[edge].mean() < 8
    assert np.array_equal(estimated[alpha == 1], frame[alpha == 1])


def test_compose_pairs_a_frame_with_its_own_matte_only() -> None:
    frame = CameraFrame(3, np.full((4, 6, 3), 9, np.uint8), 0.1, 5.0)
    background = np.full((4, 6, 3), 200, np.uint8)
    composed = compose(frame, Matte(3, np.zeros((4, 6), np.float32)), background)
    assert (composed.number, composed.time_s, composed.captured_s) == (3, 0.1, 5.0)
    assert np.array_equal(composed.bgr, background)
    with pytest.raises(ValueError, match="another frame's"):
        compose(frame, Matte(2, np.zeros((4, 6), np.float32)), background)
    with pytest.raises(ValueError, match="the sizes differ"):
        compose(frame, Matte(3, np.zeros((6, 4), np.float32)), background)
    with pytest.raises(ValueError, match="background of shape"):
        compose(frame, Matte(3, np.zeros((4, 6), np.float32)), background[:2])


def test_cards_and_matte_pictures() -> None:
    background = np.full((2, 3, 3), 7, np.uint8)
    assert np.array_equal(card(5, background).bgr, background)
    frame = CameraFrame(0, background, 0.0, 0.0)
    matte = Matte(0, np.array([[0, 0.5, 1], [0.25, 0.75, 0.001]], np.float32))
    assert matte_picture(frame, matte).bgr[..., 1].tolist() == [[0, 128, 255], [64, 191, 0]]
