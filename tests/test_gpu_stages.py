"""The stages as kernels against the CPU path: edge, foreground colours, despill, blurred room, compositing."""

from __future__ import annotations

from typing import Any

import cuda_host
import cv2
import numpy as np
import pytest
from cuda_host import Machine
from picture_scenes import before, disc

from bgcam.realtime.gpu.stages import BlurredRoom, Edge, Foreground, ForegroundFill
from bgcam.realtime.picture.blur import blur_background
from bgcam.realtime.picture.composite import composite_reference
from bgcam.realtime.picture.despill import Spill, despill, find_spill
from bgcam.realtime.picture.edges import move_edge, sharpen_edge
from bgcam.realtime.picture.foreground import LOW, Colours, colours_at, fill_weighted, near_colours
from bgcam.realtime.picture.guided_filter import apply_coefficients, guided_coefficients, luma_of
from bgcam.realtime.picture.kernels.launch import frame_shape

# Frame and network: usual ones, odd ones, aspects that differ, one pixel, and a frame smaller than the network's.
SIZES = [
    ((320, 180), (80, 48)),
    ((333, 251), (64, 48)),
    ((50, 131), (16, 48)),
    ((64, 34), (48, 32)),
    ((1, 1), (16, 16)),
    ((20, 12), (32, 16)),
]
GREEN_ROOM, GREY_ROOM = (60, 220, 70), (120, 118, 122)


@pytest.fixture(params=["host", "cuda"])
def machine(request: pytest.FixtureRequest) -> Machine:
    return cuda_host.machine(request.param)


def scene(frame_wh: Any, small_wh: Any, room: Any, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy person in thin green stripes before a room: frame (H, W, 3), what the network saw (h, w, 3), its alpha
    (h, w).
    """
    random = np.random.default_rng(seed)
    width, height = frame_wh
    alpha = disc(height, width, radius=0.3 * min(frame_wh) + 0.4, softness=max(1.0, 0.08 * min(frame_wh)))
    clean = before(alpha, (90, 110, 200), room)  # type: ignore[arg-type]
    stripes = np.multiply.outer(np.arange(width) % 5 == 0, (0, 70, 0)) * alpha[..., None]
    # The room is no plain wall, or a blur along the wrong side would not show.
    waves = np.sin(np.add.outer(np.arange(height) / 5, np.arange(width) / 17))
    wall = np.multiply.outer(waves * (1 - alpha), (40, 20, 60))
    frame = np.clip(clean + wall + stripes + random.normal(0, 6, clean.shape), 0, 255).astype(np.uint8)
    how = cv2.INTER_AREA
    seen = np.asarray(cv2.resize(frame, small_wh, interpolation=how), np.uint8).reshape(*small_wh[::-1], 3)
    small = np.asarray(cv2.resize(alpha.astype(np.float32), small_wh, interpolation=how), np.float32)
    return frame, seen, np.clip(small.reshape(small_wh[::-1]), 0, 1)


def words(seen: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.pad(seen, ((0, 0), (0, 0), (0, 1))))


@pytest.mark.parametrize(("edge_steps", "sharp_steps"), [(1, 0), (-5, 0), (0, 3), (2.5, 1), (-0.3, 0.5)])
@pytest.mark.parametrize("small_wh", [(1, 1), (3, 50), (48, 32), (320, 192)])
def test_the_edge_is_the_cpu_paths(machine: Machine, small_wh: Any, edge_steps: float, sharp_steps: float) -> None:
    alpha = np.clip(np.random.default_rng(1).normal(0.5, 0.6, small_wh[::-1]), 0, 1).astype(np.float32)
    stage = Edge(machine.kernels, machine.zeros, small_wh, edge_steps=edge_steps, sharp_steps=sharp_steps)
    given = machine.put(alpha)
    got = machine.get(stage.enqueue(given))
    expected = sharpen_edge(move_edge(alpha, steps=edge_steps), steps=sharp_steps)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_array_equal(machine.get(given), alpha)


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 9), (40, 23), (31, 64)])
@pytest.mark.parametrize(("planes", "levels"), [(1, 0), (2, 4), (3, 7)])
def test_fill_is_the_cpu_paths(machine: Machine, size_wh: Any, planes: int, levels: int) -> None:
    random = np.random.default_rng(2)
    shape = (planes, size_wh[1], size_wh[0])
    weight = np.clip(random.uniform(-1, 1.5, shape), 0, 1)[..., None]
    known = np.concatenate([random.uniform(0, 255, (*shape, 3)) * weight, weight], axis=-1).astype(np.float32)
    stage = ForegroundFill(machine.kernels, machine.zeros, size_wh, planes=planes, levels=levels)
    machine.write(stage.known, known)
    stage.enqueue()
    for plane in range(planes):
        expected = fill_weighted(known[plane], levels=levels)
        np.testing.assert_allclose(machine.get(stage.filled)[plane, ..., :3], expected, atol=0.02)


def composed(machine: Machine, scene_of: Any, small_wh: Any, output: str = "bgr") -> tuple[np.ndarray, list[Any]]:
    """The composed picture's bytes, and what the stages gave: colours, limits, sums."""
    frame, seen, alpha = scene_of
    frame_wh = frame.shape[1], frame.shape[0]
    coefficients = guided_coefficients(alpha, luma_of(seen))
    pairs = np.stack([coefficients.a, coefficients.b], axis=-1).astype(np.float32)
    behind = np.random.default_rng(9).integers(0, 256, frame.shape, dtype=np.uint8)
    stage = Foreground(machine.kernels, machine.zeros, frame_wh, small_wh)
    own = stage.enqueue(machine.put(words(seen)), machine.put(alpha), machine.zeros((4,), np.float32))
    out = machine.put(np.full(frame_shape(output, frame_wh), 0xCD, np.uint8))
    given = [machine.put(one) for one in (frame, behind, pairs)]
    machine.kernels.composite(*given, out, layout="bgr", output=output, frame_wh=frame_wh, foreground=own)
    return machine.get(out), [machine.get(one) for one in own[:3]]


@pytest.mark.parametrize("room", [GREEN_ROOM, GREY_ROOM])
@pytest.mark.parametrize(("frame_wh", "small_wh"), SIZES)
def test_colours_and_spill_are_the_cpu_paths(machine: Machine, frame_wh: Any, small_wh: Any, room: Any) -> None:
    _, seen, alpha = made = scene(frame_wh, small_wh, room)
    _, (colours, limits, sums) = composed(machine, made, small_wh)
    expected = near_colours(seen, alpha, frame_wh=frame_wh)
    # The CPU path brings bytes to the grid, in steps of 1/32 of a pixel; hardly any weight makes much of that.
    for side, wanted in zip(colours, (expected.person, expected.room), strict=True):
        assert np.abs(side[..., :3] - wanted).mean() < 1.0
    mask = alpha < LOW
    assert sums[3] == mask.sum()
    np.testing.assert_allclose(sums[:3], seen[mask].sum(axis=0), rtol=1e-5)
    spill = find_spill(seen, alpha, frame_wh=frame_wh)
    if spill is None:
        assert not limits[..., 1].any()
    else:
        assert np.abs(limits[..., 1] - spill.limit_near[..., 1]).max() < 0.03
        assert np.abs(limits[..., 0] - spill.limit_near[..., 0]).mean() < 1.0


def composed_reference(
    frame: np.ndarray, behind: np.ndarray, alpha: np.ndarray, colours: Colours, spill: Spill | None
) -> np.ndarray:
    """In float64 as far as OpenCV's resize allows; see picture/foreground.py and picture/despill.py."""
    place = slice(0, frame.shape[0]), slice(0, frame.shape[1])
    sides, cell_px = (colours.person, colours.room), colours.grid.cell_px
    person, room = (colours_at(side, cell_px, place).astype(float) for side in sides)
    share = alpha[..., None].astype(float)
    own = np.clip(person + share * (frame - share * person - (1 - share) * room), 0, 255)
    if spill is not None:
        own = despill(own.astype(np.float32), spill, place).astype(float)
    return np.rint(np.clip(behind + share * (own - behind), 0, 255)).astype(int)


@pytest.mark.parametrize("room", [GREEN_ROOM, GREY_ROOM])
@pytest.mark.parametrize(("frame_wh", "small_wh"), SIZES)
def test_the_person_is_composited_as_on_the_cpu(machine: Machine, frame_wh: Any, small_wh: Any, room: Any) -> None:
    frame, seen, alpha = made = scene(frame_wh, small_wh, room)
    got, (colours, limits, _) = composed(machine, made, small_wh)
    behind = np.random.default_rng(9).integers(0, 256, frame.shape, dtype=np.uint8)
    whole = apply_coefficients(guided_coefficients(alpha, luma_of(seen)), frame)
    grid = near_colours(seen, alpha, frame_wh=frame_wh).grid
    spill = find_spill(seen, alpha, frame_wh=frame_wh)
    # With the colours and limits that the kernels found, so that only compositing is compared here.
    person, behind_it = (np.ascontiguousarray(side[..., :3]) for side in colours)
    same = Colours(person, behind_it, grid)
    if spill is not None:
        spill = Spill(spill.direction, limits, spill.grid, spill.shows)
    expected = composed_reference(frame, behind, whole, same, spill)
    assert np.abs(got.astype(int) - expected).max() <= 1
    assert np.array_equal(got[whole == 0], behind[whole == 0])
    if spill is None:
        assert np.array_equal(got[whole == 1], frame[whole == 1])
    # And with the CPU path's: the room's colour goes out of the edge in the same way.
    wanted = composed_reference(frame, behind, whole, near_colours(seen, alpha, frame_wh=frame_wh), spill)
    plain = composite_reference(frame, behind, whole).astype(int)
    assert np.abs(got - wanted).mean() <= 0.05 + 0.1 * np.abs(plain - wanted).mean()


def test_own_colours_in_i420_are_of_the_same_picture(machine: Machine) -> None:
    made = scene((64, 34), (48, 32), GREEN_ROOM)
    bgr, planes = (composed(machine, made, (48, 32), output)[0] for output in ("bgr", "i420"))
    np.testing.assert_array_equal(planes, cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420))


@pytest.mark.parametrize("strength", [1.0, 5.0, 10.0])
@pytest.mark.parametrize(("frame_wh", "small_wh"), [*SIZES, ((642, 361), (160, 96))])
def test_the_blurred_room_is_the_cpu_paths(machine: Machine, frame_wh: Any, small_wh: Any, strength: float) -> None:
    _, seen, alpha = scene(frame_wh, small_wh, GREEN_ROOM)
    stage = BlurredRoom(machine.kernels, machine.zeros, frame_wh, small_wh, strength=strength)
    behind = machine.put(np.full((*frame_wh[::-1], 3), 0xCD, np.uint8))
    stage.enqueue(machine.put(words(seen)), machine.put(alpha), behind)
    expected = blur_background(seen, alpha, frame_wh=frame_wh, strength=strength)
    difference = np.abs(machine.get(behind).astype(int) - expected)
    # Where hardly any room is seen, small errors count.
    assert difference.mean() < 0.8
    assert difference.max() <= 4


def test_a_room_that_is_not_seen_is_black_or_filled_and_never_the_persons(machine: Machine) -> None:
    seen = np.full((32, 48, 3), (0, 0, 255), np.uint8)
    stage = BlurredRoom(machine.kernels, machine.zeros, (64, 34), (48, 32), strength=5)
    behind = machine.put(np.full((34, 64, 3), 0xCD, np.uint8))
    stage.enqueue(machine.put(words(seen)), machine.put(np.ones((32, 48), np.float32)), behind)
    assert not machine.get(behind).any()
