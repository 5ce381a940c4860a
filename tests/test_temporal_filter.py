"""Steady mattes: the reference, still scenes, movement, cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bgcam.realtime.picture.temporal_filter import CUT, Kept, temporal_filter, temporal_filter_reference


def edge_at(column: float, *, width: int = 64, height: int = 48) -> NDArray[np.float32]:
    """Alpha of a person who stands to the right of a column, with an edge 4 cells wide."""
    row = np.clip((np.arange(width) - column) / 4 + 0.5, 0, 1)
    return np.repeat(row[None], height, axis=0).astype(np.float32)


def picture_of(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(70 + 80 * alpha).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 30, 255]))
def test_fast_is_the_reference(height: int, width: int, seed: int, change: int) -> None:
    random = np.random.default_rng(seed)
    fast = plain = None
    alpha = random.uniform(0, 1, (height, width))
    luma = random.integers(0, 256, (height, width))
    for _ in range(4):
        alpha = np.clip(alpha + random.normal(0, 0.15, alpha.shape), 0, 1)
        luma = np.clip(luma + random.integers(-change, change + 1, luma.shape), 0, 255)
        given_alpha, given_luma = alpha.astype(np.float32), luma.astype(np.uint8)
        before = given_alpha.copy()
        fast = temporal_filter(given_alpha, given_luma, fast)
        plain = temporal_filter_reference(given_alpha, given_luma, plain)
        assert fast.alpha.dtype == fast.luma.dtype == np.float32
        assert np.abs(fast.alpha - plain.alpha).max() < 1e-4
        assert np.abs(fast.luma - plain.luma).max() < 1e-2
        assert np.array_equal(given_alpha, before)
        assert 0 <= fast.alpha.min() <= fast.alpha.max() <= 1
        fast = Kept(plain.alpha, plain.luma)  # a rounding error must not push one of them over a threshold alone


def test_a_still_scene_stands_still() -> None:
    random = np.random.default_rng(0)
    truth = edge_at(30)
    kept = None
    shown, given_mattes = [], []
    for _ in range(40):
        flutter = random.normal(0, 0.12, truth.shape) * truth * (1 - truth)
        alpha = np.clip(truth + flutter, 0, 1).astype(np.float32)
        luma = np.clip(picture_of(truth) + random.normal(0, 1.5, truth.shape), 0, 255).astype(np.uint8)
        kept = temporal_filter(alpha, luma, kept)
        shown.append(kept.alpha)
        given_mattes.append(alpha)
    flicker = np.abs(np.diff(shown[10:], axis=0)).mean()
    assert flicker < 0.3 * np.abs(np.diff(given_mattes[10:], axis=0)).mean()
    assert np.abs(np.mean(shown[10:], axis=0) - truth).max() < 0.05


def test_what_moves_does_not_ghost() -> None:
    kept = None
    for step in range(12):
        alpha = edge_at(10 + 3 * step)
        kept = temporal_filter(alpha, picture_of(alpha), kept)
        assert np.abs(kept.alpha - alpha).max() < 0.02


def test_slow_movement_does_not_lag() -> None:
    kept = None
    for step in range(60):
        alpha = edge_at(20 + 0.1 * step)
        kept = temporal_filter(alpha, picture_of(alpha), kept)
    assert kept is not None
    assert np.abs(kept.alpha - alpha).max() < 0.1  # 4 frames' way


def test_what_has_gone_leaves_no_trace() -> None:
    gray = np.full((4, 4), 90, np.uint8)
    for sure in (0.0, 0.02, 0.98, 1.0):
        kept = temporal_filter(np.full((4, 4), 0.5, np.float32), gray, None)
        kept = temporal_filter(np.full((4, 4), sure, np.float32), gray, kept)
        assert np.abs(kept.alpha - sure).max() < 1e-6


def test_a_matte_that_changes_for_good_is_followed() -> None:
    gray = np.full((12, 16), 90, np.uint8)
    kept = temporal_filter(np.zeros((12, 16), np.float32), gray, None)
    for _ in range(4):
        kept = temporal_filter(np.full((12, 16), 0.7, np.float32), gray, kept)
    assert np.abs(kept.alpha - 0.7).max() < 0.1


def test_near_0_and_1_a_flutter_is_held_back() -> None:
    gray = np.full((4, 4), 90, np.uint8)
    for sure, flutter in ((0.0, 0.12), (1.0, 0.88)):
        kept = temporal_filter(np.full((4, 4), sure, np.float32), gray, None)
        kept = temporal_filter(np.full((4, 4), flutter, np.float32), gray, kept)
        assert np.abs(kept.alpha - sure).max() < 0.01


def test_a_cut_and_a_new_size_start_anew() -> None:
    before = temporal_filter(edge_at(20), np.full((48, 64), 10, np.uint8), None)
    after_cut = temporal_filter(edge_at(50), np.full((48, 64), int(10 + CUT + 1), np.uint8), before)
    assert np.array_equal(after_cut.alpha, edge_at(50))
    small = edge_at(8, width=16, height=12)
    assert np.array_equal(temporal_filter(small, picture_of(small), before).alpha, small)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not match luma"):
        temporal_filter(np.zeros((4, 5), np.float32), np.zeros((5, 4), np.uint8), None)
