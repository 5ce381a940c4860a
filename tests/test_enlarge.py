"""The blurred room and its enlargement, compiled: as OpenCV has them; and drawn without a picture in between."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from compiled import both, needs_compiler, seeds, sizes
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_scenes import scene

from bgcam.realtime.background import small_picture
from bgcam.realtime.backgrounds.blur import Blur
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.picture import native
from bgcam.realtime.picture.blur import blur_background, blur_small
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.enlarge import Enlarged, copy_of, enlarge, enlarge_reference, whole_of


@needs_compiler
@settings(max_examples=80, deadline=None)
@given(sizes, st.tuples(st.integers(0, 300), st.integers(0, 90)), seeds)
def test_enlarge(small_wh: tuple[int, int], more: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    small = random.choice(np.array([0, 1, 127, 254, 255], np.uint8), (*small_wh[::-1], 3))
    size_wh = small_wh[0] + more[0], small_wh[1] + more[1]
    apart = np.abs(enlarge(small, size_wh).astype(int) - enlarge_reference(small, size_wh))
    assert apart.max() <= 1
    if more == (0, 0):
        assert apart.max() == 0


@needs_compiler
@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_flat_picture_stays_flat(level: int) -> None:
    assert (enlarge(np.full((7, 9, 3), level, np.uint8), (131, 60)) == level).all()


@needs_compiler
def test_a_picture_is_not_made_smaller() -> None:
    with pytest.raises(ValueError, match="at most"):
        native.enlarge(np.zeros((8, 8, 3), np.uint8), (8, 7))


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(sizes, st.tuples(st.integers(1, 400), st.integers(1, 300)), st.sampled_from([1.0, 5.0, 10.0]), seeds)
def test_blur_small(network_wh: tuple[int, int], frame_wh: tuple[int, int], strength: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    blobs = cv2.resize(random.uniform(-2, 3, (4, 4)), network_wh, interpolation=cv2.INTER_CUBIC)
    alpha = np.clip(blobs, 0, 1).astype(np.float32).reshape(network_wh[::-1])
    seen = random.integers(0, 256, (*network_wh[::-1], 3), dtype=np.uint8)
    fast, slow = both(lambda: blur_small(seen, alpha, frame_wh=frame_wh, strength=strength))
    assert fast.shape == slow.shape
    assert np.abs(fast.astype(int) - slow).max() <= 1


@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_behind_is_enlarged_only_where_it_is_drawn(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, coarse, _ = scene()
    if not compiled:
        monkeypatch.setattr(native, "LIBRARY", None)
    blur = Blur()
    chain = Chain(SafeBackground(blur, frame.size_wh))
    work = chain.prepare(frame, coarse)
    assert isinstance(work.background, Enlarged)
    assert work.background.shape == frame.room_bgr.shape
    drawn = chain.draw(work)
    whole = blur.picture(frame, work.coarse)
    work.background = whole
    assert np.array_equal(drawn, chain.draw(work))
    assert np.array_equal(drawn[:9, :9], whole[:9, :9])  # no one is in this corner


def test_a_copy_is_the_callers_own() -> None:
    behind = Enlarged(np.full((3, 4, 3), 7, np.uint8), (8, 6))
    copy_of(behind)[:] = 0
    assert (whole_of(behind) == 7).all()
    assert whole_of(behind) is whole_of(behind)


def test_only_the_cameras_own_room_may_be_small() -> None:
    frame, coarse, _ = scene()
    blur = Blur()
    small = small_picture(SafeBackground(blur, frame.size_wh), frame, coarse)
    assert small is not None
    assert np.array_equal(
        enlarge(small, frame.size_wh), blur_background(coarse.seen_bgr, coarse.alpha, frame_wh=frame.size_wh)
    )

    class Other(Blur):
        same_room = False  # its picture must be seen by what remembers a placeholder

    assert small_picture(Other(), frame, coarse) is None
