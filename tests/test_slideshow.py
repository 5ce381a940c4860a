"""A folder as background: by the clock, by command, and without making a call wait for a file."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from live_run import LiveRun
from waiting import wait_for

from bgcam.realtime.backgrounds import open_background, slideshow
from bgcam.realtime.backgrounds.slideshow import Slideshow, slide_shown, turn_slide
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.control.library import Library
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.settings import Settings

SIZE_WH = (48, 30)
NOBODY = CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))


def write(folder: Path, *levels: int) -> Path:
    """Pictures in these blues, in this order; a damaged one for each level below 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, level in enumerate(levels):
        path = folder / f"{at}.png"
        path.write_bytes(b"no picture")
        if level >= 0:
            cv2.imwrite(str(path), np.full((30, 48, 3), (level, 0, 0), np.uint8))
    return folder


def level(show: Slideshow, time_s: float) -> int:
    frame = CameraFrame(0, np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8), time_s, 0.0)
    return int(show.picture(frame, NOBODY)[0, 0, 0])


def test_each_picture_has_its_time(tmp_path: Path) -> None:
    show = Slideshow(write(tmp_path, 10, 20, 30), interval_s=2)
    assert [level(show, time_s) for time_s in (0, 1.9, 2.1, 3.9, 4, 6, 7)] == [10, 10, 20, 20, 30, 10, 10]
    assert show.slide == 3


def test_after_a_gap_the_next_picture_comes(tmp_path: Path) -> None:
    show = Slideshow(write(tmp_path, 10, 20, 30), interval_s=2)
    assert [level(show, time_s) for time_s in (0, 1001, 1001.5, 1002)] == [10, 20, 20, 30]


def test_with_0_only_a_command_goes_on_both_ways(tmp_path: Path) -> None:
    show = Slideshow(write(tmp_path, 10, 20, 30), interval_s=0)
    assert [level(show, time_s) for time_s in (0, 1000)] == [10, 10]
    for steps, expected in ((1, 20), (1, 30), (1, 10), (-1, 30), (-2, 10), (3, 20)):
        show.go(steps)
        assert level(show, 1000) == expected
    show.go(1)
    show.go(-1)
    assert level(show, 2000) == 20


def test_a_command_gives_the_picture_its_whole_time(tmp_path: Path) -> None:
    show = Slideshow(write(tmp_path, 10, 20, 30), interval_s=10)
    assert level(show, 0) == 10
    assert level(show, 9) == 10  # the next one is read already
    show.go(-1)
    assert [level(show, time_s) for time_s in (9, 18.9, 19.1)] == [30, 30, 10]


def test_what_cannot_be_read_is_passed_over_both_ways(tmp_path: Path) -> None:
    show = Slideshow(write(tmp_path / "some", -1, 10, -1, -1, 20), interval_s=2)
    assert [level(show, time_s) for time_s in (0, 2, 4)] == [10, 20, 10]
    show.go(-1)
    assert level(show, 4.5) == 20
    lonely = Slideshow(write(tmp_path / "one", -1, 10, -1), interval_s=2)
    assert [level(lonely, time_s) for time_s in (0, 2, 4)] == [10, 10, 10]
    assert lonely.slide == 0


def test_a_new_interval_counts_from_when_it_is_set(tmp_path: Path) -> None:
    show = Slideshow(write(tmp_path, 10, 20), interval_s=0)
    assert level(show, 0) == level(show, 500) == 10
    show.interval_s = 5
    assert [level(show, time_s) for time_s in (501, 505, 506)] == [10, 10, 20]


class Gate:
    """`read_picture` that waits until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opens, self.read = threading.Event(), 0
        really = slideshow.read_picture

        def gated(path: Path) -> Any:
            self.read += 1
            self.opens.wait(10)
            return really(path)

        monkeypatch.setattr(slideshow, "read_picture", gated)


def test_a_call_does_not_wait_for_a_slow_drive_and_a_file_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show = Slideshow(write(tmp_path, 10, 20, 30), interval_s=5, waits=False)
    assert level(show, 0) == 10
    gate = Gate(monkeypatch)
    assert [level(show, time_s) for time_s in (1.9, 4, 5, 6)] == [10] * 4
    assert gate.read == 1  # ahead of its time, and once
    gate.opens.set()
    wait_for(lambda: level(show, 6.5) == 20)
    assert show.slide == 1
    gate.opens.clear()
    show.waits = True
    show.go(1)
    threading.Timer(0.1, gate.opens.set).start()
    assert level(show, 7) == 30


def test_a_closed_one_reads_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show = Slideshow(write(tmp_path, 10, 20), interval_s=2)
    level(show, 0)
    show.close()
    gate = Gate(monkeypatch)
    assert level(show, 9) == 10
    assert gate.read == 0


def test_the_placeholder_is_the_slide_that_is_shown(tmp_path: Path) -> None:
    behind = SafeBackground(open_background(str(write(tmp_path, 10, 20))), SIZE_WH, begins_s=3600)
    for time_s, expected in ((3600.0, 10), (3611.0, 20)):
        behind.picture(CameraFrame(0, np.zeros((30, 48, 3), np.uint8), time_s, 0.0), NOBODY)
        assert behind.placeholder(0).planes[0][0, 0, 0] == expected
    assert behind.slide == 1


def test_next_and_previous_turn_the_slides_of_a_call_and_leave_other_backgrounds(tmp_path: Path) -> None:
    slides, mine = write(tmp_path / "slides", 120, 150, 180), write(tmp_path / "mine", 60, 90)
    write(mine / "more", 30, 40)
    library = Library(folder=lambda: mine)
    with LiveRun(begins_with="navy", real=open_background) as run:
        control = LiveControl(
            run.run,
            run.camera,
            Settings(background="navy", crossfade_s=0),
            library=library,
            keep_choice=lambda background: None,
        )
        control.change({"background": str(slides), "slide_interval_s": 0})
        wait_for(lambda: run.sink.blue == 120)
        for go, expected in (
            (control.next_background, 150),
            (control.next_background, 180),
            (control.next_background, 120),
            (control.previous_background, 180),
        ):
            assert go()["background"] == str(slides)
            number = {120: 1, 150: 2, 180: 3}[expected]
            assert control.status().slide == f"slide {number} of 3: {number - 1}.png"
            wait_for(lambda expected=expected: run.sink.blue == expected)  # type: ignore[misc]
        control.change({"slide_interval_s": 0.1})
        assert control.values()["slide_interval_s"] == 0.1
        wait_for(lambda: run.sink.blue == 150)
        control.change({"background": str(mine / "0.png")})
        assert control.next_background()["background"] == str(mine / "1.png")
        assert control.previous_background()["background"] == str(mine / "0.png")
        assert control.previous_background()["background"] != str(mine / "more")
        assert not run.sink.leaks + run.file.leaks
        assert run.file.numbers == list(range(len(run.file.numbers)))


def test_a_slide_that_is_not_shown_in_time_is_said_to_be_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = Slideshow(write(tmp_path, 10, 20, 30), interval_s=0, waits=False)
    level(show, 0)
    assert (show.shown, slide_shown(open_background("navy"))) == ("slide 1 of 3: 0.png", "")
    gate = Gate(monkeypatch)
    assert turn_slide(show, 1, wait_s=0.05)  # no frame comes
    level(show, 1)
    assert show.shown == "slide 1 of 3: 0.png; another one is still being read, or waits for the camera"
    gate.opens.set()
    wait_for(lambda: level(show, 2) == 20)
    show.wait_turned(0)
    assert show.shown == "slide 2 of 3: 1.png"


@pytest.mark.parametrize("name", [b"\xff.png", b"a\nb.png"])
def test_the_slide_is_one_line_that_json_can_hold_whatever_its_name_is(tmp_path: Path, name: bytes) -> None:
    (write(tmp_path, 10) / "0.png").rename(tmp_path / os.fsdecode(name))
    with LiveRun(begins_with=str(tmp_path), real=open_background) as run:
        control = LiveControl(run.run, run.camera, Settings(background="navy"))
        slide = control.status().slide
        assert slide.startswith("slide 1 of 1: '")
        assert slide.isprintable()
        assert msgspec.json.decode(msgspec.json.encode(control.status()))["slide"] == slide


def test_a_folder_of_one_picture_has_no_next_slide(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone", 120)
    with LiveRun(begins_with="navy", real=open_background) as run:
        run.live.change(background=str(alone))
        assert not run.live.turn_slide(1)


def test_the_users_folders_of_pictures_are_offered_with_a_thumbnail(tmp_path: Path) -> None:
    write(tmp_path / "holidays", 200, 10)
    (tmp_path / "empty").mkdir()
    write(tmp_path / ".hidden", 10)
    library = Library(folder=lambda: tmp_path)
    found = [(info.spec, info.name) for info in library.entries() if info.kind == "slides"]
    assert found == [(str(tmp_path / "holidays"), "holidays")]
    jpeg = library.thumbnail(found[0][0])
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[:, 10:-10, 0].min() > 190  # between bars
