"""A running bgcam as the socket and the page ask of it: typed errors, status, and a preview apart from the outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from faults import UNPLUGGED
from live_run import LEVELS, LiveRun, shows_room
from numpy.typing import NDArray
from waiting import wait_for

from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.control.protocol import BackgroundInfo, ConfirmationNeeded, Control, Preview
from bgcam.realtime.errors import BackgroundError, SourceWaits, UsageError
from bgcam.realtime.look import Look
from bgcam.realtime.run import preview as previews
from bgcam.realtime.run.stats import Stats
from bgcam.realtime.settings import Settings
from bgcam.realtime.sources.reopening import UNWANTED


class Names:
    """A library of the backgrounds that `LiveRun` opens."""

    def entries(self) -> tuple[BackgroundInfo, ...]:
        kinds: list[tuple[str, Any]] = [("blue", "yours"), ("gone", "yours"), ("navy", "yours"), ("none", "room")]
        return tuple(BackgroundInfo(name, name, kind) for name, kind in kinds)


class Controlled:
    def __init__(self, **given: Any):
        self.run = LiveRun(**given)
        library: Any = Names()
        self.chosen: list[str] = []
        settings = Settings(background=given.get("begins_with", "blue"), crossfade_s=0)
        self.control = LiveControl(
            self.run.run, self.run.camera, settings, library=library, keep_choice=self.chosen.append
        )


@pytest.fixture
def controlled() -> Iterator[Controlled]:
    found = Controlled()
    with found.run:
        yield found


def decoded(found: Preview | None) -> NDArray[np.uint8]:
    assert found is not None
    return np.asarray(cv2.imdecode(np.frombuffer(found.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_it_is_what_the_front_ends_are_written_against(controlled: Controlled) -> None:
    control: Control = controlled.control
    assert "background" in [info.name for info in control.settings() if info.hot]
    assert control.values()["background"] == "blue"
    assert [info.spec for info in control.backgrounds()] == ["blue", "gone", "navy", "none"]


def test_a_change_is_made_and_then_kept(controlled: Controlled) -> None:
    values = controlled.control.change(
        {"background": "navy", "light_wrap": 5, "edge": ["grow:2", "sharp"], "mirror": True}
    )
    assert (values["background"], values["light_wrap"]) == ("navy", 5)
    assert controlled.chosen == ["navy"]
    scene = controlled.run.live.scene
    assert scene.look == Look(edge_steps=2, sharp_steps=1, wrap=5)
    assert scene.mirror
    controlled.run.frames()
    assert controlled.run.sink.blue == LEVELS["navy"]
    with pytest.raises(BackgroundError, match="it is gone"):
        controlled.control.change({"background": "gone", "light_wrap": 1})
    assert controlled.control.values() == values
    assert controlled.chosen == ["navy"]
    assert controlled.run.live.scene is scene


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"watchdog_ms": 300},
            "watchdog_ms cannot change while bgcam runs; stop it and start it again",
        ),
        ({"backgroud": "blue"}, "unknown setting 'backgroud'; did you mean background?"),
        ({"background": ""}, "background: the value is empty"),
        ({"light_wrap": 11}, "light_wrap: '11' is not a number from 0 to 10"),
        ({"light_match": True}, "light_match: invalid value True: give a number"),
        ({"light_match": float("nan")}, "light_match: 'nan' is not a number from 0 to 10"),
        ({"mirror": "maybe"}, "mirror: invalid value 'maybe': give on or off"),
        ({"frame": ["follow"]}, r"frame: invalid value \['follow'\]: give one text"),
        ({"edge": ["widen:2"]}, "edge: invalid edge 'widen:2'"),
        ({"edge": 3}, "edge: invalid value 3: give a list of texts"),
        ({"camera": "other"}, "camera cannot change in this run"),
        ({"view": "side-by-side"}, "view cannot change while bgcam runs"),
        ({"on_demand": True}, "on_demand cannot change in this run"),
    ],
)
def test_what_makes_no_sense_changes_nothing_and_says_what_does(
    controlled: Controlled, values: dict[str, Any], message: str
) -> None:
    scene, before = controlled.run.live.scene, controlled.control.values()
    with pytest.raises(UsageError, match=message):
        controlled.control.change({"far": True} | values)
    assert controlled.run.live.scene is scene
    assert controlled.control.values() == before


def test_values_may_be_texts_as_a_terminal_gives_them(controlled: Controlled) -> None:
    values = controlled.control.change(
        {"mirror": "on", "light-wrap": "3", "edge": "grow:2,sharp", "background": "navy"}
    )
    assert (values["mirror"], values["light_wrap"], values["edge"]) == (True, 3, ["grow:2", "sharp:1"])
    assert controlled.run.live.scene.look == Look(edge_steps=2, sharp_steps=1, wrap=3)


def test_the_room_has_to_be_confirmed(controlled: Controlled) -> None:
    with pytest.raises(ConfirmationNeeded, match="confirm"):
        controlled.control.change({"background": "none"})
    assert controlled.control.values()["background"] == "blue"
    controlled.control.change({"background": "none"}, confirm_room=True)
    controlled.run.frames()
    assert controlled.run.sink.got[-1][2]
    assert controlled.control.next_background()["background"] == "blue"
    assert controlled.control.next_background()["background"] == "navy"  # over one that is gone
    assert controlled.control.next_background()["background"] == "blue"  # and over the room


def test_the_status_says_how_it_goes(controlled: Controlled) -> None:
    control, run = controlled.control, controlled.run
    wait_for(lambda: (control.status().fps or 0) > 10)
    status = control.status()
    assert (status.state, status.notice, status.outputs) == ("live", "", ("sink", "sink"))
    assert (status.source, status.backend) == ("secret", "faulty CPU")
    assert status.frames > 3
    assert 0 < (status.latency_ms or 0) < 1000
    control.panic(True)
    control.panic(True)
    wait_for(lambda: not run.sink.person)
    assert control.status().state == "panic"
    assert "PANIC" in control.status().notice
    control.panic(False)
    run.faults.set(UNPLUGGED)
    wait_for(lambda: "the camera failed" in control.status().notice)
    assert control.status().state == "placeholder"
    run.watch.trouble(SourceWaits(UNWANTED))
    run.faults.set("camera hangs")
    run.watch.trouble(SourceWaits(UNWANTED))
    assert control.status().state in ("waiting", "placeholder")
    run.faults.set("")
    wait_for(lambda: control.status().state == "live")
    control.quit()
    run.thread.join(5)
    assert not run.thread.is_alive()


def test_the_processors_share_is_of_the_time_between_two_questions() -> None:
    now, used = [0.0], [0.0]
    found = Controlled()
    control = LiveControl(found.run.run, found.run.camera, Settings(), clock=lambda: now[0], cpu=lambda: used[0])
    assert control.status().cpu_percent is None
    assert control.status().state == "starting"
    now[0], used[0] = 2.0, 1.0
    assert control.status().cpu_percent == 50
    now[0] = 2.1
    assert control.status().cpu_percent == 50
    now[0] = 3.0
    assert control.status().cpu_percent == 0


def test_the_preview_shows_what_the_outputs_show(controlled: Controlled) -> None:
    control, run = controlled.control, controlled.run
    first = control.preview(0)
    assert first is not None
    second = control.preview(first.number)
    assert second is not None
    assert second.number > first.number + 65  # at most 15 a second
    wait_for(lambda: decoded(control.preview(second.number))[5, 5, 1] > 150)  # the person
    control.panic(True)
    wait_for(lambda: not run.sink.person)
    for view in ("composite", "matte", "cutout", "side-by-side"):
        hidden = decoded(control.preview(second.number, view=view))
        assert abs(int(hidden[5, 5, 0]) - LEVELS["blue"]) < 10
        assert not hidden[..., 1:].max() > 30
    with pytest.raises(UsageError, match="no view is called"):
        control.preview(0, view="room")


def test_another_view_is_drawn_for_the_page_alone_and_only_while_it_is_asked_for(
    controlled: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, run = controlled.control, controlled.run
    assert run.run.previews._drawn is None
    matte, cutout, room = (decoded(control.preview(0, view=view)) for view in ("matte", "cutout", "side-by-side"))
    assert matte[5, 5].min() > 240
    assert matte[5, -5].max() < 15
    assert 90 < cutout[5, -5].min() <= cutout[5, -5].max() < 165  # the checkerboard
    assert shows_room(room)
    assert not shows_room(cutout)
    assert not run.sink.leaks + run.file.leaks
    assert {bgr.shape for bgr in run.sink.pictures} == {(32, 64, 3)}
    monkeypatch.setattr(previews, "ASKED_S", 0.05)
    wait_for(lambda: run.run.previews._asked is None)
    assert run.run.previews._drawn is None
    run.frames()
    assert run.run.previews._drawn is None


def test_a_view_that_cannot_be_drawn_costs_no_frame(controlled: Controlled, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise RuntimeError("broken")

    control, run = controlled.control, controlled.run
    monkeypatch.setattr(previews, "_small", broken)
    assert control.preview(0, view="matte", timeout_s=0.2) is None
    run.frames()
    assert run.watch.replaced == 0


def test_what_was_measured_lately_is_0_while_nothing_comes() -> None:
    stats = Stats()
    assert stats.lately() == (None, None)
    for _ in range(5):
        stats.done(time.monotonic() - 0.02)
        time.sleep(0.005)
    fps, latency_ms = stats.lately(5)
    assert 1 < (fps or 0) <= 200
    assert 20 <= (latency_ms or 0) < 500
    time.sleep(0.02)
    assert stats.lately(0.01) == (0.0, None)


def test_previews_are_small() -> None:
    wide = np.zeros((720, 1280, 3), np.uint8)
    assert previews._small(wide).shape == (360, 640, 3)
    assert previews._small(wide[:100, :300]).shape == (100, 300, 3)


def test_without_a_matte_every_view_is_what_the_outputs_show() -> None:
    found = Controlled(begins_with="none")
    with found.run:
        assert shows_room(decoded(found.control.preview(0, view="cutout")))


def test_a_preview_that_nobody_answers_ends_in_time(controlled: Controlled) -> None:
    begun_s = time.monotonic()
    assert controlled.control.preview(10**9, timeout_s=0.2) is None
    assert time.monotonic() - begun_s < 2


def test_many_ask_at_once(controlled: Controlled) -> None:
    control, run = controlled.control, controlled.run
    errors: list[BaseException] = []

    def work(at: int) -> None:
        try:
            for step in range(8):
                control.preview(0, view=("matte", "composite")[(at + step) % 2], timeout_s=0.5)
                control.status()
                control.change({"background": ("blue", "navy")[(at + step) % 2], "light_match": step})
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not errors
    assert run.file.numbers == list(range(len(run.file.numbers)))
    assert not run.sink.leaks + run.file.leaks


def test_the_room_is_learnt_when_asked_and_forgotten(controlled: Controlled) -> None:
    control = controlled.control
    assert control.learn_room().state == "learning"
    wait_for(lambda: control.status().room.state == "learning")
    wait_for(lambda: control.status().matte_doubt is not None)
    assert control.learn_room(forget=True).state == "learning"  # a question that is open stays
    control.change({"empty_room": "off"})
    wait_for(lambda: control.status().room.state == "off")
    with pytest.raises(UsageError, match="empty_room is off"):
        control.learn_room()


def test_where_the_room_is_shown_it_is_not_learnt(controlled: Controlled) -> None:
    controlled.control.change({"background": "none"}, confirm_room=True)
    with pytest.raises(UsageError, match="the room is shown as it is"):
        controlled.control.learn_room()


def test_what_is_noticed_of_the_room_is_in_the_status(controlled: Controlled, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: Any = controlled.run.live._chain.learnt  # type: ignore[union-attr]
    learnt._notice, learnt._notice_until_s = "the camera was moved", time.monotonic() + 60
    assert "the camera was moved" in controlled.control.status().notice
