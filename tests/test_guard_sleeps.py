"""The output guard sleeps while pictures come, and still acts at once, and on time, when something changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.failsafe import output_guard
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import Placeholders, SafeBackground
from bgcam.realtime.frames import CameraFrame, OutputFrame
from bgcam.realtime.picture.composed import composed

SIZE_WH = (16, 8)


class Screen:
    """A live sink that notes when it was written to."""

    name, live, notice, takes_cutouts = "screen", True, "", False

    def __init__(self) -> None:
        self.written_s: list[float] = []

    def write(self, frame: OutputFrame) -> None:
        self.written_s.append(time.monotonic())

    def viewers(self) -> Viewers:
        return Viewers.NONE

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Guarded:
    def __init__(self, watchdog_ms: float):
        behind = SafeBackground(Still("blue", np.full((1, 1, 3), 200, np.uint8)), SIZE_WH)
        self.guard, self.screen = OutputGuard(Placeholders(behind), watchdog_ms=watchdog_ms), Screen()
        self.looks = self.number = 0
        show = self.guard._show_placeholders

        def counted(**wait: float) -> None:
            self.looks += 1
            show(**wait)

        self.guard._show_placeholders = counted  # type: ignore[method-assign]
        self.guard.begin([self.screen], on_failure=lambda error: self.fail(error))

    def fail(self, error: BaseException) -> None:
        raise AssertionError(error)

    def picture(self) -> None:
        self.number += 1
        frame = CameraFrame(self.number, np.zeros((*SIZE_WH[::-1], 3), np.uint8), self.number / 30, time.monotonic())
        self.guard.write(composed(frame, np.full((*SIZE_WH[::-1], 3), 9, np.uint8)), None)


@pytest.fixture
def guarded() -> Iterator[Callable[[float], Guarded]]:
    made: list[Guarded] = []

    def make(watchdog_ms: float) -> Guarded:
        made.append(Guarded(watchdog_ms))
        return made[-1]

    yield make
    for one in made:
        one.guard.end()


def until(condition: Callable[[], bool], *, limit_s: float = 5.0) -> float:
    """How long it took."""
    begun_s = time.monotonic()
    while not condition():
        assert time.monotonic() - begun_s < limit_s, "waited in vain"
        time.sleep(0.002)
    return time.monotonic() - begun_s


def test_it_does_not_look_while_pictures_come(guarded: Callable[[float], Guarded]) -> None:
    run = guarded(5000.0)
    run.picture()
    time.sleep(0.15)  # the repetition of the first placeholder was due once more
    before = run.looks
    for _ in range(10):
        run.picture()
        time.sleep(0.03)
    assert run.looks - before <= 2


@pytest.mark.parametrize("change", ["panic", "rest", "trouble"])
def test_it_acts_at_once_however_long_it_would_sleep(change: str, guarded: Callable[[float], Guarded]) -> None:
    run = guarded(60_000.0)
    run.picture()
    time.sleep(0.15)
    actions: dict[str, Callable[[], None]] = {
        "panic": lambda: run.guard.set_panic(True),
        "rest": lambda: run.guard.rest(True),
        "trouble": lambda: run.guard.trouble(ValueError("unplugged")),
    }
    count = len(run.screen.written_s)
    actions[change]()
    assert until(lambda: len(run.screen.written_s) > count) < 0.5
    assert run.guard._outputs[0].shows_placeholder
    # And for new viewers it is repeated.
    assert until(lambda: len(run.screen.written_s) > count + 2) < 2.0


def test_the_watchdog_is_on_time(guarded: Callable[[float], Guarded]) -> None:
    run = guarded(300.0)
    for _ in range(4):
        run.picture()
        time.sleep(0.05)
    count, last_s = len(run.screen.written_s), run.screen.written_s[-1]
    until(lambda: len(run.screen.written_s) > count)
    assert 0.25 < run.screen.written_s[count] - last_s < 1.0
    assert run.guard._outputs[0].shows_placeholder


def test_its_end_is_not_waited_for(guarded: Callable[[float], Guarded]) -> None:
    run = guarded(60_000.0)
    run.picture()
    time.sleep(0.15)
    thread = run.guard._thread
    assert thread is not None
    run.guard.end()
    assert not thread.is_alive()


def test_time_in_which_the_process_stood_still_does_not_count_however_long_it_would_sleep(
    guarded: Callable[[float], Guarded], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, stopped_s, failures = guarded(60_000.0), 0.0, list[BaseException]()
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + stopped_s, sleep=time.sleep)
    monkeypatch.setattr(output_guard, "time", clock)
    run.guard.give_up_s, run.fail = 3.0, failures.append  # type: ignore[method-assign, assignment]
    run.picture()
    time.sleep(0.15)
    stopped_s = 2.5
    run.guard._news.put(None)
    time.sleep(0.9)
    assert not failures
    assert run.guard._thread is not None
    assert run.guard._thread.is_alive()
