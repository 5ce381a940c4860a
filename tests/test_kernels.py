"""The CUDA kernels against the CPU path: compiled for the host with g++, and for the GPU where there is one."""

from __future__ import annotations

from typing import Any

import cuda_host
import cv2
import numpy as np
import pytest
from cuda_host import Machine

from bgcam.realtime.matte_values import ROUNDING
from bgcam.realtime.model.matting import resize
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.composite import composite_reference
from bgcam.realtime.picture.guided_filter import guided_coefficients
from bgcam.realtime.picture.kernels.launch import UNFILTERED, GuidedRules, Kernels, TemporalRules, frame_shape
from bgcam.realtime.picture.temporal_filter import Kept, temporal_filter_reference

SPEC = ModelSpec(name="tiny", encoder="none", precision="fp32")
POISON = 0xCD
TO_BGR = {"nv12": cv2.COLOR_YUV2BGR_NV12, "yuyv": cv2.COLOR_YUV2BGR_YUYV}
# Rows that allow 16-byte accesses and rows that do not, one pixel, one row, one column; with the network's size.
SHRINKING = [
    ((64, 48), (16, 16)),
    ((96, 34), (32, 16)),
    ((1280, 20), (320, 16)),
    ((37, 41), (16, 32)),
    ((50, 18), (48, 16)),
    ((16, 16), (16, 16)),
    ((2032, 17), (16, 16)),
]
GROWING = [((1, 1), (16, 16)), ((7, 5), (32, 16)), ((90, 9), (16, 16)), ((9, 90), (16, 32))]
# The last two are too wide for one block a row.
FRAMES = [(1, 1), (2, 2), (15, 3), (16, 2), (17, 5), (64, 34), (160, 7), (131, 66), (2064, 2), (2054, 3)]


@pytest.fixture(scope="module", params=["host", "cuda"])
def machine(request: pytest.FixtureRequest) -> Machine:
    return cuda_host.machine(request.param)


def poisoned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Floats become NaN, bytes 0xCD."""
    if np.dtype(dtype).kind == "f":
        return np.full(shape, np.nan, dtype)
    return np.full(shape, POISON, dtype)


def packed(layout: str, size_wh: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random frame: as it is packed, and as BGR by OpenCV. Noise with a smooth part, so that no value is missing."""
    frame = np.random.default_rng(seed).integers(0, 256, frame_shape(layout, size_wh), dtype=np.uint8)
    return frame, (cv2.cvtColor(frame, TO_BGR[layout]) if layout != "bgr" else frame)


def layouts_for(size_wh: tuple[int, int]) -> list[str]:
    even_w, even_h = size_wh[0] % 2 == 0, size_wh[1] % 2 == 0
    return ["bgr", *(["yuyv"] if even_w else []), *(["nv12"] if even_w and even_h else [])]


def cases(pairs: list[Any]) -> list[Any]:
    return [(layout, *one) for one in pairs for layout in layouts_for(one[0])]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(("layout", "frame_wh", "size_wh"), cases(SHRINKING + GROWING))
def test_input_is_the_cpu_paths(machine: Machine, layout: str, frame_wh: Any, size_wh: Any, dtype: str) -> None:
    frame, bgr = packed(layout, frame_wh, 1)
    width, height = size_wh
    spec = ModelSpec(name="tiny", encoder="none", precision="fp32", channels="BGR" if dtype == "float16" else "RGB")
    got = machine.put(poisoned((1, 3, height, width), dtype))
    luma = machine.put(poisoned((height, width), "float32"))
    seen = machine.put(poisoned((height, width, 4), "uint8"))
    machine.kernels.resize_normalize(machine.put(frame), got, luma, seen, layout=layout, frame_wh=frame_wh, spec=spec)

    small = resize(bgr, size_wh)
    flip = spec.channels == "RGB"
    ordered = small[..., ::-1] if flip else small
    levels = machine.get(got)[0].transpose(1, 2, 0).astype(np.float64) * spec.std + spec.mean
    difference = np.abs(levels * 255 - ordered)
    # OpenCV rounds ties otherwise, which are many where a picture grows, and so does its fixed point: by a grey level.
    grows = frame_wh[0] < width or frame_wh[1] < height
    assert difference.max() <= 1.2
    assert (difference > 0.2).mean() < (0.25 if grows else 0.05)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    assert np.abs(machine.get(luma) - gray).max() <= 1
    np.testing.assert_array_equal(machine.get(seen)[..., :3], np.rint(levels * 255)[..., :: -1 if flip else 1])
    assert not machine.get(seen)[..., 3].any()


def take(machine: Machine, output: np.ndarray, luma: np.ndarray, kept: Any, rules: TemporalRules) -> Any:
    """The state after the frame, as NumPy: alpha, luma; then the coefficients and the counts."""
    new = machine.put(luma.astype(np.float32))
    alpha, seen = (machine.put(one.astype(np.float32)) for one in kept)
    moved, total = machine.put(np.zeros(luma.shape, np.float32)), machine.put(np.zeros(1, np.float32))
    pairs, counts = machine.put(poisoned((*luma.shape, 2), "float32")), machine.put(np.zeros(2, np.int32))
    if rules != UNFILTERED:
        moved = machine.put(poisoned(luma.shape, "float32"))
        machine.kernels.temporal_movement(new, seen, moved, total, rules=rules)
    arrays = machine.put(output), new, moved, total, alpha, seen, pairs, counts
    machine.kernels.temporal_filter(*arrays, rules=rules, shows=0.1)
    return [machine.get(one) for one in (alpha, seen, pairs, counts)]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("size_wh", [(1, 1), (3, 50), (48, 32), (31, 9)])
@pytest.mark.parametrize("change", [3, 30, 200])  # noise and slow movement, movement, a cut
def test_temporal_filter_is_the_cpu_paths(machine: Machine, dtype: str, size_wh: Any, change: int) -> None:
    shape = size_wh[::-1]
    random = np.random.default_rng(2)
    seen = random.uniform(0, 255, shape).astype(np.float32)
    luma = np.clip(seen + random.normal(0, change, shape) + change, 0, 255).astype(np.uint8)
    before = np.clip(random.normal(0.5, 0.6, shape), 0, 1).astype(np.float32)
    output = np.clip(before + random.normal(0, 0.2, shape), 0, 1).astype(dtype)[None, None]
    alpha, kept, pairs, counts = take(machine, output, luma, (before, seen), TemporalRules())
    expected = temporal_filter_reference(output[0, 0].astype(np.float32), luma, Kept(before, seen))
    np.testing.assert_allclose(alpha, expected.alpha, atol=1e-4)
    np.testing.assert_allclose(kept, expected.luma, atol=1e-2)
    np.testing.assert_array_equal(pairs[..., 1], alpha)
    np.testing.assert_array_equal(pairs[..., 0], 0)
    assert list(counts) == [0, np.count_nonzero(output.astype(np.float32) > np.float32(0.1))]


@pytest.mark.parametrize("rules", [TemporalRules(), UNFILTERED])
def test_a_first_matte_is_taken_as_it_is(machine: Machine, rules: TemporalRules) -> None:
    output = np.random.default_rng(3).uniform(-9e-4, 1 + 9e-4, (1, 1, 5, 7)).astype(np.float32)
    luma = np.random.default_rng(4).integers(0, 256, (5, 7), dtype=np.uint8)
    nothing = np.full((5, 7), np.nan), np.zeros((5, 7))
    alpha, seen, _, _ = take(machine, output, luma, nothing, rules)
    np.testing.assert_array_equal(alpha, np.clip(output[0, 0], 0, 1))
    np.testing.assert_array_equal(seen, luma)


def test_unsteady_mattes_follow_at_once(machine: Machine) -> None:
    output = np.random.default_rng(3).uniform(0, 1, (1, 1, 5, 7)).astype(np.float32)
    alpha, _, _, _ = take(machine, output, np.zeros((5, 7), np.uint8), (np.ones((5, 7)), np.ones((5, 7))), UNFILTERED)
    np.testing.assert_allclose(alpha, output[0, 0], atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1.01, 7, 255, -0.01, -7])
def test_alpha_that_is_none_is_counted_and_hides(machine: Machine, dtype: str, wrong: float) -> None:
    output = np.ones((1, 1, 50, 7), dtype)
    output[0, 0, 2, 3] = output[0, 0, 49, 1:3] = wrong
    nothing = np.full((50, 7), np.nan), np.zeros((50, 7))
    alpha, _, _, counts = take(machine, output, np.zeros((50, 7), np.uint8), nothing, UNFILTERED)
    assert list(counts) == [3, 347]
    assert alpha[2, 3] == 0
    assert alpha.sum() == 347


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_alpha_out_of_range_by_rounding_is_clipped(machine: Machine, dtype: str) -> None:
    output = np.full((1, 1, 5, 7), 1 + ROUNDING / 2, dtype)
    output[0, 0, 2] = -ROUNDING / 2
    nothing = np.full((5, 7), np.nan), np.zeros((5, 7))
    alpha, _, _, counts = take(machine, output, np.zeros((5, 7), np.uint8), nothing, UNFILTERED)
    assert list(counts) == [0, 28]
    assert set(np.unique(alpha)) == {0, 1}


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 9), (48, 32), (19, 23)])
def test_guided_filter_is_the_cpu_paths(machine: Machine, size_wh: Any) -> None:
    width, height = size_wh
    random = np.random.default_rng(3)
    luma = random.integers(0, 256, (height, width), dtype=np.uint8)
    alpha = np.clip(random.normal(0.5, 0.7, (height, width)), 0, 1).astype(np.float32)
    pairs = machine.put(poisoned((height, width, 2), "float32"))
    given = machine.put(luma.astype(np.float32)), machine.put(alpha)
    machine.kernels.guided_filter(*given, pairs, rules=GuidedRules())
    expected = guided_coefficients(alpha, luma)
    np.testing.assert_allclose(machine.get(pairs)[..., 0] * 255, expected.a * 255, atol=2e-3)
    np.testing.assert_allclose(machine.get(pairs)[..., 1], expected.b, atol=2e-3)


def composed_reference(bgr: np.ndarray, behind: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    size_wh = bgr.shape[1], bgr.shape[0]
    a, b = (cv2.resize(np.ascontiguousarray(pairs[..., i]), size_wh, interpolation=cv2.INTER_LINEAR) for i in (0, 1))
    alpha = np.clip(a * cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY) + b, 0, 1).astype(np.float32)
    return composite_reference(bgr, behind, alpha)


@pytest.mark.parametrize("small_wh", [(16, 16), (32, 48), (1, 1)])
@pytest.mark.parametrize(("layout", "frame_wh"), cases([(size,) for size in FRAMES]))
def test_composed_picture_is_the_cpu_paths(machine: Machine, layout: str, frame_wh: Any, small_wh: Any) -> None:
    frame, bgr = packed(layout, frame_wh, 4)
    random = np.random.default_rng(5)
    behind = random.integers(0, 256, bgr.shape, dtype=np.uint8)
    pairs = np.stack(
        [random.normal(0, 0.004, small_wh[::-1]), random.uniform(-0.3, 1.3, small_wh[::-1])], axis=2
    ).astype(np.float32)
    out = machine.put(poisoned(bgr.shape, "uint8"))
    given = [machine.put(frame), machine.put(behind), machine.put(pairs)]
    machine.kernels.composite(*given, out, layout=layout, output="bgr", frame_wh=frame_wh)
    got = machine.get(out)
    expected = composed_reference(bgr, behind, pairs)
    difference = np.abs(got.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.05 or difference.size < 100
    if frame_wh[0] % 2 or frame_wh[1] % 2:
        with pytest.raises(ValueError, match="even"):
            machine.kernels.composite(*given, out, layout=layout, output="i420", frame_wh=frame_wh)
        return
    planes = machine.put(poisoned(frame_shape("i420", frame_wh), "uint8"))
    machine.kernels.composite(*given, planes, layout=layout, output="i420", frame_wh=frame_wh)
    # Of the very pixels that the BGR output has, bit for bit.
    np.testing.assert_array_equal(machine.get(planes), cv2.cvtColor(got, cv2.COLOR_BGR2YUV_I420))


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_whole_pixels_stay_exact(machine: Machine, alpha: float) -> None:
    frame, behind = (np.random.default_rng(seed).integers(0, 256, (34, 64, 3), dtype=np.uint8) for seed in (6, 7))
    pairs = np.zeros((16, 16, 2), np.float32)
    pairs[..., 1] = alpha
    out = machine.put(poisoned(frame.shape, "uint8"))
    given = [machine.put(one) for one in (frame, behind, pairs)]
    machine.kernels.composite(*given, out, layout="bgr", output="bgr", frame_wh=(64, 34))
    np.testing.assert_array_equal(machine.get(out), frame if alpha else behind)


@pytest.mark.parametrize("frame_wh", [(2, 2), (18, 6), (64, 34), (160, 8)])
def test_i420_is_opencvs(machine: Machine, frame_wh: Any) -> None:
    bgr = np.random.default_rng(8).integers(0, 256, (frame_wh[1], frame_wh[0], 3), dtype=np.uint8)
    out = machine.put(poisoned(frame_shape("i420", frame_wh), "uint8"))
    machine.kernels.to_i420(machine.put(bgr), out, frame_wh=frame_wh)
    np.testing.assert_array_equal(machine.get(out), cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420))


def test_nothing_is_written_beyond_the_picture(machine: Machine) -> None:
    frame_wh, edge = (37, 21), 64
    bgr = np.random.default_rng(9).integers(0, 256, (21, 37, 3), dtype=np.uint8)
    room = machine.put(poisoned((bgr.size + edge,), "uint8"))
    pairs = machine.put(np.full((16, 16, 2), 0.5, np.float32))
    frame = machine.put(bgr)
    machine.kernels.composite(frame, frame, pairs, room, layout="bgr", output="bgr", frame_wh=frame_wh)
    np.testing.assert_array_equal(machine.get(room)[: bgr.size], bgr.ravel())
    assert set(machine.get(room)[bgr.size :]) == {POISON}


@pytest.mark.parametrize(("layout", "size_wh"), [("rgb", (4, 4)), ("nv12", (4, 3)), ("yuyv", (3, 4)), ("bgr", (0, 4))])
def test_frames_that_cannot_be_are_refused(layout: str, size_wh: Any) -> None:
    def launch(*arguments: Any, **options: Any) -> None:
        raise AssertionError("launched")

    with pytest.raises(ValueError, match=r"layout|even"):
        Kernels(launch).resize_normalize(
            None, np.zeros((1, 3, 16, 16)), None, None, layout=layout, frame_wh=size_wh, spec=SPEC
        )
