"""A run that stands still: told after seconds, given up later, and a machine that slept is no fault."""

from __future__ import annotations

import pytest

from bgcam.realtime.errors import BgcamError
from bgcam.realtime.failsafe.stall import TELL_S, Stall


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def look(stall: Stall, clock: Clock, *, seconds: float, frames: int = 0) -> None:
    for _ in range(round(seconds * 10)):
        clock.now_s += 0.1
        stall.look(frames)


def test_it_is_told_and_then_given_up(clock: Clock) -> None:
    stall = Stall(give_up_s=20, clock=clock)
    look(stall, clock, seconds=TELL_S - 0.5)
    assert stall.notice == ""
    look(stall, clock, seconds=2.5)
    assert stall.notice == "no new picture for 5 s, the run ends in 15 s"
    with pytest.raises(
        BgcamError, match=r"no new picture for 20 s.*start again, with another --backend if it happens again"
    ):
        look(stall, clock, seconds=15.2)


def test_frames_and_a_camera_that_is_waited_for_end_it(clock: Clock) -> None:
    stall = Stall(give_up_s=20, clock=clock)
    for frames in range(5):
        look(stall, clock, seconds=15, frames=frames)
        assert stall.notice
    look(stall, clock, seconds=0.1, frames=9)
    assert stall.notice == ""
    for _ in range(5):
        look(stall, clock, seconds=15, frames=9)
        stall.waits()


def test_the_time_in_which_the_machine_slept_counts_for_nothing(clock: Clock) -> None:
    stall = Stall(give_up_s=20, clock=clock)
    look(stall, clock, seconds=2)
    for _ in range(10):
        clock.now_s += 3600
        stall.look(0)
        look(stall, clock, seconds=0.5)
    assert stall.notice.startswith("no new picture for ")
