"""What is known of the room, compiled: the same as NumPy and OpenCV compute, for any size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from compiled import both, needs_compiler, seeds, sizes
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bgcam.realtime.picture import room_plate
from bgcam.realtime.picture.learnt_room import LearntRoom, add_frame, follow
from bgcam.realtime.picture.room_light import Light, fit_light
from bgcam.realtime.picture.room_memory import Room, remember
from bgcam.realtime.picture.room_plate import Comparison, compare, make_plate, take_away

Float = NDArray[np.float32]

pytestmark = needs_compiler


def smooth(random: np.random.Generator, size_wh: tuple[int, int], *shape: int) -> Float:
    """(h, w[, 3]) in [0, 1], with plain places and edges."""
    blobs = cv2.resize(random.uniform(-2, 3, (4, 4, *shape)), size_wh, interpolation=cv2.INTER_CUBIC)
    return np.clip(blobs, 0, 1).astype(np.float32).reshape(*size_wh[::-1], *shape)


def room(random: np.random.Generator, size_wh: tuple[int, int]) -> Float:
    """(h, w, 3) in grey levels, plain on one side."""
    scene = 250 * smooth(random, size_wh, 3)
    scene[:, size_wh[0] // 2 :] += random.normal(0, 20, scene[:, size_wh[0] // 2 :].shape).astype(np.float32)
    return np.clip(scene, 0, 255)


def a_light(random: np.random.Generator, size_wh: tuple[int, int]) -> Light:
    cells = max(1, size_wh[1] // 16), max(1, size_wh[0] // 16)
    gain, offset = random.uniform(0.7, 1.2, 3), random.uniform(-5, 5, 3)
    local = random.uniform(-9, 9, (*cells, 3))
    return Light(gain.astype(np.float32), offset.astype(np.float32), local.astype(np.float32), 1.0)


def seen_in(random: np.random.Generator, scene: Float, light: Light) -> NDArray[np.uint8]:
    """The room in that light, with noise, and something else in a part of it."""
    frame = scene * light.gain + light.offset + random.normal(0, 1.5, scene.shape)
    height, width = scene.shape[:2]
    frame[height // 3 : 2 * height // 3, : width // 2] = random.uniform(0, 255, 3)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def compared(random: np.random.Generator, size_wh: tuple[int, int]) -> tuple[Float, Comparison]:
    """Some alpha, and a comparison whose planes are independent of each other."""
    alpha = smooth(random, size_wh)
    planes = smooth(random, size_wh), smooth(random, size_wh), smooth(random, size_wh) > 0.9
    return alpha, Comparison(*planes, a_light(random, size_wh), 1.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(sizes, seeds)
def test_make_plate(size_wh: tuple[int, int], seed: int) -> None:
    mean = room(np.random.default_rng(seed), size_wh)
    mean.flat[0] = 2.5  # halfway, to the even level
    fast, slow = both(lambda: make_plate(mean, noise=1.0))
    assert np.array_equal(fast.bgr, slow.bgr)
    assert np.array_equal(fast.cells, slow.cells)
    # float32 loses the difference of two large squares where the picture is plain; the compiled sums are exact.
    assert np.abs(np.square(fast.deviation) - np.square(slow.deviation)).max() < 0.05


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 12), st.integers(1, 12)), st.sampled_from([0.0, 0.3, 1.0]), seeds)
def test_fit_light(cells_hw: tuple[int, int], asked_share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    plate = random.uniform(0, 255, (*cells_hw, 3)).astype(np.float32)
    frame = np.clip(plate * random.uniform(0.7, 1.3, 3) + random.normal(0, 4, plate.shape), 0, 255).astype(np.float32)
    frame[: cells_hw[0] // 3] = random.uniform(0, 255, 3)
    asked = random.uniform(0, 1, cells_hw) < asked_share
    fast, slow = both(lambda: fit_light(frame, plate, asked))
    assert (fast is None) == (slow is None)
    if fast is None or slow is None:
        return
    assert fast.fitting == slow.fitting
    assert np.allclose(fast.gain, slow.gain, atol=1e-4)
    assert np.allclose(fast.offset, slow.offset, atol=0.02)
    assert np.allclose(fast.local, slow.local, atol=0.02)


@settings(max_examples=100, deadline=None)
@given(sizes, st.sampled_from([0.0, 1.5, 4.0]), seeds)
def test_compare(size_wh: tuple[int, int], noise: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    scene, light, alpha = room(random, size_wh), a_light(random, size_wh), smooth(random, size_wh)
    plate, seen = make_plate(scene, noise=noise), seen_in(random, scene, light)
    before = seen.copy(), alpha.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room_plate, "fit_light", lambda *_: light)
        fast, slow = both(lambda: compare(plate, seen, alpha))
    assert fast is not None
    assert slow is not None
    assert np.abs(fast.matches - slow.matches).max() < 1e-3
    assert np.abs(fast.equals - slow.equals).max() < 1e-4
    assert np.array_equal(fast.differs, slow.differs)
    assert fast.differs.dtype == np.bool_
    assert fast.textured_share == slow.textured_share
    assert fast.agreement == pytest.approx(slow.agreement, abs=1 / max(1, (alpha < room_plate.LOW).sum()))
    assert np.array_equal(before[0], seen)
    assert np.array_equal(before[1], alpha)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_compare_where_all_or_nothing_is_background(alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    scene, light = room(random, (33, 17)), a_light(random, (33, 17))
    plate, seen = make_plate(scene, noise=2.0), seen_in(random, scene, light)
    monkeypatch.setattr(room_plate, "fit_light", lambda *_: light)
    fast, slow = both(lambda: compare(plate, seen, np.full((17, 33), alpha, np.float32)))
    assert fast is not None
    assert slow is not None
    assert np.array_equal(fast.differs, slow.differs)
    assert (fast.textured_share, fast.agreement) == pytest.approx((slow.textured_share, slow.agreement))


def test_compare_takes_the_mean_of_two_middle_errors_as_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = np.full((1, 8, 3), 100, np.float32)
    light = Light(np.ones(3, np.float32), np.zeros(3, np.float32), np.zeros((1, 1, 3), np.float32), 1.0)
    monkeypatch.setattr(room_plate, "fit_light", lambda *_: light)
    plate, seen = make_plate(flat, noise=20.0), flat.astype(np.uint8)
    seen[:, 3:] += 6  # of pixels 0 and 4, which are asked, one differs by 0 and one by 6
    fast, slow = both(lambda: compare(plate, seen, np.zeros((1, 8), np.float32)))
    assert fast is not None
    assert slow is not None
    assert np.allclose(fast.equals, slow.equals, atol=1e-5)
    assert 0.3 < fast.equals[0, -1] < 0.9  # (8.1 - 6) / 2.6 of a noise of 3


@settings(max_examples=100, deadline=None)
@given(sizes, st.booleans(), seeds)
def test_take_away(size_wh: tuple[int, int], first: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    alpha, comparison = compared(random, size_wh)
    trust, before = smooth(random, size_wh), None if first else smooth(random, size_wh)
    fast, slow = both(lambda: take_away(alpha, comparison, trust=trust, before=before))
    for one, other in zip(fast, slow, strict=True):
        assert one.dtype == np.float32
        assert np.abs(one - other).max() < 1e-4
    assert (fast[0] <= alpha).all()


@settings(max_examples=40, deadline=None)
@given(sizes, st.sampled_from([-1.0, 0.0, 0.25, 9.0]), seeds)
def test_follow(size_wh: tuple[int, int], since_s: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    (alpha, comparison), mean = compared(random, size_wh), room(random, size_wh)
    steady, seen = smooth(random, size_wh), room(random, size_wh).astype(np.uint8)
    trust = np.minimum(steady, smooth(random, size_wh))
    before = trust.copy(), mean.copy()
    fast, slow = both(lambda: follow(trust, mean, steady, comparison, alpha, seen, since_s=since_s))
    assert np.abs(fast[0] - slow[0]).max() < 1e-6
    assert np.abs(fast[1] - slow[1]).max() < 1e-3
    assert all(np.array_equal(a, b) for a, b in zip(before, (trust, mean), strict=True))


@settings(max_examples=40, deadline=None)
@given(sizes, seeds)
def test_add_frame(size_wh: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    light, seen = a_light(random, size_wh), room(random, size_wh).astype(np.uint8)

    def sums() -> tuple[Float, Float]:
        total, squares = np.ones((2, *size_wh[::-1], 3), np.float32)
        add_frame(total, squares, seen, light)
        return total, squares

    for one, other in zip(*both(sums), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("size_wh", [(1, 1), (2, 7), (5, 2), (33, 17), (70, 61), (161, 97), (320, 192)])
def test_remember(size_wh: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(size_wh))
    half_hw = max(1, size_wh[1] // 2), max(1, size_wh[0] // 2)
    apart: list[NDArray[np.bool_]] = []
    cells = taken = 0
    for number in range(12):
        luma = room(random, size_wh)[..., 0].astype(np.uint8)
        kept = cv2.resize(luma, half_hw[::-1], interpolation=cv2.INTER_AREA).reshape(half_hw).astype(np.float32)
        kept[: half_hw[0] // 2] += np.float32(random.uniform(0, 60))
        kept += random.normal(0, 1, half_hw).astype(np.float32)
        memory, alpha = Room(kept, random.uniform(-1, 1, half_hw).astype(np.float32)), smooth(random, size_wh)
        alpha = alpha if number else np.zeros_like(alpha)
        before = kept.copy(), memory.belief.copy(), alpha.copy()
        fast, slow = both(lambda luma=luma, memory=memory, alpha=alpha: remember(alpha, luma, memory))
        planes = ((fast[0], slow[0]), (fast[1].belief, slow[1].belief), (fast[1].luma, slow[1].luma))
        apart += [
            np.abs(one - other) > tolerance for (one, other), tolerance in zip(planes, (1e-3, 1e-5, 1e-2), strict=True)
        ]
        assert all(np.array_equal(a, b) for a, b in zip(before, (kept, memory.belief, alpha), strict=True))
        cells, taken = cells + alpha.size, taken + int((slow[0] < alpha).sum())
    # A cell at a threshold may fall on either side of it.
    assert sum(int(one.sum()) for one in apart) <= cells // 10_000
    assert taken > 0 or size_wh[0] < 30


def test_remember_after_a_cut() -> None:
    random, alpha = np.random.default_rng(0), np.zeros((40, 60), np.float32)
    luma = random.integers(0, 256, (40, 60), dtype=np.uint8)
    memory = Room(random.uniform(0, 255, (20, 30)).astype(np.float32), np.full((20, 30), 0.5, np.float32))
    fast, slow = both(lambda: remember(alpha, luma, memory))
    assert fast[0] is alpha
    assert np.array_equal(fast[1].luma, slow[1].luma)
    assert not fast[1].belief.any()


def test_pictures_that_are_not_contiguous() -> None:
    random = np.random.default_rng(0)
    (alpha, comparison), wide = compared(random, (40, 30)), room(random, (80, 30))
    fast, slow = both(lambda: take_away(alpha[:, ::-1], comparison, trust=alpha[:, ::2].repeat(2, axis=1)))
    assert np.abs(fast[0] - slow[0]).max() < 1e-4
    plates = both(lambda: make_plate(wide[:, ::2], noise=1.0))
    assert np.array_equal(plates[0].bgr, plates[1].bgr)


def test_a_learnt_room_in_a_call() -> None:
    """Learnt, used and followed over seconds, at an odd size: the mattes are the same."""
    size_wh = (161, 97)

    def mattes() -> list[Float]:
        random, learnt = np.random.default_rng(1), LearntRoom()
        scene, out = room(random, size_wh), []
        person = np.zeros(size_wh[::-1], np.float32)
        person[30:, 60:110] = 1
        for number in range(160):
            there = scene.copy()
            alpha = np.zeros_like(person)
            if number > 100:
                there[30:, 60:100], alpha = 90, person
            frame = np.clip(there * (0.95 + number % 9 / 90) + random.normal(0, 1, there.shape), 0, 255)
            out.append(learnt.step(alpha, frame.astype(np.uint8), time_s=number / 30))
        assert learnt.status().state == "known"
        return out[100:]

    fast, slow = both(mattes)
    apart = np.array([np.abs(one - other).mean() for one, other in zip(fast, slow, strict=True)])
    assert apart.max() < 2e-3
    assert fast[-1][40:, 102:108].mean() < 0.5  # the room beside the person, which the network took for the person


def test_a_room_is_learnt_of_pictures_in_any_memory_order() -> None:
    learnt, scene = LearntRoom(), room(np.random.default_rng(0), (160, 96)).astype(np.uint8)
    for number in range(100):
        learnt.step(np.zeros((96, 160), np.float32), np.asfortranarray(scene), time_s=number / 30)
    assert learnt.status().state == "known"
