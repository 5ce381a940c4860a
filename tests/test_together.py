"""Settings and faults that meet: what one feature keeps must be let go of when another one changes."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from batch_setup import outputs, records, write_source
from command import Run
from faults import FaultyMatting, Injector, room
from live_run import LiveRun, Opened
from numpy.typing import NDArray

from bgcam.realtime.control.own_camera import refuse_own_camera
from bgcam.realtime.devices.listing import Device
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look
from bgcam.realtime.run.finding import Finding
from bgcam.realtime.sources.camera import device_of


class Thief(Opened):
    """A background that at some time begins to return the camera's own picture."""

    asked = 0

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        self.asked += 1
        return frame.room_bgr if self.asked > 20 else super().picture(frame, coarse)


@pytest.mark.parametrize("crossfade_s", [0.0, 5.0])
def test_a_background_that_begins_to_return_the_cameras_picture_shows_no_room(crossfade_s: float) -> None:
    look = Look(crossfade_s=crossfade_s)
    with LiveRun(look=look, real=lambda name: Thief(name) if name == "navy" else Opened(name)) as run:
        run.live.change(background="navy")
        run.frames(40)
        assert not run.sink.leaks
        run.live.change(background="blue")
        run.frames(5)
        assert run.sink.person


def test_a_refused_matte_is_forgotten_after_changes_that_failed() -> None:
    faults, finding = Injector(), Finding(live=True)
    find = finding.by(FaultyMatting(faults), far=False)
    faults.set("matte is all one")
    assert find(CameraFrame(0, room(0), 0.0, 0.0)).alpha.all()
    for _ in range(2):
        finding.by(FaultyMatting(faults), far=True)
    finding.forget()
    faults.set("")
    assert not find(CameraFrame(1, room(0), 1 / 30, 0.0)).alpha.all()


def test_the_empty_room_may_be_asked_for_while_the_camera_hangs() -> None:
    with LiveRun(look=Look(room="off")) as run:
        run.frames()
        run.faults.set("camera hangs")
        run.live.change(look=lambda look: replace(look, room="asked"))
        run.live.learn_room()
        assert run.live.room.state == "learning"


@pytest.mark.parametrize(
    ("camera", "in_use"), [(None, ""), ("Face", ""), ("0", ""), ("0", "camera 0"), (None, "listed"), (None, "FaceTime")]
)
@pytest.mark.parametrize("behind", ["camera:0", "camera:FaceTime"])
@pytest.mark.parametrize("path", ["uid0", ""])
def test_where_cameras_have_no_paths_the_own_one_is_refused_too(
    monkeypatch: pytest.MonkeyPatch, camera: str | None, in_use: str, behind: str, path: str
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    there = [Device(path, "FaceTime", 0, "avf"), Device(path and "uid1", "Other", 1, "avf")]
    find = partial(device_of, cameras=lambda: there, virtual=list)
    with pytest.raises(UsageError, match="the camera that looks at you"):
        refuse_own_camera(behind, camera=camera, in_use=str(there[0]) if in_use == "listed" else in_use, find=find)


def test_what_a_batch_has_no_option_for_does_not_change_its_outputs(
    bgcam: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, config = write_source(tmp_path / "source"), tmp_path / "config.toml"
    monkeypatch.setattr("bgcam.realtime.command.chosen.config_path", lambda: config)
    found = []
    for name, text in (("plain", ""), ("configured", 'presenter = "bottom-right"\nview = "side-by-side"\n')):
        config.write_text(text)
        assert bgcam("batch", str(source), str(tmp_path / name), "--workers", "1", "-b", "#336699")[0] == 0
        found.append((outputs(tmp_path / name), [one["key"] for one in records(tmp_path / name).values()]))
    assert found[0] == found[1]
