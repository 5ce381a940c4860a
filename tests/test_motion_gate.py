"""realtime/model/motion_gate.py: when inference may be left out, and that movement brings it back at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.command import run
from bgcam.realtime.command.cli import main
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.motion_gate import CELL, StillMatting, moved, moved_reference
from bgcam.realtime.picture.guided_filter import luma_of

Luma = NDArray[np.uint8]


def room(shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float64]:
    """A soft picture of mid grey levels, as a room is at network size."""
    return 60 + 130 * np.asarray(cv2.GaussianBlur(random.random(shape), (0, 0), 4), np.float64)


def seen(picture: NDArray[np.float64], random: np.random.Generator, *, noise: float) -> Luma:
    return np.clip(np.rint(picture + random.normal(0, noise, picture.shape)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(192, 320), (240, 320), (1, 1), (7, 9), (8, 8), (17, 8), (50, 3), (97, 131)])
@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0, 40.0])
def test_the_fast_decision_is_the_references(shape: tuple[int, int], noise: float) -> None:
    random = np.random.default_rng(3)
    for _ in range(6):
        still = room(shape, random)
        before, luma = seen(still, random, noise=noise), seen(still, random, noise=noise)
        luma[: random.integers(1, 9), -random.integers(1, 9) :] += np.uint8(random.integers(0, 9))
        assert moved(luma, before) == moved_reference(luma, before)


def test_both_decide_alike_next_to_the_threshold() -> None:
    # One cell of 64 pixels, all others 0: it moved when its sum is over 64, so by 1 more grey level in one pixel.
    before = np.full((24, 40), 100, np.uint8)
    luma = before.copy()
    luma[8:16, 16:24] += 1
    for decide in (moved, moved_reference):
        assert not decide(luma, before)
    luma[9, 17] += 1
    for decide in (moved, moved_reference):
        assert decide(luma, before)


def test_the_largest_difference_and_small_last_cells_count_whole() -> None:
    white, black = np.full((17, 9), 255, np.uint8), np.zeros((17, 9), np.uint8)
    assert moved(white, black)
    luma = black.copy()
    luma[16, 8] = 2  # a cell of one pixel
    assert moved(luma, black)
    assert moved_reference(luma, black)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 2.0])
def test_noise_is_no_movement_and_a_hand_is(noise: float) -> None:
    random = np.random.default_rng(0)
    still = room((192, 320), random)
    for _ in range(20):
        assert not moved(seen(still, random, noise=noise), seen(still, random, noise=noise))
    hand = still.copy()
    hand[100:120, 200:212] += 30
    edge = still.copy()
    edge[:, 160:] += 50
    edge_moved = still.copy()
    edge_moved[:, 161:] += 50  # by one pixel of the network's, four of a 1280x720 frame
    assert moved(seen(hand, random, noise=noise), seen(still, random, noise=noise))
    assert moved(seen(edge_moved, random, noise=noise), seen(edge, random, noise=noise))


def test_a_pan_is_movement() -> None:
    random = np.random.default_rng(1)
    wide = room((192, 340), random) + 60 * (np.arange(340) % 40 < 20)
    assert moved(seen(wide[:, 4:324], random, noise=1), seen(wide[:, :320], random, noise=1))


@pytest.mark.parametrize("shape", [(8, 9), (0, 0), (8, 8, 3)])
def test_what_cannot_be_compared_is_refused(shape: tuple[int, ...]) -> None:
    other = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match="cannot be compared"):
        moved(other, np.zeros((8, 8), np.uint8) if other.size else other)


class Counting:
    """Stands for `Matting`: sees the frame itself; its alpha holds the number of the frame that was inferred."""

    def __init__(self) -> None:
        self.inferred: list[int] = []

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return frame.room_bgr

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        self.inferred.append(frame.number)
        return CoarseMatte(frame.number, np.full(seen_bgr.shape[:2], frame.number / 1000, np.float32), seen_bgr)


def frame(number: int, level: int = 90, *, shape: tuple[int, int] = (48, 64), left: int = 0) -> CameraFrame:
    bgr = np.full((*shape, 3), level, np.uint8)
    bgr[10:30, left : left + 12] = 200
    return CameraFrame(number, bgr, number / 30, 0.0)


def test_a_still_scene_is_inferred_once_in_15_frames_and_keeps_number_and_picture() -> None:
    inner = Counting()
    still = StillMatting(inner)
    mattes = [still(frame(number, 90 + number % 2)) for number in range(31)]
    assert inner.inferred == [0, 15, 30]
    assert still.skipped == 28
    assert [matte.number for matte in mattes] == list(range(31))
    assert [round(1000 * float(matte.alpha[0, 0])) for matte in mattes] == [0] * 15 + [15] * 15 + [30]
    assert [int(matte.seen_bgr[0, 0, 0]) for matte in mattes] == [90 + number % 2 for number in range(31)]


def test_movement_resumes_at_once_and_every_moving_frame_is_inferred() -> None:
    inner = Counting()
    still = StillMatting(inner)
    for number in range(5):
        still(frame(number))
    for number in range(5, 12):
        assert float(still(frame(number, left=number - 4)).alpha[0, 0]) == np.float32(number / 1000)
    for number in range(12, 16):
        still(frame(number, left=7))
    assert inner.inferred == [0, *range(5, 12)]


def test_slow_movement_adds_up() -> None:
    # A fade by a quarter of what counts each frame: no frame differs from the one before, some from the last inferred.
    inner = Counting()
    still = StillMatting(inner, refresh=1000)
    for number in range(40):
        bgr = np.full((48, 64, 3), 90, np.uint8)
        bgr[8:16, 8:16] += np.uint8(number // 2)
        still(CameraFrame(number, bgr, 0.0, 0.0))
    assert inner.inferred == [0, *range(4, 40, 4)]


def test_another_size_is_inferred() -> None:
    inner = Counting()
    still = StillMatting(inner)
    for number, shape in enumerate([(48, 64), (64, 48), (64, 48)]):
        still(frame(number, shape=shape))
    assert inner.inferred == [0, 1]


def test_errors_come_through_and_leave_nothing() -> None:
    class Broken(Counting):
        def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
            if frame.number == 0:
                raise RuntimeError("broken")
            return super().infer(frame, seen_bgr)

    inner = Broken()
    still = StillMatting(inner)
    with pytest.raises(RuntimeError, match="broken"):
        still(frame(0))
    still(frame(1))
    assert inner.inferred == [1]


def test_refresh_of_1_never_skips_and_0_is_refused() -> None:
    inner = Counting()
    still = StillMatting(inner, refresh=1)
    for number in range(4):
        still(frame(number))
    assert inner.inferred == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="found 0"):
        StillMatting(inner, refresh=0)


def test_several_workers_never_take_a_matte_of_another_scene(tiny_model: Path) -> None:
    # Scenes of 6 frames, now bright (a person), now dark: whichever worker is late, each frame gets its own scene's.
    matting = Matting(tiny_model, threads=1)
    still = StillMatting(matting)
    frames = [
        CameraFrame(number, np.full((120, 160, 3), 250 if number // 6 % 2 else 5, np.uint8), 0.0, 0.0)
        for number in range(96)
    ]
    matting.prepare((160, 120))
    with ThreadPoolExecutor(4) as pool:
        mattes = list(pool.map(still, frames))
    for number, matte in enumerate(mattes):
        assert matte.number == number
        assert abs(float(matte.alpha.mean()) - number // 6 % 2) < 0.01
    assert still.skipped > 0


def test_the_matte_is_the_models_own_and_what_is_seen_is_the_frames(tiny_model: Path) -> None:
    matting = Matting(tiny_model, threads=1)
    still = StillMatting(matting)
    random = np.random.default_rng(0)
    bgr = np.asarray(cv2.resize(random.integers(0, 256, (9, 16, 3), np.uint8), (320, 180)), np.uint8)
    first, second = (still(CameraFrame(number, bgr + np.uint8(0), 0.0, 0.0)) for number in range(2))
    own = matting(CameraFrame(0, bgr, 0.0, 0.0))
    assert np.array_equal(first.alpha, own.alpha)
    assert np.array_equal(second.alpha, own.alpha)
    assert np.array_equal(luma_of(second.seen_bgr), luma_of(own.seen_bgr))
    assert still.skipped == 1
    assert first.alpha.shape[0] % CELL == 0


class StillSource:
    """20 frames of one scene, of a camera or of a file."""

    name, size_wh, fps, drops, frames = "one scene", (64, 48), 25.0, 0, 20
    note, notice = "", ""

    def __init__(self, *, live: bool) -> None:
        self.live, self._number = live, 0

    def read(self) -> CameraFrame | None:
        number, self._number = self._number, self._number + 1
        return frame(number) if number < self.frames else None

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("live", "inferred"), [(True, [0, 15]), (False, list(range(20)))])
def test_only_a_cameras_frames_are_skipped(
    live: bool, inferred: list[int], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []
    real = Matting.infer

    def counting(self: Matting, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        numbers.append(frame.number)
        return real(self, frame, seen_bgr)

    monkeypatch.setattr(Matting, "infer", counting)
    monkeypatch.setattr(run, "open_source", lambda **options: StillSource(live=live))
    given = ["--background", "green", "--output", "null", "--model", str(tiny_model), "--threads", "1"]
    assert main(given) == 0
    # A frame is seen twice where its crop and the whole of it are.
    assert [*dict.fromkeys(numbers)] == inferred
