"""Foreground colours: the filling against plain NumPy, the room's colour out of the edge, and laying the person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_scenes import PERSON, ROOM, before, disc, shrunk

from bgcam.realtime.picture.composite import composite_foreground, composite_reference
from bgcam.realtime.picture.foreground import (
    LEAST,
    TINY,
    Colours,
    colours_at,
    estimate_foreground,
    fill,
    grid_of,
    near_colours,
    share_on_grid,
)
from bgcam.realtime.picture.guided_filter import guided_coefficients, luma_of, upsample
from bgcam.realtime.picture.tiles import find_tiles

Float = NDArray[np.float32]


def box3(values: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = values.shape[:2]
    parts = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    mean: NDArray[np.float64] = np.mean(parts, axis=0)
    return mean


def stretched(values: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Bilinear with half-pixel centres."""
    for axis, new in enumerate(size):
        old = values.shape[axis]
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        left = np.floor(at).astype(int)
        right, share = np.minimum(left + 1, old - 1), (at - left)
        share = share[:, None, None] if axis == 0 else share[None, :, None]
        values = np.take(values, left, axis) * (1 - share) + np.take(values, right, axis) * share
    return values


def fill_reference(colours: NDArray[np.float64], weight: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    def down(known: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
        height, width = known.shape[:2]
        near = box3(known)
        if levels == 0 or min(height, width) < 2:
            return near[..., :3] / (near[..., 3:] + TINY)
        even = np.pad(known, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        half = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
        wide = stretched(down(half, levels - 1), (height, width))
        return (near[..., :3] + LEAST * wide) / (near[..., 3:] + LEAST)

    return down(np.dstack([colours * weight[..., None], weight]), levels)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 45), st.integers(1, 45), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_filling_is_the_reference(height: int, width: int, levels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    colours = random.uniform(0, 255, (height, width, 3))
    weight = np.clip(random.uniform(-1, 1.5, (height, width)), 0, 1)
    fast = fill(colours.astype(np.float32), weight.astype(np.float32), levels=levels)
    assert fast.dtype == np.float32
    assert np.abs(fast - fill_reference(colours, weight, levels)).max() < 0.05


def test_filling_carries_colours_to_where_there_are_none() -> None:
    colours = np.zeros((40, 60, 3), np.float32)
    weight = np.zeros((40, 60), np.float32)
    colours[:, :5], weight[:, :5] = PERSON, 1
    assert np.abs(fill(colours, weight, levels=6) - PERSON).max() < 3
    assert fill(colours, np.zeros_like(weight)).max() == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_part_of_the_grids_picture_is_the_part_of_the_whole(width: int, height: int, cell_px: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = -(-height // cell_px), -(-width // cell_px)
    grid = random.uniform(0, 255, (rows, columns, 3)).astype(np.float32)
    whole = stretched(grid.astype(np.float64), (rows * cell_px, columns * cell_px))[:height, :width]
    top, left = (int(random.integers(0, cells)) * cell_px for cells in (rows, columns))
    place = (
        slice(top, int(random.integers(top + 1, height + 1))),
        slice(left, int(random.integers(left + 1, width + 1))),
    )
    assert np.abs(colours_at(grid, cell_px, place) - whole[place]).max() < 0.01


@pytest.mark.parametrize("size_wh", [(320, 240), (333, 251)])
def test_foreground_colours_lose_the_room(size_wh: tuple[int, int]) -> None:
    alpha = disc(size_wh[1], size_wh[0], radius=80, softness=16)
    frame = before(alpha, PERSON, ROOM)
    near = near_colours(shrunk(frame, (80, 64)), shrunk(alpha, (80, 64)), frame_wh=size_wh)  # type: ignore[arg-type]
    estimated = estimate_foreground(frame, alpha, near).astype(int)
    edge = (alpha > 0.1) & (alpha < 0.9)
    assert np.abs(frame.astype(int) - PERSON)[edge].mean() > 40
    assert np.abs(estimated - PERSON)[edge].mean() < 15
    assert np.array_equal(estimated[alpha == 1], frame[alpha == 1])


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    st.integers(0, 2**32 - 1),
)
def test_laying_the_person_is_the_reference(network_wh: tuple[int, int], frame_wh: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    frame, background = random.integers(0, 256, (2, *frame_wh[::-1], 3), dtype=np.uint8)
    seen = random.integers(0, 256, (*network_wh[::-1], 3), dtype=np.uint8)
    small = np.clip(random.normal(0.5, 1, network_wh[::-1]), 0, 1).astype(np.float32)
    alpha = upsample(small, seen, frame)
    tile_px = 4 * grid_of(frame_wh, network_wh).cell_px
    parts = find_tiles(small, guided_coefficients(small, luma_of(seen)).unsure, frame_wh=frame_wh, tile_px=tile_px)
    near = near_colours(seen, small, frame_wh=frame_wh)
    unchanged = frame.copy(), background.copy(), alpha.copy()
    with_colours = composite_foreground(frame, background, alpha, parts, near).astype(int)
    expected = composite_reference(exact_foreground(frame, alpha, near), background, alpha)  # type: ignore[arg-type]
    assert np.abs(with_colours - expected).max() <= 1
    plain = composite_foreground(frame, background, alpha, parts).astype(int)
    assert np.abs(plain - composite_reference(frame, background, alpha)).max() <= 1
    assert all(np.array_equal(a, b) for a, b in zip(unchanged, (frame, background, alpha), strict=True))
    assert np.array_equal(with_colours[alpha == 0], background[alpha == 0])
    assert np.array_equal(with_colours[alpha == 1], frame[alpha == 1])


def exact_foreground(frame: NDArray[np.uint8], alpha: Float, near: Colours) -> NDArray[np.float64]:
    whole = slice(0, alpha.shape[0]), slice(0, alpha.shape[1])
    person, room = (colours_at(side, near.grid.cell_px, whole).astype(np.float64) for side in (near.person, near.room))
    share = alpha[..., None].astype(np.float64)
    return (person + share * (frame - share * person - (1 - share) * room)).clip(0, 255)


def test_a_glow_lights_the_person_alone() -> None:
    alpha = disc(120, 160, radius=40)
    frame, background = before(alpha, PERSON, ROOM), np.full((120, 160, 3), 90, np.uint8)
    small = shrunk(alpha, (40, 30))
    near = near_colours(shrunk(frame, (40, 30)), small, frame_wh=(160, 120))  # type: ignore[arg-type]
    parts = find_tiles(small, np.ones((30, 40), bool), frame_wh=(160, 120), tile_px=16)  # type: ignore[arg-type]
    dark = composite_foreground(frame, background, alpha, parts, near)
    light = np.full((near.grid.rows, near.grid.columns, 3), 100, np.float32)
    lit = composite_foreground(frame, background, alpha, parts, near, glow=light)
    assert np.array_equal(lit[alpha == 0], background[alpha == 0])
    screened = frame + 100 * (1 - frame / 255)
    assert np.abs(lit - screened)[alpha == 1].max() <= 1
    assert (lit.astype(int) >= dark).all()


def test_a_cell_that_the_matte_shows_as_background_may_still_hold_both_colours() -> None:
    """`guided_filter` calls 0.1 background; its colour is no pure one all the same."""
    frame_wh = 32, 24
    alpha = np.full((24, 32), 0.1, np.float32)
    share = share_on_grid(alpha, grid_of(frame_wh, frame_wh), frame_wh=frame_wh)
    np.testing.assert_allclose(share, (0.1 - 0.04) / 0.92, atol=1e-4)
