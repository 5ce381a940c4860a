"""Spill: the room's tint leaves the person's edge, and only there, and only a tint that the person does not have."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_scenes import before, disc, shrunk

from bgcam.realtime.picture.despill import Spill, despill, find_spill
from bgcam.realtime.picture.foreground import Grid, colours_at

GREEN, GRAY, DARK = np.array([70, 170, 80]), np.array([120, 120, 120]), np.array([40, 45, 50])
SIZE_WH, NETWORK_WH = (320, 240), (160, 128)
WHOLE = slice(0, 240), slice(0, 320)


def spill_of(person: NDArray[np.int_], room: NDArray[np.int_]) -> Spill | None:
    alpha = disc(240, 320, radius=80)
    seen = shrunk(before(alpha, person, room), NETWORK_WH)
    return find_spill(seen, shrunk(alpha, NETWORK_WH), frame_wh=SIZE_WH)  # type: ignore[arg-type]


@pytest.mark.parametrize("room", [GRAY, np.array([250, 250, 250]), np.array([110, 120, 125])])
def test_a_room_without_a_strong_colour_does_nothing(room: NDArray[np.int_]) -> None:
    assert spill_of(DARK, room) is None


def test_a_room_that_is_not_seen_does_nothing() -> None:
    seen = np.full((128, 160, 3), GREEN, np.uint8)
    assert find_spill(seen, np.ones((128, 160), np.float32), frame_wh=SIZE_WH) is None


def test_the_tint_leaves_the_edge_and_stays_inside() -> None:
    spill = spill_of(DARK, GREEN)
    assert spill is not None
    assert spill.direction.sum() == pytest.approx(0, abs=1e-5)
    assert np.argmax(spill.direction) == 1
    tinted = DARK + 40 * spill.direction
    cleaned = despill(np.full((240, 320, 3), tinted, np.float32), spill, WHOLE)
    left = (cleaned - DARK) @ spill.direction
    distance = np.hypot(*(np.indices((240, 320)) - np.array([120, 160])[:, None, None]))
    assert np.abs(left[(distance > 76) & (distance < 84)]).max() < 8  # of 40
    assert left[distance < 40].min() > 39
    assert np.abs(cleaned.mean(axis=-1) - tinted.mean()).max() < 0.01  # as bright as before


def test_what_the_person_has_inside_stays() -> None:
    shirt = np.array([60, 150, 70])
    spill = spill_of(shirt, GREEN)
    assert spill is not None
    cleaned = despill(np.full((240, 320, 3), shirt, np.float32), spill, WHOLE)
    assert np.abs(cleaned - shirt).max() < 6


def test_a_person_of_another_colour_is_not_changed() -> None:
    spill = spill_of(np.array([60, 80, 210]), GREEN)
    assert spill is not None
    skin = np.full((240, 320, 3), (110, 140, 200), np.float32)
    assert np.array_equal(despill(skin.copy(), spill, WHOLE), skin)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_removing_is_the_formula(width: int, height: int, cell_px: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    grid = Grid(cell_px, -(-width // cell_px), -(-height // cell_px))
    direction = random.normal(size=3)
    direction = ((direction - direction.mean()) / np.linalg.norm(direction - direction.mean())).astype(np.float32)
    limit_near = random.uniform(0, 1, (grid.rows, grid.columns, 2)).astype(np.float32) * np.array((60, 1), np.float32)
    place = slice(0, height), slice(0, width)
    person = random.uniform(0, 255, (height, width, 3)).astype(np.float32)
    limit, near = np.moveaxis(colours_at(limit_near, cell_px, place).astype(np.float64), -1, 0)
    excess = near * np.maximum(person.astype(np.float64) @ direction - limit, 0)
    expected = person - excess[..., None] * direction
    assert (
        np.abs(
            despill(person.copy(), Spill(direction, limit_near, grid, np.ones((1, 1), bool)), place) - expected
        ).max()
        < 0.01
    )


@pytest.mark.parametrize("frame_wh", [(1, 1), (5, 300), (333, 251)])
@pytest.mark.parametrize("network_wh", [(1, 1), (16, 16), (320, 192)])
def test_any_sizes(frame_wh: tuple[int, int], network_wh: tuple[int, int]) -> None:
    seen = np.full((*network_wh[::-1], 3), GREEN, np.uint8)
    alpha = cv2.resize(np.array([[0, 1]], np.float32), network_wh, interpolation=cv2.INTER_NEAREST)
    spill = find_spill(seen, alpha.reshape(network_wh[::-1]), frame_wh=frame_wh)  # type: ignore[arg-type]
    place = slice(0, frame_wh[1]), slice(0, frame_wh[0])
    if spill is not None:
        assert np.isfinite(despill(np.zeros((*frame_wh[::-1], 3), np.float32), spill, place)).all()
