"""`on_demand` is turned on and off while a run goes on: the camera follows, and the room is never shown by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from live_run import LiveRun
from waiting import wait_for

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.slideshow import Slideshow
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import UsageError
from bgcam.realtime.run.on_demand import Demand, OnDemand, check_turning_on
from bgcam.realtime.settings import Settings
from bgcam.realtime.sources.reopening import ReopeningSource


class Switched:
    """A run whose virtual camera has the viewers that `seen` says."""

    def __init__(self, **given: Any) -> None:
        self.seen = Viewers.NONE
        self.demand = OnDemand(self.sinks, on=False, demand=Demand(linger_s=0.2))
        self.run = LiveRun(fps=100, wanted=self.demand, **given)
        self.run.sink.viewers = lambda: self.seen  # type: ignore[method-assign]
        self.control = LiveControl(
            self.run.run,
            self.run.source,
            Settings(background="blue", crossfade_s=0),
            demand=self.demand,
            keep_choice=lambda background: None,
        )

    def sinks(self) -> Any:
        return self.run.pipeline.sinks if hasattr(self, "run") else ()

    @property
    def lit(self) -> bool:
        """Whether the camera is open, as its light would show."""
        assert isinstance(self.run.source, ReopeningSource)
        return self.run.source._camera is not None


@pytest.fixture
def switched() -> Iterator[Switched]:
    found = Switched()
    with found.run:
        yield found
    assert not found.run.sink.leaks + found.run.file.leaks


def test_the_camera_goes_off_and_on_with_the_setting(switched: Switched) -> None:
    run, control = switched.run, switched.control
    wait_for(lambda: run.sink.person)
    assert control.change({"on_demand": True})["on_demand"] is True
    wait_for(lambda: not switched.lit)
    run.placeholder()
    assert control.status().state == "waiting"
    assert control.change({"on_demand": "off"})["on_demand"] is False
    wait_for(lambda: switched.lit and run.sink.person)
    assert control.status().state == "live"


def test_with_a_viewer_nothing_is_interrupted(switched: Switched) -> None:
    run, control = switched.run, switched.control
    switched.seen = Viewers.OPEN  # one that has the device open and may stream without telling
    wait_for(lambda: run.sink.person)
    begun = len(run.sink.got)
    control.change({"on_demand": True})
    run.frames(60)
    assert all(person for _, _, _, person in run.sink.got[begun:])
    switched.seen = Viewers.NONE
    wait_for(lambda: not switched.lit)
    switched.seen = Viewers.STREAMING
    wait_for(lambda: switched.lit and run.sink.person)


def test_it_changes_together_with_the_rest_or_not_at_all(switched: Switched) -> None:
    with pytest.raises(Exception, match="gone"):
        switched.control.change({"on_demand": True, "background": "gone"})
    assert not switched.demand.on
    switched.control.change({"on_demand": True, "background": "navy"})
    assert switched.demand.on
    wait_for(lambda: not switched.lit)


def test_while_the_camera_is_off_the_placeholder_is_fitted_and_a_slide_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        tall = np.full((400, 100, 3), (100, 0, 0), np.uint8)
        tall[:40] = tall[-40:] = (250, 0, 0)
        cv2.imwrite(str(tmp_path / f"{name}.png"), tall)
    switched = Switched(real=open_background)
    run, control = switched.run, switched.control

    def edge() -> int:
        """The blue in the middle of the upper edge."""
        bgr = run.sink.pictures[-1]
        return int(bgr[1, bgr.shape[1] // 2, 0])

    with run:
        control.change({"on_demand": True, "background": str(tmp_path), "slide_interval_s": 0})
        wait_for(lambda: not switched.lit and edge() > 200)
        control.change({"background_fit": "cover"})
        wait_for(lambda: edge() < 150)
        waited: list[float] = []
        monkeypatch.setattr(Slideshow, "wait_turned", lambda show, timeout_s: waited.append(timeout_s))
        control.next_background()
        assert waited == [0]
        assert "waits for the camera" in control.status().slide
        assert not switched.lit
    assert not run.sink.leaks + run.file.leaks


@pytest.mark.parametrize(
    ("inputs", "outputs", "users", "message"),
    [
        (None, ["virtual"], "         0          0 4294967295\n", ""),
        (None, ["web"], "0 0 4294967295\n", "add --output virtual"),
        (["a.mp4"], ["virtual"], "0 0 4294967295\n", "needs a camera"),
        # A service that was installed without it has a user namespace, from which nobody seems to watch.
        (None, ["virtual"], "1000 1000 1\n", "bgcam install-service -- --on-demand"),
        (None, ["virtual"], None, ""),
    ],
)
def test_it_is_refused_where_it_could_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: Any, outputs: Any, users: str | None, message: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    if users is not None:
        (tmp_path / "uid_map").write_text(users)
    if not message:
        check_turning_on(inputs, outputs, uid_map=tmp_path / "uid_map")
        return
    with pytest.raises(UsageError, match=message):
        check_turning_on(inputs, outputs, uid_map=tmp_path / "uid_map")


def test_a_refusal_changes_nothing(switched: Switched) -> None:
    def refuse() -> None:
        raise UsageError("on_demand makes no sense here")

    switched.demand.check = refuse
    with pytest.raises(UsageError, match="makes no sense here"):
        switched.control.change({"on_demand": True, "background": "navy"})
    assert switched.control.values()["on_demand"] is False
    assert switched.control.values()["background"] == "blue"
    switched.control.change({"on_demand": False, "background": "navy"})
