"""What the learnt room proves: the steps of `room_plate.py` and `room_light.py`, pixel by pixel, in plain NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.picture import room_plate as rules
from bgcam.realtime.picture.room_light import Light, fit_light, grid_means, relit
from bgcam.realtime.picture.room_plate import Plate, compare, make_plate, take_away

SIZE_WH = (160, 96)
Float = NDArray[np.float64]


def room(seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).normal(110, 40, (24, 40, 3)).astype(np.float32)
    picture = cv2.resize(coarse, SIZE_WH, interpolation=cv2.INTER_CUBIC)
    picture[:, 90:130] = 120  # a plain wall
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def around(values: Float, reach: int) -> Float:
    padded, side = np.pad(values, reach, mode="edge"), 2 * reach + 1
    height, width = values.shape
    return np.stack([padded[i : i + height, j : j + width] for i in range(side) for j in range(side)])


def ramp(values: Float, low: float, high: float) -> Float:
    return np.clip((values - low) / (high - low), 0, 1)


def expected_share(
    plate: Plate, frame: NDArray[np.uint8], alpha: NDArray[np.float32], light: Light, before: Float
) -> tuple[Float, float]:
    """Steps 1 to 6: the share, and the agreement."""
    apart = np.abs(frame.astype(float) - relit(plate.bgr, light)).max(2)
    error = around(apart, 1).mean(0)
    low = alpha < rules.LOW
    noise = min(float(np.median(error[::4, ::4][low[::4, ::4]])), 2 * plate.noise + 1)
    spread = np.stack([around(plate.bgr[..., c].astype(float), 2).std(0) for c in range(3)]).max(0)
    deviation = rules.FLAT * spread * float(light.gain.mean())
    textured = deviation > max(rules.TEXTURE, 2 * noise)
    matches = textured * ramp(-error / np.maximum(deviation, 1e-3), -rules.MATCHES[1], -rules.MATCHES[0])
    matches = around(around(matches, 1).min(0), 1).max(0)
    full, none = (noise * factor + more for factor, more in rules.EQUAL)
    equals = ramp(-error, -none, -full)
    differs = error > noise * rules.DIFFERS[0] + rules.DIFFERS[1]
    matter = (alpha > rules.LOW).astype(float)

    def half(values: Float) -> Float:
        return around(values.reshape(48, 2, 80, 2).mean((1, 3)), rules.AROUND // 2).mean(0)

    proof = ramp(half(matches * matter) / np.maximum(half(matter), 1e-3), *rules.PROOF)
    proof *= half(differs * matter) < rules.AGAINST
    proven = cv2.resize(proof, SIZE_WH, interpolation=cv2.INTER_LINEAR)
    doubted = ramp(-alpha.astype(float), -rules.DOUBTS[1], -rules.DOUBTS[0]) * around(
        low.astype(float), rules.REACH
    ).max(0)
    share = np.maximum(matches, equals * np.maximum(proven, doubted))
    share = np.maximum(share, rules.HOLD * before * (alpha < rules.SURE) * ~differs)
    seen = textured & low
    return share, float((matches[seen] >= 0.5).mean())


def test_it_does_what_its_steps_say() -> None:
    random = np.random.default_rng(3)
    plate = make_plate(room().astype(np.float32), noise=1.5)
    before = np.zeros(SIZE_WH[::-1], np.float32)
    for number in range(6):
        scene = room() * np.float32(0.9 + 0.04 * number) + random.normal(0, 2, (96, 160, 3))
        scene[30:, 40 : 70 + number] = room(9)[30:, 40 : 70 + number]
        frame = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
        alpha = np.zeros(SIZE_WH[::-1], np.float32)
        alpha[30:, 40:76] = 1
        alpha[20:70, 86:140] = 0.95 if number % 2 else 0.5
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 2), np.float32)
        compared = compare(plate, frame, alpha)
        assert compared is not None
        share, agreement = expected_share(plate, frame, alpha, compared.light, before.astype(float))
        out, kept = take_away(alpha, compared, trust=np.ones_like(alpha), before=before)
        # A pixel at a threshold may fall on either side of it.
        assert (np.abs(out - alpha * (1 - share)) > 2e-3).mean() < 0.01
        assert (np.abs(kept - share * (alpha > rules.LOW)) > 2e-3).mean() < 0.01
        assert compared.agreement == pytest.approx(agreement, abs=0.02)
        before = kept


def test_gain_offset_and_shade_of_a_light_are_found_beside_a_person() -> None:
    plate = room()
    gain, offset = np.array([0.8, 0.9, 1.1], np.float32), np.array([6, 3, -4], np.float32)
    frame = np.clip(plate * gain + offset, 0, 255)
    frame[:, :60] = room(5)[:, :60]
    asked = np.ones(grid_means(plate).shape[:2], np.bool_)
    asked[:, :2] = False  # the others are cells of a person whom the network misses
    light = fit_light(grid_means(frame.astype(np.float32)), grid_means(plate), asked)
    assert light is not None
    np.testing.assert_allclose(light.gain, gain, atol=0.06)
    assert np.abs(relit(plate, light).astype(float) - frame)[:, 70:].mean() < 1.5
    assert light.fitting < 0.9


def test_without_enough_background_there_is_no_light() -> None:
    plate = make_plate(room().astype(np.float32), noise=1.0)
    assert compare(plate, room(), np.ones(SIZE_WH[::-1], np.float32)) is None


def test_trust_decides_where_it_counts() -> None:
    plate, alpha = make_plate(room().astype(np.float32), noise=1.0), np.zeros(SIZE_WH[::-1], np.float32)
    alpha[20:60, 20:60] = 1
    compared = compare(plate, room(), alpha)
    assert compared is not None
    out, _ = take_away(alpha, compared, trust=np.zeros_like(alpha))
    np.testing.assert_array_equal(out, alpha)
