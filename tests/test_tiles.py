"""Parts: outside of them alpha is 0, in the person's it is 1, for any matte and any sizes."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bgcam.realtime.picture.guided_filter import apply_coefficients, guided_coefficients
from bgcam.realtime.picture.tiles import find_tiles, widened


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_only_edges_are_unsure(network_wh: tuple[int, int], frame_wh: tuple[int, int], tile_px: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    blobs = cv2.resize(random.uniform(-2, 3, (4, 4)), network_wh, interpolation=cv2.INTER_CUBIC)
    small = np.clip(blobs, 0, 1).astype(np.float32).reshape(network_wh[::-1])
    lines = guided_coefficients(small, random.integers(0, 256, small.shape, dtype=np.uint8))  # type: ignore[arg-type]
    alpha = apply_coefficients(lines, random.integers(0, 256, (*frame_wh[::-1], 3), dtype=np.uint8))
    parts = find_tiles(small, lines.unsure, frame_wh=frame_wh, tile_px=tile_px)
    seen = np.zeros(alpha.shape, int)
    for place in parts.edge:
        seen[place] += 1
    for place in parts.person:
        seen[place] += 1
        assert alpha[place].min() > 1 - 1e-5
    assert seen.max(initial=0) <= 1
    assert alpha[seen == 0].max(initial=0) < 1e-5


def test_most_of_a_frame_needs_no_work() -> None:
    small = np.zeros((48, 64), np.float32)
    small[20:, 20:44] = 1
    lines = guided_coefficients(small, np.zeros((48, 64), np.uint8))
    parts = find_tiles(small, lines.unsure, frame_wh=(640, 480), tile_px=32)
    area = sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in parts.edge)
    assert area < 0.3 * 640 * 480
    assert parts.person


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.floats(0, 40),
    st.integers(0, 2**32 - 1),
)
def test_what_is_widened_reaches_as_far_as_asked_for_and_hardly_farther(
    network_wh: tuple[int, int], scale: tuple[int, int], reach_px: float, seed: int
) -> None:
    (width, height), (across, down) = network_wh, scale
    unsure = np.random.default_rng(seed).uniform(size=(height, width)) < 0.05
    wide = widened(unsure, frame_wh=(width * across, height * down), reach_px=reach_px)
    rows, columns = np.indices(unsure.shape)
    near, possible = np.zeros_like(unsure), np.zeros_like(unsure)
    for y, x in np.argwhere(unsure):
        off_x, off_y = abs(columns - x) * across, abs(rows - y) * down
        near |= (off_x <= reach_px) & (off_y <= reach_px)
        possible |= (off_x < reach_px + across + 1e-6) & (off_y < reach_px + down + 1e-6)
    assert (wide >= near).all()
    assert (wide <= possible).all()
