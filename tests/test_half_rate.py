"""realtime/model/half_rate.py: which frames the network runs on, and that every matte belongs to its frame."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError, MatteRefused
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model import half_rate
from bgcam.realtime.model.half_rate import HalfRate
from bgcam.realtime.model.motion_gate import StillMatting

SIZE = (96, 160)


def texture(seed: int, low: int, high: int) -> NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(low, high, (8, 13), np.uint8)
    return np.asarray(cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


ROOM, SKIN = texture(0, 20, 120), texture(1, 150, 250)


def frame(number: int, right: float = 0, *, time_s: float | None = None, room: NDArray[np.uint8] = ROOM) -> CameraFrame:
    """A bright disc before a dark room, moved to the right by this many pixels."""
    mask = np.zeros(SIZE, np.float32)
    cv2.circle(mask, (round(16 * (70 + right)), 16 * 55), 16 * 26, 1.0, -1, cv2.LINE_AA, 4)
    moved = cv2.warpAffine(
        SKIN, np.array([[1, 0, right], [0, 1, 0]], np.float64), SIZE[::-1], borderMode=cv2.BORDER_REPLICATE
    )
    grey = np.asarray(np.rint(np.where(mask > 0, moved, room)), np.uint8)
    return CameraFrame(number, np.dstack([grey] * 3), number / 30 if time_s is None else time_s, 0.0)


class Network:
    """Stands for `Matting`: sees the frame itself, and finds what is bright."""

    def __init__(self) -> None:
        self.inferred: list[int] = []

    def __call__(self, frame: CameraFrame) -> CoarseMatte:
        return self.infer(frame, self.see(frame))

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return frame.room_bgr

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        self.inferred.append(frame.number)
        return CoarseMatte(frame.number, np.asarray(seen_bgr[..., 0] > 130, np.float32), seen_bgr)


def apart(coarse: CoarseMatte) -> float:
    """How far the matte is from what the network would have found in the picture that it comes with."""
    return float(np.abs(coarse.alpha - (coarse.seen_bgr[..., 0] > 130)).mean())


def test_the_network_runs_on_every_other_frame_of_slow_motion_and_each_matte_fits_its_frame() -> None:
    network = Network()
    half = HalfRate(network)
    mattes = [half(frame(number, 2.0 * number)) for number in range(10)]
    assert network.inferred == [0, 2, 4, 6, 8]
    assert (half.carried, half.doubted) == (5, 0)
    assert [matte.number for matte in mattes] == list(range(10))
    assert [matte.carried for matte in mattes] == [False, True] * 5
    left_behind = np.mean([np.abs(mattes[at].alpha - mattes[at - 2].alpha).mean() / 2 for at in (2, 4, 6, 8)])
    assert max(apart(matte) for matte in mattes) < 0.35 * left_behind


def test_a_still_frame_gets_the_very_same_matte() -> None:
    half = HalfRate(Network())
    first, second = half(frame(0)), half(frame(1))
    assert second.alpha is first.alpha
    assert second.carried


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(frame(1, 40.0), id="fast"),
        pytest.param(frame(1, room=np.asarray(ROOM[::-1] + 60, np.uint8)), id="cut"),
        pytest.param(frame(1, 1.0, time_s=0.5), id="late"),
        pytest.param(frame(1, 1.0, time_s=-0.1), id="back in time"),
    ],
)
def test_the_network_runs_where_the_frame_before_says_too_little(second: CameraFrame) -> None:
    network = Network()
    half = HalfRate(network)
    half(frame(0))
    matte = half(second)
    assert network.inferred == [0, 1]
    assert not matte.carried
    assert apart(matte) == 0


def test_a_matte_is_carried_once_and_only_from_the_frame_before() -> None:
    network = Network()
    half = HalfRate(network)
    for number in (0, 1, 3, 5, 6, 9):
        half(frame(number))
    assert network.inferred == [0, 3, 5, 6, 9]


def test_another_size_is_inferred() -> None:
    network = Network()
    half = HalfRate(network)
    half(frame(0))
    half(CameraFrame(1, np.zeros((48, 64, 3), np.uint8), 1 / 30, 0.0))
    assert network.inferred == [0, 1]


def test_what_was_forgotten_is_not_carried() -> None:
    network = Network()
    half = HalfRate(network)
    half(frame(0))
    half.forget()
    half(frame(1))
    assert network.inferred == [0, 1]


def test_a_failed_frame_is_an_error_and_the_next_one_is_inferred() -> None:
    class Broken(Network):
        def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
            coarse = super().infer(frame, seen_bgr)
            if frame.number == 0:
                raise BackendError("broken")
            return coarse

    network = Broken()
    half = HalfRate(network)
    with pytest.raises(BackendError, match="broken"):
        half(frame(0))
    assert not half(frame(1)).carried
    assert network.inferred == [0, 1]


def test_a_matte_of_another_frame_is_not_passed_on() -> None:
    class Late(Network):
        def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
            return replace(super().infer(frame, seen_bgr), number=frame.number - frame.number % 4)

    network = Late()
    half = HalfRate(network)
    for number in range(2, 6):
        half(frame(number))
    assert network.inferred == [2, 3, 4]


def test_several_workers_give_the_same_mattes_whichever_is_first() -> None:
    class Slow(Network):
        def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
            time.sleep(0.002 * (frame.number % 3))
            return super().infer(frame, seen_bgr)

    frames = [frame(number, number % 7 * (30.0 if number == 13 else 1.0)) for number in range(40)]
    one_by_one = HalfRate(Network())
    expected = [one_by_one(one) for one in frames]
    network = Slow()
    with ThreadPoolExecutor(4) as pool:
        mattes = list(pool.map(HalfRate(network, wait_s=5.0), frames))
    assert [matte.carried for matte in mattes] == [matte.carried for matte in expected]
    for matte, other in zip(mattes, expected, strict=True):
        np.testing.assert_array_equal(matte.alpha, other.alpha)
    assert len(network.inferred) < 30


def test_a_frame_whose_predecessor_never_comes_waits_only_so_long() -> None:
    network = Network()
    begun_s = time.monotonic()
    HalfRate(network, wait_s=0.05)(frame(5))
    assert 0.05 <= time.monotonic() - begun_s < 5
    assert network.inferred == [5]


def test_a_network_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_rate, "HANGS_S", 0.05)
    begun, end = threading.Event(), threading.Event()

    class Hangs(Network):
        def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
            if frame.number == 0:
                begun.set()
                end.wait(10)
            return super().infer(frame, seen_bgr)

    network = Hangs()
    half = HalfRate(network)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(half, frame(0))
        assert begun.wait(5)
        assert not half(frame(1)).carried
        assert network.inferred == [1]
        end.set()


def test_a_matte_that_was_refused_is_not_carried_and_a_carried_one_confirms_nothing() -> None:
    # Three frames that agree make a sudden growth believed: those of the network alone count.
    full = np.full(SIZE, 0.9, np.float32)
    full[:, :20] = 0

    class Grows(Network):
        def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
            coarse = super().infer(frame, seen_bgr)
            return CoarseMatte(frame.number, full.copy(), seen_bgr) if frame.number >= 4 else coarse

    network = Grows()
    half = HalfRate(network)
    check = MatteCheck(on_refusal=half.forget)
    for number in range(4):
        check(half(frame(number)))
    in_flight = [half(frame(4)), half(frame(5))]  # before either was checked
    assert in_flight[1].carried
    for matte in in_flight:
        with pytest.raises(MatteRefused, match="1 of 3 times"):
            check(matte)
    with pytest.raises(MatteRefused, match="2 of 3 times"):
        check(half(frame(6)))
    check(half(frame(7)))
    assert network.inferred == [0, 2, 4, 6, 7]


def test_a_carried_matte_is_not_kept_for_still_frames() -> None:
    network = Network()
    still = StillMatting(HalfRate(network))
    places = [0.0, 2.0, 2.0, 2.0, 2.0]
    mattes = [still(frame(number, place)) for number, place in enumerate(places)]
    assert [matte.carried for matte in mattes] == [False, True, False, False, False]
    assert network.inferred == [0, 2]
    assert mattes[3].alpha is mattes[2].alpha
