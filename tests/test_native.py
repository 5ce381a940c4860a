"""The compiled stages compute the same as OpenCV's arithmetic, for any size; and bgcam works without them."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from compiled import both, needs_compiler, seeds, sizes
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_scenes import scene
from tiny_model import SPEC

from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.look import Look
from bgcam.realtime.model.backends.normalize import Normalize
from bgcam.realtime.model.matting import resize
from bgcam.realtime.picture import native
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.composite import composite
from bgcam.realtime.picture.despill import find_spill
from bgcam.realtime.picture.foreground import fill, grid_of, near_colours
from bgcam.realtime.picture.guided_filter import guided_coefficients, luma_of
from bgcam.realtime.picture.temporal_filter import Kept, temporal_filter, temporal_filter_reference
from bgcam.realtime.picture.tiles import find_tiles


def matte(random: np.random.Generator, size_wh: tuple[int, int]) -> NDArray[np.float32]:
    blobs = cv2.resize(random.uniform(-2, 3, (4, 4)), size_wh, interpolation=cv2.INTER_CUBIC)
    return np.clip(blobs, 0, 1).astype(np.float32).reshape(size_wh[::-1])


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 20), st.integers(1, 20)), st.integers(1, 9), st.integers(0, 90), seeds)
def test_resize(size_wh: tuple[int, int], columns: int, more_rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = min(size_wh[1] + more_rows, 16 * size_wh[1])
    bgr = random.integers(0, 256, (rows, size_wh[0] * columns, 3), dtype=np.uint8)
    apart = np.abs(native.resize(bgr, size_wh).astype(int) - resize(bgr, size_wh))
    # The shares of a row are in 256ths: sixteen rows, the most that `resize_area` asks for, may differ by two levels.
    assert apart.max() <= (1 if rows <= 4 * size_wh[1] else 2)


@needs_compiler
def test_resize_rounds_to_the_nearest() -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    apart = native.resize(bgr, (320, 192)).astype(float) - resize(bgr, (320, 192))
    assert abs(apart.mean()) < 0.02


@needs_compiler
@pytest.mark.parametrize(("level", "size_wh"), [(255, (1, 1)), (255, (320, 191)), (0, (5, 7)), (254, (32, 192))])
def test_resize_keeps_a_flat_picture(level: int, size_wh: tuple[int, int]) -> None:
    columns = 256 if size_wh[0] < 9 else 4
    bgr = np.full((720, size_wh[0] * columns, 3), level, np.uint8)
    assert np.array_equal(native.resize(bgr, size_wh), np.full((*size_wh[::-1], 3), level, np.uint8))


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(sizes, seeds)
def test_guided_filter(size_wh: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    small, luma = matte(random, size_wh), random.integers(0, 256, size_wh[::-1], dtype=np.uint8)
    fast, slow = both(lambda: guided_coefficients(small, luma))
    assert np.array_equal(fast.unsure, slow.unsure)
    assert fast.unsure.dtype == np.bool_
    assert np.allclose(fast.a * 255, slow.a * 255, atol=1e-4)
    assert np.allclose(fast.b, slow.b, atol=1e-4)
    assert (fast.a[~fast.unsure] == 0).all()


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(sizes, st.sampled_from([0.0, 3.0, 8.0, 60.0]), seeds)
def test_temporal_filter(size_wh: tuple[int, int], change: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    kept = Kept(matte(random, size_wh), random.uniform(0, 255, size_wh[::-1]).astype(np.float32))
    alpha = np.clip(kept.alpha + random.normal(0, 0.1, kept.alpha.shape), 0, 1).astype(np.float32)
    luma = np.clip(kept.luma + random.normal(0, change + 1e-3, alpha.shape), 0, 255).astype(np.uint8)
    before = kept.alpha.copy(), kept.luma.copy()
    fast, slow = both(lambda: temporal_filter(alpha, luma, kept))
    exact = temporal_filter_reference(alpha, luma, kept)
    for result in (slow, exact):
        assert np.abs(fast.alpha - result.alpha).max() < 1e-4
        assert np.abs(fast.luma - result.luma).max() < 1e-2
    assert all(np.array_equal(a, b) for a, b in zip(before, (kept.alpha, kept.luma), strict=True))


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 6), seeds)
def test_foreground_fill(size_wh: tuple[int, int], levels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    colours = random.uniform(0, 255, (*size_wh[::-1], 3)).astype(np.float32)
    weight = np.square(matte(random, size_wh))
    fast, slow = both(lambda: fill(colours, weight, levels=levels))
    assert np.abs(fast - slow).max() < 0.02


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(sizes, st.tuples(st.integers(1, 200), st.integers(1, 200)), st.booleans(), st.booleans(), st.booleans(), seeds)
def test_composite(
    network_wh: tuple[int, int], frame_wh: tuple[int, int], own: bool, lit: bool, relit: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    frame, background, other = random.integers(0, 256, (3, *frame_wh[::-1], 3), dtype=np.uint8)
    seen = np.clip(random.normal((40, 190, 60), 25, (*network_wh[::-1], 3)), 0, 255).astype(np.uint8)
    small = matte(random, network_wh)
    coefficients, grid = guided_coefficients(small, luma_of(seen)), grid_of(frame_wh, network_wh)
    parts = find_tiles(small, coefficients.unsure, frame_wh=frame_wh, tile_px=4 * grid.cell_px)
    options: dict[str, Any] = {"luma_from": other if relit else frame}
    if own:
        options["colours"] = near_colours(seen, small, frame_wh=frame_wh)
        options["spill"] = find_spill(seen, small, frame_wh=frame_wh)
        options["glow"] = random.uniform(0, 255, (grid.rows, grid.columns, 3)).astype(np.float32) if lit else None
    before = frame.copy(), background.copy(), other.copy()
    fast, slow = both(lambda: composite(frame, background, coefficients, parts, **options))
    assert np.abs(fast.astype(int) - slow).max() <= 1
    assert all(np.array_equal(a, b) for a, b in zip(before, (frame, background, other), strict=True))


@needs_compiler
def test_pictures_that_are_not_contiguous() -> None:
    random = np.random.default_rng(0)
    wide = random.integers(0, 256, (2, 60, 160, 3), dtype=np.uint8)
    frame, background = wide[0, :, ::2], wide[1, :, ::2]
    small, seen = matte(random, (32, 24)), random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    coefficients = guided_coefficients(small, luma_of(seen))
    parts = find_tiles(small, coefficients.unsure, frame_wh=(80, 60), tile_px=16)
    fast, slow = both(lambda: composite(frame, background, coefficients, parts, luma_from=frame))
    assert np.abs(fast.astype(int) - slow).max() <= 1


@needs_compiler
@pytest.mark.parametrize("view", ["composite", "cutout", "side-by-side"])
def test_the_whole_chain(view: str) -> None:
    look = Look(edge_steps=-1, sharp_steps=1, wrap=5, match=5, view=view)

    def shown() -> NDArray[np.uint8]:
        chain = Chain(Still("blue", np.full((1, 1, 3), (200, 40, 30), np.uint8)), look)
        for number in range(4):
            frame, coarse, _ = scene(number=number)
            picture = chain(frame, coarse).bgr
        return picture

    fast, slow = both(shown)
    assert np.abs(fast.astype(int) - slow).max() <= 2
    assert np.abs(fast.astype(int) - slow).mean() < 0.05


def test_bgcam_works_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LIBRARY", None)
    frame, coarse, _ = scene()
    composed = Chain(Still("blue", np.full((1, 1, 3), (200, 40, 30), np.uint8)))(frame, coarse)
    assert np.array_equal(composed.bgr[120, 160], frame.room_bgr[120, 160])
    assert (composed.bgr[0, 0] == (200, 40, 30)).all()


@needs_compiler
@settings(max_examples=30, deadline=None)
@given(sizes, st.sampled_from(["RGB", "BGR"]), seeds)
def test_normalize(size_wh: tuple[int, int], channels: str, seed: int) -> None:
    spec = replace(SPEC, channels=channels, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    bgr = np.random.default_rng(seed).integers(0, 256, (*size_wh[::-1], 3), dtype=np.uint8)
    fast, slow = both(lambda: Normalize(spec)(bgr))
    ordered = bgr[..., ::-1] if channels == "RGB" else bgr
    exact = ((ordered / 255 - spec.mean) / spec.std).transpose(2, 0, 1)[None]
    assert fast.shape == slow.shape == exact.shape
    assert fast.dtype == slow.dtype == np.float32
    assert max(np.abs(fast - exact).max(), np.abs(slow - exact).max()) < 1e-5


@needs_compiler
def test_an_array_of_another_kind_is_refused() -> None:
    flat = np.zeros((4, 6), np.float32)
    with pytest.raises(ctypes.ArgumentError):
        native.LIBRARY.bgcam_normalize(np.zeros((4, 6, 3), np.float64), flat, 24, flat, flat, flat)
    with pytest.raises(ctypes.ArgumentError):
        native.LIBRARY.bgcam_guided_filter(flat, np.zeros((4, 6), np.uint8), flat, flat, flat > 0, 6, 4, flat)
    with pytest.raises(ValueError, match="contiguous float32"):
        native.Grid.of(np.zeros((4, 6), np.float32)[:, ::2], (1.0, 1.0))


@needs_compiler
def test_a_library_from_older_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(native._SIGNATURES, "a_function_of_a_later_version", ())
    assert native._load() is None
