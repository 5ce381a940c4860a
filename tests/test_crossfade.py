"""A crossfade between two backgrounds: it follows the frames' time, is free otherwise, and never fades the room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from faults import UNPLUGGED
from live_run import LEVELS, LiveRun
from numpy.typing import NDArray
from waiting import wait_for

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.blur import Blur, Room
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look
from bgcam.realtime.picture import crossfade
from bgcam.realtime.picture.chain import Chain

SIZE_WH = (48, 30)
LOOK = Look(crossfade_s=1)


def still(level: int) -> Still:
    return Still(str(level), np.full((1, 1, 3), level, np.uint8))


class OtherCamera(Still):
    shows_camera = True


def frame_at(time_s: float, *, room: int = 255) -> tuple[CameraFrame, CoarseMatte]:
    """Nobody in a white room. Frames are numbered by their hundredths of a second."""
    bgr = np.full((SIZE_WH[1], SIZE_WH[0], 3), room, np.uint8)
    number = round(100 * time_s)
    coarse = CoarseMatte(number, np.zeros((15, 24), np.float32), np.full((15, 24, 3), room, np.uint8))
    return CameraFrame(number, bgr, time_s, 0.0), coarse


def drawn(chain: Chain, time_s: float) -> NDArray[np.uint8]:
    return chain(*frame_at(time_s)).bgr


def level(chain: Chain, time_s: float) -> int:
    found = np.unique(drawn(chain, time_s))
    assert len(found) == 1
    return int(found[0])


def test_the_new_background_comes_with_the_time_of_the_frames() -> None:
    chain = Chain(still(20), LOOK)
    assert [level(chain, time_s) for time_s in (0, 1)] == [20, 20]
    chain.switch(still(120), LOOK)
    assert [level(chain, time_s) for time_s in (1.25, 1.5, 1.99, 2.0, 3.0)] == [45, 70, 119, 120, 120]


def test_it_is_the_plain_formula_within_one_grey_level() -> None:
    random = np.random.default_rng(5)
    old, new = (random.integers(0, 256, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8) for _ in range(2))
    chain = Chain(Still("old", old), LOOK)
    drawn(chain, 0)
    chain.switch(Still("new", new), LOOK)
    for time_s in (0.01, 0.3, 0.77):
        expected = np.rint(old * (1 - time_s) + new * time_s)
        assert np.abs(drawn(chain, time_s) - expected).max() <= 1


def test_without_a_fade_nothing_is_computed_and_the_array_is_the_backgrounds_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mixed: list[int] = []
    really = cv2.addWeighted
    monkeypatch.setattr(crossfade.cv2, "addWeighted", lambda *given: mixed.append(1) or really(*given))
    background = still(20)
    chain = Chain(background, LOOK)
    assert all(chain.prepare(*frame_at(time_s)).background is background._drawn for time_s in (0, 1, 2))
    other = still(120)
    chain.switch(other, Look())
    assert chain.prepare(*frame_at(2.1)).background is other._drawn
    chain.switch(background, LOOK)
    chain.prepare(*frame_at(2.2))
    chain.prepare(*frame_at(5))
    assert chain.prepare(*frame_at(5.1)).background is background._drawn
    assert len(mixed) == 1
    chain.switch(background, Look(wrap=1, crossfade_s=1))  # the same background
    chain.prepare(*frame_at(5.2))
    assert len(mixed) == 1


def test_a_switch_in_the_middle_goes_on_from_what_is_shown() -> None:
    chain = Chain(still(0), LOOK)
    drawn(chain, 0)
    chain.switch(still(200), LOOK)
    assert level(chain, 0.5) == 100
    chain.switch(still(0), LOOK)
    assert [level(chain, time_s) for time_s in (0.51, 1.0, 1.5)] == [99, 50, 0]


def test_after_missing_frames_there_is_no_fade_because_the_placeholder_was_there_before() -> None:
    chain = Chain(still(20), LOOK)
    drawn(chain, 0)
    chain.switch(still(120), LOOK)
    assert level(chain, 7) == 120


@pytest.mark.parametrize("room", [Blur(), Room(), OtherCamera("camera:1", np.full((1, 1, 3), 250, np.uint8))])
def test_where_a_camera_is_on_either_side_the_change_is_a_cut(room: Background) -> None:
    look = Look(crossfade_s=5)
    chain = Chain(still(20), look)
    drawn(chain, 0)
    chain.switch(room, look)
    assert drawn(chain, 0.1).min() > 240
    chain.switch(still(20), look)
    assert level(chain, 0.2) == 20
    chain.switch(still(120), look)
    assert level(chain, 0.3) == 22
    chain.switch(room, look)
    chain.switch(still(60), look)  # between two frames
    assert level(chain, 0.4) == 60


def test_after_frames_that_were_drawn_elsewhere_there_is_nothing_to_fade_from() -> None:
    chain = Chain(still(20), LOOK)
    drawn(chain, 0)
    chain.switch(still(120), LOOK, cut=True)
    assert level(chain, 0.1) == 120


def test_the_light_on_the_person_goes_with_the_fade() -> None:
    look = Look(match=5, crossfade_s=1)
    chain = Chain(still(20), look)
    drawn(chain, 0)
    before = chain.gains
    chain.switch(still(200), look)
    assert chain.gains is before
    chain.switch(still(20), Look(match=5))
    assert chain.gains is None


def slides(folder: Path, *levels: int) -> SafeBackground:
    for at, one in enumerate(levels):
        cv2.imwrite(str(folder / f"{at}.png"), np.full((30, 48, 3), one, np.uint8))
    return SafeBackground(open_background(str(folder)), SIZE_WH)


def test_a_slide_fades_into_the_next_and_the_placeholder_is_never_a_mix(tmp_path: Path) -> None:
    behind = slides(tmp_path, 20, 120)
    chain = Chain(behind, LOOK)
    shown, placeholders = [], []
    for time_s in (0.0, 9.5, 10.0, 10.25, 10.5, 11.5, 20.25):
        shown.append(level(chain, time_s))
        placeholders.append(int(behind.placeholder(0).planes[0].max()))
    # The last frame of the first slide was at 9.5 s.
    assert shown == [20, 20, 70, 95, 120, 120, 20]
    assert placeholders == [20, 20, 120, 120, 120, 120, 20]


def test_pictures_that_are_unrelated_do_not_fade(tmp_path: Path) -> None:
    chain = Chain(slides(tmp_path, 20, 120), Look(crossfade_s=5), independent=True)
    assert [level(chain, time_s) for time_s in (0, 9.9, 10.1)] == [20, 20, 120]


def blues(run: LiveRun, since: int, *, person: bool) -> set[int]:
    return {blue for _, blue, _, has_person in run.sink.got[since:] if has_person is person}


def test_a_call_fades_and_its_placeholder_does_not() -> None:
    whole = {LEVELS["blue"], LEVELS["navy"]}
    with LiveRun(look=Look(crossfade_s=1)) as run:
        run.live.change(background="navy")
        wait_for(lambda: bool(blues(run, 0, person=True) - whole))
        run.watch.set_panic(True)
        run.placeholder()
        begun = len(run.sink.got)
        for name in ("blue", "navy"):
            run.live.change(background=name)
            wait_for(lambda name=name: run.sink.blue == LEVELS[name])  # type: ignore[misc]
        assert blues(run, begun, person=False) == whole
        run.watch.set_panic(False)
        run.faults.set(UNPLUGGED)
        run.placeholder()
        begun = len(run.sink.got)
        run.live.change(background="blue")
        wait_for(lambda: run.sink.blue == LEVELS["blue"])
        assert blues(run, begun, person=False) <= whole
        run.faults.set("")
        wait_for(lambda: run.sink.person and run.sink.blue == LEVELS["blue"])
        assert not run.sink.leaks + run.file.leaks
        assert run.watch.replaced == 0


def test_the_room_is_gone_with_the_first_frame_of_a_background() -> None:
    with LiveRun(look=Look(crossfade_s=5)) as run:
        for _ in range(5):
            run.live.change(background="none", confirm_room=True)
            run.frames(2)
            run.live.change(background="blue")
            begun = len(run.sink.got)
            run.frames(2)
            run.live.change(background="navy")
            run.frames(2)
            assert not any(room for _, _, room, _ in run.sink.got[begun:])


def test_what_a_slow_fade_shows_is_never_kept_as_a_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    with LiveRun(look=Look(crossfade_s=5)) as run:
        made: list[Any] = []
        really = run.live._placeholders.placeholder
        monkeypatch.setattr(
            run.live._placeholders,
            "placeholder",
            lambda *given, **more: made.append(really(*given, **more)) or made[-1],
        )
        for name in ("navy", "moving", "blue", "navy"):
            run.live.change(background=name)
            run.watch.set_panic(True)
            run.placeholder()
            run.watch.set_panic(False)
            run.frames(1)
        found = {int(one.planes[0][0, 0, 0]) for one in made}
        assert found <= set(LEVELS.values())
        assert len(found) > 1
