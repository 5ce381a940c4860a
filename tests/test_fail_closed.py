"""Whatever fails, the room never reaches an output: placeholders go out instead, and the run goes on when it can."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from fault_table import FAULTS, OTHERS, Fault, measure, others_table
from faults import Injector, LookingSink, is_placeholder, make_run, right_matte, room, shows_secret, watch_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bgcam.realtime.backgrounds.blur import Blur, Room
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.errors import BackendError, BgcamError, MatteRefused, SinkError, SourceError
from bgcam.realtime.failsafe import output_guard
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.failsafe.output_guard import patience_ms
from bgcam.realtime.failsafe.placeholder import PLAIN_GREY, SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte

WATCHDOG_MS = 150.0
# A busy machine may wake the watchdog late.
LATE_MS = 150.0
# A machine that does other things too may be late by more, now and then.
TRIES = 3
FRAMES = 10_000
DOCUMENT = Path(__file__).parents[1] / "docs" / "evidence" / "reliability.md"
TITLES = "| fault | how it is injected | what you see | placeholder after, ms"
SINK_FAULTS = ["output fails"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_placeholder_bridges_every_fault_and_the_run_goes_on(fault: Fault) -> None:
    tries = []
    for _ in range(TRIES):
        found = measure(fault, watchdog_ms=WATCHDOG_MS, lasts_s=0.3)
        assert found.leaks == 0
        tries.append(found)
        if (
            max(found.placeholder_ms, found.longest_picture_ms) < WATCHDOG_MS + LATE_MS
            and found.back_ms < fault.back_ms
        ):
            return
    raise AssertionError(f"too late each time: {tries}")


class FaultyDay(RuleBasedStateMachine):
    """Runs whose faults begin and heal, alone or after one another, while the panic button is pressed."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.faults = Injector()
        self.sinks = [LookingSink(self.faults), LookingSink(self.faults, live=False), LookingSink(self.faults)]
        self.thread = threading.Thread()
        self.asked = 0
        self.may_read = threading.Semaphore(0)

    @precondition(lambda self: not self.thread.is_alive())
    @rule(
        watchdog_ms=st.sampled_from([20, 40]),
        stands_for=st.sampled_from([1, 1, 7]),
        live=st.sampled_from([True, True, False]),
        watched=st.sampled_from([True, True, True, False]),
        half_rate=st.booleans(),
    )
    def begin(self, watchdog_ms: float, stands_for: int, live: bool, watched: bool, half_rate: bool) -> None:
        for at, sink in enumerate(self.sinks):
            sink.got.clear()
            sink.live = watched and at != 1
        self.faults.set("")
        self.pipeline = make_run(
            self.faults,
            watchdog_ms=watchdog_ms,
            on_read=self.wait_for_leave,
            stands_for=stands_for,
            live=live,
            half_rate=half_rate,
        )
        self.thread = threading.Thread(target=self.run_pipeline)
        self.thread.start()
        self.frames(5)

    def run_pipeline(self) -> None:
        # With a live source and a live output, an output's is the only fault of these that ends a run.
        with contextlib.suppress(BgcamError, RuntimeError, ValueError):
            self.pipeline.run(self.sinks)

    def wait_for_leave(self, number: int) -> None:
        self.may_read.acquire(timeout=5)
        self.asked += 1

    @precondition(lambda self: self.thread.is_alive())
    @rule(count=st.integers(10, 150))
    def frames(self, count: int) -> None:
        """So many reads of the camera; what hangs heals after a while, or nobody would read on."""
        until, hangs_s = self.asked + count, time.monotonic() + 0.06
        for _ in range(count):
            self.may_read.release()
        while self.asked < until and self.thread.is_alive():
            if time.monotonic() > hangs_s:
                self.faults.set("")
                hangs_s = time.monotonic() + 5
            time.sleep(0.0005)

    @precondition(lambda self: self.thread.is_alive())
    @rule(name=st.sampled_from([fault.name for fault in FAULTS] + SINK_FAULTS), count=st.integers(1, 3))
    def fault(self, name: str, count: int) -> None:
        self.faults.set(name)
        self.frames(count)

    @precondition(lambda self: self.thread.is_alive())
    @rule(count=st.integers(5, 80))
    def heal(self, count: int) -> None:
        self.faults.set("")
        self.frames(count)

    @precondition(lambda self: self.thread.is_alive())
    @rule()
    def panic(self) -> None:
        watch_of(self.pipeline).toggle_panic()

    @invariant()
    def nobody_saw_the_room(self) -> None:
        for sink in self.sinks:
            assert not sink.leaks, f"the room in frames {sink.leaks}"

    def end(self) -> None:
        if not self.thread.ident:
            return
        self.pipeline.stop()
        self.faults.set("")
        while self.thread.is_alive():
            self.may_read.release()
            self.thread.join(0.002)
        self.may_read = threading.Semaphore(0)
        for sink in self.sinks:
            self.seen["frames"] += len(sink.got)
            self.seen["placeholders"] += sum(placeholder for _, placeholder in sink.got)
            assert not sink.live or (sink.got[0][1] and sink.got[-1][1]), (
                "a live output begins and ends with a placeholder"
            )
            sink.got.clear()
        self.thread = threading.Thread()

    def teardown(self) -> None:
        self.end()
        self.nobody_saw_the_room()


def test_no_fault_at_any_time_shows_the_room_in_ten_thousand_frames() -> None:
    FaultyDay.seen.clear()
    for _ in range(50):
        run_state_machine_as_test(
            FaultyDay,
            settings=settings(
                max_examples=2,
                stateful_step_count=40,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        frames, placeholders = FaultyDay.seen["frames"], FaultyDay.seen["placeholders"]
        if frames >= FRAMES and min(placeholders, frames - placeholders) >= FRAMES // 10:
            break
    print(f"{frames} frames, {placeholders} of them placeholders")
    assert frames >= FRAMES
    assert min(placeholders, frames - placeholders) >= FRAMES // 10


def test_the_documents_table_is_of_these_faults() -> None:
    text = DOCUMENT.read_text()
    measured = text[text.index(TITLES) :].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in measured.splitlines() if line[:2] == "| "]
    assert [row[:3] for row in rows[1:]] == [[fault.name, fault.how, fault.sees] for fault in FAULTS]
    for row, fault in zip(rows[1:], FAULTS, strict=True):
        placeholder_ms, back_ms, longest_ms = map(float, row[3:])
        assert 0 <= placeholder_ms <= 550, row  # a hang begins with the next frame
        assert 0 <= back_ms <= fault.back_ms, row
        assert 0 < longest_ms <= 500, row


def test_the_documents_other_table_is_made_of_tests_that_there_are() -> None:
    assert others_table() in DOCUMENT.read_text(), "python tests/fault_table.py prints it"
    for other in OTHERS:
        file, _, function = other.test.partition("::")
        assert f"def {function}(" in (Path(__file__).parent / file).read_text(), other.test


def test_the_search_finds_a_leak() -> None:
    """Without the check, a matte of ones shows the room: the test above can fail."""
    faults, sink = Injector(), LookingSink()
    faults.set("matte is all one")
    make_run(faults, frames=5, checked=False).run([sink])
    assert sink.leaks
    assert shows_secret(room(0))
    assert not is_placeholder(room(0))


@pytest.mark.parametrize(
    ("name", "error"), [("inference fails", BackendError), ("camera fails", SourceError), ("output fails", SinkError)]
)
def test_what_does_not_heal_ends_the_run_after_a_placeholder(name: str, error: type[Exception]) -> None:
    faults, sink, file = Injector(), LookingSink(), LookingSink(live=False)
    broken = LookingSink(faults) if name == "output fails" else LookingSink()

    def begin(number: int) -> None:
        if number == 5:
            faults.set(name)

    with pytest.raises(error, match="failed"):
        make_run(faults, fps=200, on_read=begin, give_up_s=0.3).run([sink, file, broken])
    assert any(not placeholder for _, placeholder in sink.got)
    assert sink.got[-1][1]
    assert (sink.end, file.end) == ("closed", "closed")  # a camera cannot be asked again


@pytest.mark.parametrize("name", ["inference hangs", "camera hangs", "picture hangs"])
def test_what_hangs_for_ever_ends_with_one_line(name: str) -> None:
    faults, sink = Injector(), LookingSink()

    def begin(number: int) -> None:
        if number == 5:
            faults.set(name)

    with pytest.raises(BgcamError, match=r"no new picture for 0.3 s.*start again"):
        make_run(faults, fps=200, on_read=begin, give_up_s=0.3, watchdog_ms=100).run([sink])
    assert sink.got[-1][1]
    faults.set("")


def test_without_a_live_output_an_error_stops_at_once() -> None:
    faults, file = Injector(), LookingSink(live=False)
    faults.set("inference fails")
    with pytest.raises(BackendError, match="the model failed"):
        make_run(faults).run([file])
    assert (file.got, file.end) == ([], "aborted")


def test_a_file_beside_a_live_output_gets_one_frame_for_each_of_the_cameras() -> None:
    faults, live, file = Injector(), LookingSink(), LookingSink(live=False)

    def disturb(number: int) -> None:
        faults.set("inference fails" if number in (9, 10) else "")

    pipeline = make_run(faults, fps=100, frames=30, on_read=disturb)
    pipeline.run([live, file])
    assert len(file.got) == 30
    assert sum(placeholder for _, placeholder in file.got) == watch_of(pipeline).placeholders_shown >= 1
    assert (live.end, file.end) == ("closed", "closed")


@pytest.mark.parametrize("fps", [5, 100])
def test_panic_puts_the_placeholder_up_within_a_frame_and_holds_it(fps: float) -> None:
    sink, file = LookingSink(), LookingSink(live=False)
    pipeline = make_run(Injector(), fps=fps)
    thread = threading.Thread(target=pipeline.run, args=([sink, file],))
    thread.start()
    while len(sink.got) < 4 or sink.got[-1][1]:
        time.sleep(0.001)
    assert pipeline.notice() == ""
    watch_of(pipeline).toggle_panic()
    pressed_s = time.monotonic()
    time.sleep(0.3)
    assert "PANIC" in pipeline.notice()
    released_s = time.monotonic()
    watch_of(pipeline).toggle_panic()
    while sink.got[-1][1]:
        time.sleep(0.001)
        assert time.monotonic() < released_s + 2
    pipeline.stop()
    thread.join(5)
    held = [(at_s - pressed_s, placeholder) for at_s, placeholder in sink.got if pressed_s < at_s < released_s]
    assert all(
        placeholder for at_s, placeholder in held if at_s > 0.005
    )  # a picture may have been on its way into the sink
    assert next(at_s for at_s, placeholder in held if placeholder) < 0.1
    assert all(placeholder for at_s, placeholder in file.got if pressed_s + 0.005 < at_s < released_s)


def test_the_first_frame_is_a_placeholder_even_if_no_matte_ever_comes() -> None:
    faults, sink = Injector(), LookingSink()
    faults.set("inference hangs")
    with pytest.raises(BgcamError):
        make_run(faults, give_up_s=0.25).run([sink])
    assert len(sink.got) >= 3
    assert all(placeholder for _, placeholder in sink.got)
    faults.set("")


def test_the_room_is_never_kept_for_a_placeholder() -> None:
    frame = CameraFrame(0, room(0), 0.0, 0.0)
    for background in (Blur(), Room()):
        safe = SafeBackground(background, frame.size_wh)
        safe.picture(frame, right_matte(frame))
        assert (safe.placeholder(3).bgr == PLAIN_GREY).all()
    blue = SafeBackground(Still("blue", np.full((1, 1, 3), (9, 0, 0), np.uint8)), frame.size_wh)
    made = blue.placeholder(3, time_s=1.5, captured_s=2.5)
    assert (made.bgr == (9, 0, 0)).all()
    assert (made.number, made.time_s, made.captured_s, made.size_wh) == (3, 1.5, 2.5, frame.size_wh)


def matte_of(share: float, value: float = 1.0) -> CoarseMatte:
    alpha = np.zeros((10, 100), np.float32)
    alpha[:, : round(100 * share)] = value
    return CoarseMatte(0, alpha, np.zeros((10, 100, 3), np.uint8))


def test_the_check_believes_who_comes_near_and_who_leaves_and_nothing_sudden() -> None:
    for shares, believed in [
        ([0.3, 0.6, 0.8, 1.0, 1.0], [True] * 5),
        ([0.7, 0.0, 0.7, 0.97], [True] * 4),
        ([0.3, 1.0, 1.0, 0.5, 0.98, 0.78, 1.0], [True, False, False, True, False, True, True]),
        ([1.0, 0.4], [False, True]),
    ]:
        check, said = MatteCheck(), []
        for share in shares:
            try:
                check(matte_of(share))
                said.append(True)
            except BackendError:
                said.append(False)
        assert said == believed, shares
    for value in (np.nan, np.inf, -0.5, 1.5):
        with pytest.raises(BackendError, match="contains NaN or values outside"):
            MatteCheck()(matte_of(0.3, value))
    with pytest.raises(BackendError, match="all of the room"):
        MatteCheck()(matte_of(1.0, 0.3))


@pytest.mark.parametrize("live", [True, False])
def test_a_refused_matte_becomes_a_placeholder_in_a_file_too_and_the_rest_goes_on(live: bool) -> None:
    faults, file = Injector(), LookingSink(live=False)

    def disturb(number: int) -> None:
        faults.set("matte is all one" if number in (10, 11) else "")

    pipeline = make_run(faults, fps=100, frames=30, on_read=disturb, live=live)
    pipeline.run([file])
    placeholders = sum(placeholder for _, placeholder in file.got)
    assert (len(file.got), file.end, file.leaks) == (30, "closed", [])
    assert placeholders == watch_of(pipeline).replaced >= 1
    assert "all of the room" in str(watch_of(pipeline).why)


def test_files_of_a_network_that_is_never_right_are_not_kept() -> None:
    faults, files = Injector(), [LookingSink(live=False), LookingSink(live=False)]
    faults.set("matte is all one")
    with pytest.raises(MatteRefused, match="all of the room"):
        make_run(faults, frames=30, live=False).run([*files])
    assert [(file.end, file.leaks) for file in files] == [("aborted", [])] * 2


def test_a_slow_source_is_waited_for_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [patience_ms(500, fps) for fps in (30, 5, 2, 1, 0.25)] == [500, 500, 1250, 2000, 2000]
    assert patience_ms(9000, 0.25) == 9000
    monkeypatch.setattr(output_guard, "MOST_PATIENCE_MS", 200)
    sink = LookingSink()
    make_run(Injector(), fps=1.5, frames=3, watchdog_ms=100).run([sink])
    pairs = zip(sink.got, sink.got[1:], strict=False)
    shown_s = [end_s - begin_s for (begin_s, placeholder), (end_s, _) in pairs if not placeholder]
    assert shown_s
    assert max(shown_s) < 0.2 + LATE_MS / 1000
