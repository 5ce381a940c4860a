"""Guided upsampling against its reference, and what it promises of flat places and of edges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.picture.buffers import Buffers
from bgcam.realtime.picture.guided_filter import (
    HIGH,
    LOW,
    apply_coefficients,
    guided_coefficients,
    luma_of,
    upsample,
    upsample_reference,
    whole_matte,
)

SIDE = st.integers(1, 41)


def gray(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture that has this luma."""
    return np.repeat(luma[..., None], 3, axis=2)


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=80, deadline=None)
@given(SIDE, SIDE, st.integers(1, 130), st.integers(1, 130), st.integers(0, 2**32 - 1))
def test_fast_is_the_reference(height: int, width: int, full_height: int, full_width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    small = np.clip(random.uniform(-0.5, 1.5, (height, width)), 0, 1).astype(np.float32)
    small_luma, luma = noise(height, width, seed=seed), noise(full_height, full_width, seed=seed + 1)
    before = small.copy()
    alpha = upsample(small, gray(small_luma), gray(luma))
    assert alpha.shape == luma.shape
    assert alpha.dtype == np.float32
    assert np.abs(alpha - upsample_reference(small, small_luma, luma)).max() < 1e-3
    assert np.array_equal(small, before)


def test_fast_is_the_reference_at_720_lines() -> None:
    x = np.linspace(0, 12, 320, dtype=np.float32)
    small = np.clip(0.5 + np.sin(x)[None, :] * np.cos(x[:192])[:, None], 0, 1).astype(np.float32)
    luma = noise(720, 1280)
    small_luma = np.asarray(cv2.resize(luma, (320, 192), interpolation=cv2.INTER_AREA), np.uint8)
    difference = np.abs(upsample(small, gray(small_luma), gray(luma)) - upsample_reference(small, small_luma, luma))
    assert difference.max() < 1e-3


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, 0), (LOW - 0.001, 0), (0.003, 0), (0.997, 1), (HIGH + 0.001, 1), (1.0, 1)]
)
def test_nearly_0_and_nearly_1_become_exact_whatever_the_picture(value: float, expected: int) -> None:
    small = np.full((24, 32), value, np.float32)
    small += np.random.default_rng(3).uniform(-0.003, 0, small.shape).astype(np.float32) * (expected == 0)
    alpha = upsample(np.clip(small, 0, 1), noise(24, 32, 3), noise(180, 320, 3, seed=1))
    assert set(np.unique(alpha)) == {expected}


def test_without_contrast_in_the_picture_it_is_bilinear() -> None:
    small = np.random.default_rng(4).uniform(0.1, 0.9, (12, 16)).astype(np.float32)
    flat = np.full((90, 160, 3), 77, np.uint8)
    plain = cv2.resize(small, (160, 90), interpolation=cv2.INTER_LINEAR)
    expected = np.clip((plain - LOW) / (HIGH - LOW), 0, 1)
    assert np.abs(upsample(small, flat[:12, :16], flat) - expected).max() < 1e-4


def test_buffers_are_used_again_and_change_nothing() -> None:
    buffers = Buffers()
    small = np.random.default_rng(5).uniform(0, 1, (12, 16)).astype(np.float32)
    lines = guided_coefficients(small, luma_of(noise(12, 16, 3)))
    for shape in ((60, 90, 3), (60, 90, 3), (31, 47, 3)):
        frame = noise(*shape, seed=shape[0])
        first = apply_coefficients(lines, frame, buffers=buffers)
        assert np.array_equal(first, upsample(small, noise(12, 16, 3), frame))
        assert apply_coefficients(lines, frame, buffers=buffers) is first


def test_places_are_parts_of_the_whole() -> None:
    small = np.random.default_rng(6).uniform(0, 1, (12, 16)).astype(np.float32)
    lines, frame = guided_coefficients(small, noise(12, 16)), noise(61, 90, 3)
    places = [(slice(0, 16), slice(0, 90)), (slice(48, 61), slice(32, 64))]
    whole, parts = apply_coefficients(lines, frame), apply_coefficients(lines, frame, regions=places)
    for place in places:
        assert np.array_equal(parts[place], whole[place])


def test_where_it_is_sure_alpha_is_0_or_1() -> None:
    x = np.linspace(0, 9, 64, dtype=np.float32)
    small = np.clip(0.5 + 2 * np.sin(x)[None, :] * np.cos(x[:48])[:, None], 0, 1)
    lines = guided_coefficients(small, noise(48, 64))  # type: ignore[arg-type]
    alpha = apply_coefficients(lines, noise(480, 640, 3, seed=1))
    beside_unsure = cv2.dilate(lines.unsure.astype(np.uint8), np.ones((3, 3), np.uint8))
    sure = cv2.resize(beside_unsure, (640, 480), interpolation=cv2.INTER_NEAREST) == 0
    assert sure.mean() > 0.3
    assert set(np.unique(alpha[sure])) == {0, 1}


def test_a_frame_takes_its_own_matte_only() -> None:
    frame = CameraFrame(3, noise(30, 40, 3), 0.0, 0.0)
    seen = noise(12, 16, 3)
    matte = whole_matte(frame, CoarseMatte(3, np.ones((12, 16), np.float32), seen))
    assert matte.number == 3
    assert np.array_equal(matte.alpha, np.ones((30, 40), np.float32))
    with pytest.raises(ValueError, match="another frame"):
        whole_matte(frame, CoarseMatte(2, np.ones((12, 16), np.float32), seen))
    with pytest.raises(ValueError, match="of the same size as the network's picture"):
        CoarseMatte(3, np.ones((16, 12), np.float32), seen)


def test_edges_follow_the_picture() -> None:
    truth = np.zeros((240, 320), np.float32)
    cv2.circle(truth, (163, 121), 70, 1.0, -1, cv2.LINE_AA)
    truth /= truth.max()
    frame = np.rint(60 + 120 * truth).astype(np.uint8)
    small = np.asarray(cv2.resize(truth, (40, 30), interpolation=cv2.INTER_AREA), np.float32)
    small_luma = np.asarray(cv2.resize(frame, (40, 30), interpolation=cv2.INTER_AREA), np.uint8)
    plain = np.asarray(cv2.resize(small, (320, 240), interpolation=cv2.INTER_LINEAR), np.float32)
    guided_error = np.abs(upsample(small, gray(small_luma), gray(frame)) - truth).mean()
    assert guided_error < 0.4 * np.abs(plain - truth).mean()


def test_the_frames_luma_is_bt601() -> None:
    bgr = noise(7, 9, 3)
    expected = bgr @ np.array([0.114, 0.587, 0.299])
    assert np.abs(luma_of(bgr) - expected).max() <= 0.51


def test_refuses_what_does_not_fit() -> None:
    small = np.zeros((4, 5), np.float32)
    with pytest.raises(ValueError, match="does not match luma"):
        guided_coefficients(small, noise(5, 4))
    with pytest.raises(ValueError, match="does not match luma"):
        guided_coefficients(small.astype(np.float64), noise(4, 5))
