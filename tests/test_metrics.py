"""train/metrics.py against values worked out by hand; the arithmetic stands beside each."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from bgcam.train import metrics


def matte(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


ALPHA = matte([1.0, 0.5], [0.25, 0.0])
TRUTH = matte([1.0, 1.0], [0.0, 0.0])
# differences: 0, -0.5, 0.25, 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("l1", 0.75 / 4),
        ("mad", 187.5),  # 0.1875 x 1000
        ("sad", 0.00075),  # (0.5 + 0.25) / 1000
        ("mse", 78.125),  # (0.25 + 0.0625) / 4 x 1000
        # 2 (1 x 1 + 0.5 x 1) / ((1 + 0.25 + 0.0625) + (1 + 1)) = 3 / 3.3125
        ("dice", 3 / 3.3125),
        ("iou", 50.0),  # 0.5 is not above 0.5: one pixel of two
        ("miou", (50 + 200 / 3) / 2),  # background: {alpha} has 3 pixels, {truth} 2, all in it: 2 of 3
    ],
)
def test_small_matte_by_hand(name: str, value: float) -> None:
    assert metrics.score(ALPHA, TRUTH)[name] == pytest.approx(value, rel=1e-6)


def test_two_empty_mattes_agree() -> None:
    empty = np.zeros((3, 4), np.float32)
    scores = metrics.score(empty, empty)
    assert (scores["iou"], scores["miou"], scores["dice"]) == (100, 100, 1)


def test_a_person_where_nobody_is() -> None:
    empty, full = np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32)
    scores = metrics.score(full, empty)
    assert (scores["iou"], scores["miou"], scores["dice"], scores["mad"]) == (0, 0, 0, 1000)


def test_grad_of_one_lit_pixel() -> None:
    # A lit pixel spreads each of the two kernels once over the picture. Each kernel's squares sum to 1, truth has no
    # gradient, so the sum of (gx^2 + gy^2) is 1 + 1, over 1000.
    alpha = np.zeros((21, 21), np.float32)
    alpha[10, 10] = 1
    assert metrics.grad(alpha, np.zeros_like(alpha)) == pytest.approx(0.002, rel=1e-5)


def test_grad_of_a_step() -> None:
    # Left half 0, right half 1, in a picture of 4 rows: only x counts. With g(u) = exp(-u^2 / 3.92) over -4 ... 4, a
    # pixel whose distance to the first lit column is k gets sum of u g(u) over u >= k, over |u g|, times sum(g) / |g|.
    u = range(-4, 5)
    g = {x: math.exp(-x * x / (2 * 1.4 * 1.4)) for x in u}
    smooth = sum(g.values()) / math.sqrt(sum(v * v for v in g.values()))
    slope_norm = math.sqrt(sum((x * g[x]) ** 2 for x in u))
    row = sum((smooth * sum(x * g[x] for x in u if x >= k) / slope_norm) ** 2 for k in range(-3, 5))
    alpha = np.zeros((4, 24), np.float32)
    alpha[:, 12:] = 1
    assert metrics.grad(alpha, np.zeros_like(alpha)) == pytest.approx(4 * row / 1000, rel=1e-5)


def test_grad_ignores_a_constant() -> None:
    assert metrics.grad(np.full((9, 9), 0.75, np.float32), np.zeros((9, 9), np.float32)) == pytest.approx(0, abs=1e-9)


def test_conn_of_an_island() -> None:
    # Common region at every threshold: the two pixels on the left, l = 1 there, d = 0, phi = 1 in both.
    # Elsewhere l = 0. The island: alpha 0.8 has d = 0.8, phi 0.2; truth 0 has phi 1: 0.8. The faint one: alpha 0.1 is
    # under 0.15, phi 1 in both: 0. Sum 0.8 / 1000.
    alpha = matte([1, 1, 0, 0.8, 0.1])
    truth = matte([1, 1, 0, 0.0, 0.0])
    assert metrics.conn(alpha, truth) == pytest.approx(0.0008, rel=1e-6)


def test_conn_of_a_soft_neighbour() -> None:
    # Middle pixel: both reach 0.3 beside the body, so l = 0.3. alpha 0.9: d = 0.6, phi 0.4; truth 0.35: d = 0.05 is
    # under 0.15, phi 1. Difference 0.6. The last pixel touches the middle one and both are at 0: l = 0, no difference.
    alpha = matte([1, 0.9, 0])
    truth = matte([1, 0.35, 0])
    assert metrics.conn(alpha, truth) == pytest.approx(0.0006, rel=1e-5)


def test_conn_is_4_connected_and_keeps_to_the_largest_region() -> None:
    # The corner pixel touches the body by its corner only, and is the smaller region: l = 0 there.
    # alpha 1: phi 0; truth 0.9: d = 0.9, phi 0.1; difference 0.1. In the body truth 0.9, alpha 1: l = 0.9,
    # d = 0.1 and 0: no difference.
    alpha = matte([1, 1, 0], [1, 1, 0], [0, 0, 1])
    truth = matte([0.9, 0.9, 0], [0.9, 0.9, 0], [0, 0, 0.9])
    assert metrics.conn(alpha, truth) == pytest.approx(0.0001, rel=1e-5)


def test_conn_pixel_that_left_the_body_does_not_return() -> None:
    # Up to 0.5 one region of 7 (the link is 0.5). At 0.6 it falls apart and the 4 on the left are the largest; from 0.7
    # on the 2 on the right are alone, but they had left at 0.6: l = 0.5, not 0.9.
    # alpha 1: d = 0.5, phi 0.5; truth 0.9: d = 0.4, phi 0.6; two pixels of 0.1. (With l = 0.9 there would be none.)
    alpha = matte([0.6, 0.6, 0.6, 0.6, 0.5, 1.0, 1.0])
    truth = matte([0.6, 0.6, 0.6, 0.6, 0.5, 0.9, 0.9])
    assert metrics.conn(alpha, truth) == pytest.approx(0.0002, rel=1e-5)


def test_dtssd_by_hand() -> None:
    # Errors a - t: 0 and 0; then 0.3 and 0; then 0.3 and 0.4. Changes: (0.3, 0), (0, 0.4).
    # sqrt(0.09 / 2) = 0.212132, sqrt(0.16 / 2) = 0.282843; mean 0.2474874; x 100.
    truths = [matte([0, 0.5]), matte([0.5, 0.5]), matte([0.5, 0.25])]
    alphas = [matte([0, 0.5]), matte([0.8, 0.5]), matte([0.8, 0.65])]
    assert metrics.dtssd(alphas, iter(truths)) == pytest.approx(24.74874, rel=1e-5)


def test_dtssd_forgives_a_constant_error() -> None:
    truths = [matte([0, 0.5]), matte([0.5, 0.25])]
    alphas = [truth + np.float32(0.25) for truth in truths]
    assert metrics.dtssd(alphas, truths) == pytest.approx(0, abs=1e-5)


def gray_frame(*levels: int) -> np.ndarray:
    return np.repeat(np.array([levels], np.uint8)[:, :, None], 3, axis=2)


def test_flicker_by_hand() -> None:
    # Pair 1: gray changes 0, 1, 2: pixels 0 and 1 stood still, moved 0.25 and 0. Pair 2: all still, moved 0, 0.5, 0.
    # Five still pixels, 0.75 in all: 0.15 x 1000. The third pixel's jump by 1 in pair 1 does not count.
    frames = [gray_frame(10, 10, 10), gray_frame(10, 11, 12), gray_frame(10, 10, 12)]
    alphas = [matte([0, 0, 0]), matte([0.25, 0, 1]), matte([0.25, 0.5, 1])]
    assert metrics.flicker(alphas, iter(frames)) == pytest.approx(150)


def test_flicker_without_a_still_pixel_is_nan() -> None:
    assert math.isnan(metrics.flicker([ALPHA[:1], ALPHA[:1]], [gray_frame(0, 0), gray_frame(9, 9)]))


@pytest.fixture
def soft() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    return random.random((40, 30), np.float32), random.random((40, 30), np.float32)


def test_a_matte_against_itself_is_perfect(soft: tuple[np.ndarray, np.ndarray]) -> None:
    perfect = {"iou": 100, "miou": 100, "dice": 1, "l1": 0, "mad": 0, "mse": 0, "sad": 0, "grad": 0, "conn": 0}
    assert metrics.score(soft[0], soft[0]) == pytest.approx(perfect)


def test_every_image_metric_is_symmetric(soft: tuple[np.ndarray, np.ndarray]) -> None:
    assert metrics.score(soft[0], soft[1]) == pytest.approx(metrics.score(soft[1], soft[0]))


def test_every_image_metric_is_the_same_mirrored_and_turned(soft: tuple[np.ndarray, np.ndarray]) -> None:
    turned = metrics.score(np.ascontiguousarray(soft[0][::-1].T), np.ascontiguousarray(soft[1][::-1].T))
    assert turned == pytest.approx(metrics.score(*soft), rel=1e-5)


@pytest.mark.parametrize(
    ("alpha", "says"),
    [
        (TRUTH.astype(np.float64), "float64"),
        (TRUTH[..., None], r"\(2, 2, 1\)"),
        (TRUTH * 255, "255"),
        (np.full((2, 2), np.nan, np.float32), "nan"),
        (np.zeros((2, 3), np.float32), r"\(2, 3\) and \(2, 2\)"),
        (np.zeros((0, 2), np.float32), r"\(0, 2\)"),
    ],
)
def test_arrays_off_the_contract_are_refused(alpha: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        metrics.score(alpha, TRUTH)


def test_video_metrics_refuse_a_single_frame_and_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="two frames"):
        metrics.dtssd([ALPHA], [TRUTH])
    with pytest.raises(ValueError, match="two frames"):
        metrics.flicker([ALPHA], [np.zeros((2, 2, 3), np.uint8)])
    with pytest.raises(ValueError, match="shorter"):
        metrics.dtssd([ALPHA, ALPHA], [TRUTH])
    with pytest.raises(ValueError, match="a frame must be"):
        metrics.flicker([ALPHA, ALPHA], [np.zeros((3, 2, 3), np.uint8)] * 2)


def test_import_needs_neither_torch_nor_opencv() -> None:
    code = "import sys, bgcam.train.metrics; print([m for m in ('torch', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
