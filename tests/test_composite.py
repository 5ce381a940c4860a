"""The blend against the paper's formula, and composing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgcam.realtime.frames import CameraFrame, Matte
from bgcam.realtime.picture.composed import compose, composed, placeholder
from bgcam.realtime.picture.composite import blend, composite_reference


def test_the_reference_is_the_formula() -> None:
    frame = np.full((1, 3, 3), 200, np.uint8)
    background = np.full((1, 3, 3), 100, np.uint8)
    alpha = np.array([[0.0, 0.25, 1.0]], np.float32)
    assert composite_reference(frame, background, alpha)[0, :, 0].tolist() == [100, 125, 200]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 67), st.integers(1, 67), st.integers(0, 2**32 - 1))
def test_blend_is_within_one_level_of_the_reference(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    frame, background = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    alpha = np.clip(random.uniform(-0.5, 1.5, (height, width)), 0, 1).astype(np.float32)
    before = frame.copy(), background.copy(), alpha.copy()
    out = blend(frame, background, alpha)
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - composite_reference(frame, background, alpha)).max() <= 1
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
        difference = blend(frame, background, alpha).astype(int) - composite_reference(frame, background, alpha)
        assert np.abs(difference).max() <= 1


def test_blend_refuses_other_sizes() -> None:
    with pytest.raises(ValueError, match="sizes differ"):
        blend(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4), np.float32))


def test_compose_pairs_a_frame_with_its_own_matte_only() -> None:
    frame = CameraFrame(3, np.full((4, 6, 3), 9, np.uint8), 0.1, 5.0)
    background = np.full((4, 6, 3), 200, np.uint8)
    composed = compose(frame, Matte(3, np.zeros((4, 6), np.float32)), background)
    assert (composed.number, composed.time_s, composed.captured_s) == (3, 0.1, 5.0)
    assert np.array_equal(composed.bgr, background)
    with pytest.raises(ValueError, match="another frame"):
        compose(frame, Matte(2, np.zeros((4, 6), np.float32)), background)
    with pytest.raises(ValueError, match="the sizes differ"):
        compose(frame, Matte(3, np.zeros((6, 4), np.float32)), background)
    with pytest.raises(ValueError, match="background of shape"):
        compose(frame, Matte(3, np.zeros((4, 6), np.float32)), background[:2])


def test_a_placeholder_is_the_background_alone() -> None:
    background = np.full((2, 3, 3), 7, np.uint8)
    assert np.array_equal(placeholder(5, background).bgr, background)


def test_a_composed_frame_has_its_frames_number_and_size() -> None:
    frame = CameraFrame(4, np.full((2, 3, 3), 7, np.uint8), 0.5, 6.0)
    made = composed(frame, np.zeros((2, 3, 3), np.uint8))
    assert (made.number, made.time_s, made.captured_s) == (4, 0.5, 6.0)
    with pytest.raises(ValueError, match="cannot have become"):
        composed(frame, np.zeros((3, 2, 3), np.uint8))
