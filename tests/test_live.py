"""What a run shows is changed while frames flow: between two frames, whole, and never with a look at the room."""

from __future__ import annotations

import gc
import random
import threading
import time
import weakref
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import write_clip
from faults import UNPLUGGED, right_matte, room
from live_run import HANGS_S, LEVELS, OPEN_S, LiveRun, Opened
from waiting import wait_for

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.errors import BackendError, BackgroundError, BgcamError, ModelError, UsageError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.look import Look
from bgcam.realtime.run.finding import everything
from bgcam.realtime.run.live import RoomUnconfirmed
from bgcam.realtime.run.renderer import FrameRenderer, Parts

CHANGES = 300
LOOKS: dict[str, tuple[Any, Any]] = {
    "wrap": (0.0, 5.0),
    "match": (0.0, 4.0),
    "edge_steps": (0.0, 1.0),
    "sharp_steps": (0.0, 2.0),
    "frame": ("whole", "follow"),
}


def changed(look: Look, *, field: str, chosen: random.Random) -> Look:
    return replace(look, **{field: chosen.choice(LOOKS[field])})


def test_picture_and_placeholder_change_together_and_the_old_background_is_closed() -> None:
    with LiveRun() as run:
        old = run.live.scene.background
        assert run.sink.blue == LEVELS["blue"]
        run.live.change(background="navy")
        run.frames()
        assert (run.sink.blue, run.sink.person) == (LEVELS["navy"], True)
        assert run.watch.instead_of(CameraFrame(0, room(0), 0.0, 0.0)).planes[0][0, 0, 0] == LEVELS["navy"]
        assert (old.closed, run.live.scene.background.closed) == (1, 0)  # type: ignore[attr-defined]
        assert not run.sink.leaks
    assert run.live.scene.background.closed == 1  # type: ignore[attr-defined]
    with pytest.raises(BgcamError, match="bgcam is ending"):
        run.live.change(background="blue")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hangs", "did not open within 0.15 s"),
        ("gone", "it is gone"),
        ("wrong size", r"its picture is \(3, 5, 3\)"),
        ("wrong type", "float32"),
        ("thief", "camera frame's memory"),
    ],
)
def test_a_background_that_is_not_fit_changes_nothing(name: str, error: str) -> None:
    with LiveRun(open_s=HANGS_S if name == "hangs" else OPEN_S) as run:
        before = run.live.scene
        with pytest.raises(BackgroundError, match=error):
            run.live.change(background=name, look=lambda look: replace(look, wrap=5), mirror=True)
        run.frames()
        assert run.live.scene is before
        assert (run.sink.blue, run.sink.person) == (LEVELS["blue"], True)
        run.hangs.set()
        wait_for(lambda: all(one.closed for one in run.opened if one is not before.background))  # type: ignore[attr-defined]
        assert not before.background.closed  # type: ignore[attr-defined]
        assert not run.sink.leaks


@pytest.mark.parametrize("fault", ["panic", UNPLUGGED, "camera hangs", "inference fails", "matte is all one", ""])
@pytest.mark.parametrize("to", ["navy", "hangs", "wrong size"])
def test_every_switch_holds_whatever_fails_meanwhile(fault: str, to: str) -> None:
    with LiveRun(open_s=HANGS_S if to == "hangs" else OPEN_S) as run:
        run.watch.set_panic(fault == "panic")
        if fault not in ("panic", ""):
            run.faults.set(fault)
        if fault:
            run.placeholder()
        if to == "navy":
            run.live.change(background=to)
            level = LEVELS["navy"]
        else:
            with pytest.raises(BackgroundError):
                run.live.change(background=to)
            level = LEVELS["blue"]
        if fault:
            wait_for(lambda: run.sink.blue == level)
            # A matte may be taken over while nothing moves, although the network fails.
            assert fault == "inference fails" or not run.sink.person
        run.watch.set_panic(False)
        run.faults.set("")
        wait_for(lambda: run.sink.person and run.sink.blue == level)
        assert not run.sink.leaks + run.file.leaks


def test_the_room_is_shown_only_to_who_confirms_it_and_hidden_before_the_change_returns() -> None:
    with LiveRun() as run:
        with pytest.raises(RoomUnconfirmed, match="confirm"):
            run.live.change(background="none")
        run.frames()
        assert not run.sink.leaks
        run.live.change(background="none", confirm_room=True)
        run.frames()
        assert run.sink.got[-1][2]
        for name in ("blur", "blue"):
            run.live.change(background=name)
            begun = len(run.sink.got)
            run.frames(5)
            if name == "blue":
                assert not any(shows for _, _, shows, _ in run.sink.got[begun:])
            run.live.change(background="none", confirm_room=True)
            run.frames()
        run.live.change(background="blue", look=lambda look: replace(look, wrap=2))


def test_pictures_of_the_room_that_are_on_their_way_are_not_shown_after_the_change() -> None:
    with LiveRun(begins_with="none") as run:
        run.sink.goes_on.clear()
        drawing = run.live._drawing
        begun = run.sink.numbers[-1]
        wait_for(lambda: drawing.newest is not None and drawing.newest.number >= begun + 2)
        run.live.change(background="blue")
        begun = len(run.sink.got)
        run.sink.goes_on.set()
        run.frames(5)
        assert not any(shows for _, _, shows, _ in run.sink.got[begun:])
        assert run.sink.person


def test_from_the_room_the_model_is_loaded_and_has_found_the_person_before_the_switch() -> None:
    with LiveRun(begins_with="none") as run:
        assert run.loaded == 0
        run.faults.set("inference fails")
        with pytest.raises(BackendError, match="the model failed"):
            run.live.change(background="blue")
        assert run.live.scene.shows_room
        run.faults.set("")
        run.live.change(background="blue")
        begun = len(run.sink.got)
        assert run.loaded == 1
        run.frames(10)
        assert run.sink.person
        assert not any(shows for _, _, shows, _ in run.sink.got[begun:])
        run.faults.set("matte is all one")  # from here on, mattes are checked
        run.placeholder()
        assert not any(shows for _, _, shows, _ in run.sink.got[begun:])


def test_another_model_takes_over_once_it_has_found_the_person() -> None:
    with LiveRun() as run:
        before = run.live.matting
        for name, error in (("broken", ModelError), ("wrong", BackendError)):
            with pytest.raises(error):
                run.live.change(model=name, background="navy")
            assert run.live.matting is before
            assert run.opened[-1].closed == 1  # type: ignore[attr-defined]
        run.live.change(model="another")
        assert run.live.matting is not before
        run.frames()
        assert run.sink.person
        assert run.sink.blue == LEVELS["blue"]
        assert run.file.numbers == list(range(len(run.file.numbers)))
        assert run.watch.replaced == 0
        run.live._models._open_model = None
        with pytest.raises(UsageError, match="model cannot change while bgcam runs; stop it and start it with --model"):
            run.live.change(model="another")


def test_a_run_without_a_model_says_so() -> None:
    with LiveRun(begins_with="none") as run:
        run.live._models._open_matting = None
        with pytest.raises(UsageError, match="runs without a model"):
            run.live.change(background="blue")
        assert run.opened[-1].closed == 1  # type: ignore[attr-defined]


def test_a_frame_that_was_begun_without_a_matte_gets_one_when_it_is_drawn_in_front_of_a_background() -> None:
    drawn: list[float] = []

    def draw(frame: CameraFrame, matte: Any) -> Any:
        drawn.append(float(matte.alpha.mean()))
        return frame

    drawing = FrameRenderer(everything, draw, finds=False)
    frame = CameraFrame(0, room(0), 0.0, 0.0)
    begun = drawing.begin(frame)
    applied: list[bool] = []
    assert drawing.change(Parts(right_matte, draw), applied.append, limit_s=1)
    drawing.finish(frame, begun)
    assert applied == [False]
    assert drawn == [pytest.approx(1 / 3, abs=0.05)]


def test_while_the_drawing_hangs_a_change_is_given_up_and_nothing_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgcam.realtime.run.live.SWAP_S", 0.2)
    with LiveRun() as run:
        before, hang = run.live.scene, threading.Event()
        draw = run.live._chain.draw  # type: ignore[union-attr]
        run.live._chain.draw = lambda work: (hang.wait(5), draw(work))[1]  # type: ignore[method-assign,union-attr]
        run.placeholder()
        with pytest.raises(BgcamError, match="nothing was changed"):
            run.live.change(background="navy")
        assert run.live.scene is before
        hang.set()
        wait_for(lambda: run.sink.person)
        assert run.sink.blue == LEVELS["blue"]
        assert run.opened[-1].closed == 1  # type: ignore[attr-defined]


def test_a_mirrored_person_stands_on_the_other_side() -> None:
    def person_left(picture: Any) -> bool:
        return bool(picture[:, :10, 1].mean() > 100)

    with LiveRun() as run:
        assert person_left(run.sink.pictures[-1])
        for mirror in (True, True, False):
            run.live.change(mirror=mirror)
            run.frames()
            assert person_left(run.sink.pictures[-1]) is not mirror
        assert not run.sink.leaks
    with LiveRun(mirror=True) as run:  # the source has done it
        run.live.change(mirror=False)
        run.frames()
        assert not person_left(run.sink.pictures[-1])


def test_state_of_another_framing_light_or_side_is_not_carried_over_and_the_mattes_is() -> None:
    with LiveRun(look=Look(match=5)) as run:
        chain = run.live._chain
        assert chain is not None
        seen: list[tuple[bool, ...]] = []
        switch = chain.switch

        def looking(*given: Any, **more: Any) -> None:
            follow = chain.follow
            switch(*given, **more)
            seen.append((chain.kept is None, chain.gains is None, chain.follow is not follow))

        chain.switch = looking  # type: ignore[method-assign]
        looks = [lambda look: replace(look, frame="follow"), lambda look: replace(look, edge_steps=1)]
        for change in ({"background": "navy"}, {"look": looks[0]}, {"mirror": True}, {"look": looks[1]}):
            run.live.change(**change)
            run.frames()
    assert seen == [
        (False, True, False),
        (False, False, True),
        (True, True, True),
        (False, False, False),
    ]


def test_hundreds_of_changes_while_frames_flow_show_no_room_and_lose_no_frame() -> None:
    chosen = random.Random(7)
    with LiveRun(fps=0) as run:
        failed = 0
        alive: list[weakref.ref[Any]] = []
        for at in range(CHANGES):
            changes: dict[str, Any] = {}
            if chosen.random() < 0.7:
                names = ["blue", "navy", "moving"] * 6 + ["gone", "wrong size", "thief"]
                changes["background"] = "hangs" if at in (40, 140) else chosen.choice(names)
            if chosen.random() < 0.5:
                changes["look"] = partial(changed, field=chosen.choice(list(LOOKS)), chosen=chosen)
            if chosen.random() < 0.2:
                changes["mirror"] = chosen.random() < 0.5
            if chosen.random() < 0.1:
                changes["far"] = chosen.random() < 0.5
            run.watch.set_panic(chosen.random() < 0.1)
            run.live._open_s = HANGS_S if changes.get("background") == "hangs" else OPEN_S
            try:
                run.live.change(**changes)
            except BackgroundError:
                failed += 1
            else:
                background = run.live.scene.background
                alive.append(weakref.ref(background))
        run.watch.set_panic(False)
        run.hangs.set()
        wait_for(lambda: run.sink.person)
        run.frames()
        assert 5 < failed < 100
        assert run.file.numbers == list(range(len(run.file.numbers)))
        assert len(run.file.numbers) > CHANGES / 2
        assert not run.sink.leaks + run.file.leaks
        assert (np.diff(run.sink.numbers) >= 0).all()
        now = run.live.scene.background
        wait_for(lambda: all(one is now or one.closed == 1 for one in run.opened if isinstance(one, Opened)))
        run.opened.clear()
        del background
        time.sleep(0.05)
        gc.collect()
        assert len({id(one()) for one in alive if one() is not None}) <= 2


def test_the_room_is_seen_only_from_the_confirmation_to_the_next_background() -> None:
    chosen = random.Random(3)
    with LiveRun(fps=0) as run:
        hidden_from = 0
        for _ in range(40):
            if run.live.scene.shows_room:
                run.live.change(background=chosen.choice(["blue", "navy"]))
                hidden_from = len(run.sink.got)
            run.frames(chosen.randrange(3))
            assert not any(shows for _, _, shows, _ in run.sink.got[hidden_from:])
            run.live.change(background="none", confirm_room=True)
        assert run.file.numbers == list(range(len(run.file.numbers)))
        assert run.watch.why is None


def test_a_full_disk_costs_no_change() -> None:
    with LiveRun() as run:
        run.file.fails = True
        wait_for(lambda: bool(run.watch.lost))
        run.live.change(background="navy", mirror=True)
        wait_for(lambda: run.sink.person and run.sink.blue == LEVELS["navy"])
        assert not run.sink.leaks


def test_from_every_kind_of_background_to_every_other(tmp_path: Path) -> None:
    clip, slides = write_clip(tmp_path / "clip.mkv", frames=5), tmp_path / "slides"
    slides.mkdir()
    cv2.imwrite(str(slides / "a.png"), np.full((20, 30, 3), (90, 0, 0), np.uint8))
    kinds = ["blur", str(clip), "navy", "beach", str(slides), "blur:3", "none", str(slides), str(clip), "none", "beach"]
    with LiveRun(begins_with="navy", real=open_background) as run:
        for kind in kinds:
            run.live.change(background=kind, confirm_room=kind == "none")
            run.frames(2)
            if kind in ("navy", "beach", str(slides)):
                assert run.sink.person
                assert not run.sink.got[-1][2]
        assert run.watch.replaced == 0
        assert run.file.numbers == list(range(len(run.file.numbers)))
