"""What keeps the room hidden is in the command too, not only in its parts: a camera with a secret, and who looks on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import SIZE_WH, LookingSink, room
from waiting import wait_for

from bgcam.realtime.command import cli, run
from bgcam.realtime.control.client import Client
from bgcam.realtime.control.protocol import ConfirmationNeeded
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.settings.last_choice import last_background

posix = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no such signal")


@dataclass
class Scene:
    """A run of the command with its camera and network replaced. at: called in the camera's thread with each number."""

    sinks: list[LookingSink] = field(default_factory=list)
    live: bool = True
    frames: int | None = None
    share: Callable[[int], float] = lambda number: 1 / 3
    at: Callable[[int], None] = lambda number: None
    name, size_wh, fps, drops, note, notice = "secret", SIZE_WH, 100.0, 0, "", ""
    number = 0

    def read(self) -> CameraFrame | None:
        number, self.number = self.number, self.number + 1
        if number == self.frames:
            return None
        time.sleep(0.01)
        self.at(number)
        return CameraFrame(number, room(number), number / self.fps, time.monotonic())

    def close(self) -> None:
        pass


Command = Callable[..., int]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    found = Scene()

    def infer(self: Matting, frame: CameraFrame, seen_bgr: Any) -> CoarseMatte:
        alpha = np.zeros(seen_bgr.shape[:2], np.float32)
        alpha[:, : round(alpha.shape[1] * found.share(frame.number))] = 1
        return CoarseMatte(frame.number, alpha, seen_bgr)

    def opened(spec: str, **options: Any) -> Any:
        found.sinks.append(LookingSink(live=spec.startswith("web")))
        return found.sinks[-1]

    monkeypatch.setattr(Matting, "infer", infer)
    monkeypatch.setattr(run, "open_source", lambda **options: found)
    monkeypatch.setattr(run, "open_sink", opened)
    return found


@pytest.fixture
def bgcam(tiny_model: Path) -> Command:
    given = ["--model", str(tiny_model), "--background", "#0000c8", "--threads", "1"]
    return lambda *arguments: cli.main([*given, *arguments])


def stop() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def placeholders(sink: LookingSink) -> int:
    return sum(placeholder for _, placeholder in sink.got)


@pytest.mark.parametrize("outputs", [["web:0"], ["out.mp4"], ["web:0", "out.mp4"]], ids="+".join)
@pytest.mark.parametrize("live", [True, False])
def test_a_network_that_takes_all_for_a_person_shows_no_room_anywhere(
    scene: Scene, bgcam: Command, capsys: pytest.CaptureFixture[str], outputs: list[str], live: bool
) -> None:
    scene.live, scene.frames = live, 30
    scene.share = lambda number: 1.0 if 10 <= number < 20 else 1 / 3
    code = bgcam(*[word for output in outputs for word in ("--output", output)])
    assert [sink.leaks for sink in scene.sinks] == [[]] * len(outputs)
    assert all(0 < placeholders(sink) < len(sink.got) for sink in scene.sinks)
    assert [sink.end for sink in scene.sinks] == ["closed"] * len(outputs)
    last = capsys.readouterr().out.splitlines()[-1]
    if "out.mp4" in outputs:
        assert f"; {placeholders(scene.sinks[-1])} of these frames show the background alone: frame 10: " in last
    assert code == (not live and "out.mp4" in outputs)


def test_files_are_not_kept_where_every_matte_is_refused(
    scene: Scene, bgcam: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.live, scene.frames, scene.share = False, 20, lambda number: 1.0
    assert bgcam("--input", "room.mp4", "--output", "out.mp4", "--output", "out.png") == 1
    assert [(sink.end, sink.leaks) for sink in scene.sinks] == [("aborted", [])] * 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("bgcam: frame 0: the matte suddenly shows all of the room")


@posix
def test_one_signal_hides_the_user_and_the_other_ends_that(scene: Scene, bgcam: Command) -> None:
    pressed: list[int] = []

    def press(number: int) -> None:
        if number in (20, 30, 40):
            pressed.append(len(scene.sinks[0].got))
            os.kill(os.getpid(), signal.SIGUSR2 if number == 40 else signal.SIGUSR1)
        if number == 70:
            stop()

    scene.at = press
    assert bgcam("--output", "web:0") == 0
    sink = scene.sinks[0]
    held = [placeholder for _, placeholder in sink.got[pressed[0] + 4 : pressed[2]]]
    assert len(held) > 5
    assert all(held)
    assert not all(placeholder for _, placeholder in sink.got[pressed[2] : -1])


@posix
def test_a_running_command_is_changed_asked_and_ended_by_others(
    scene: Scene, bgcam: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[tuple[int, str]] = []

    def ask() -> None:
        client = Client()
        try:
            wait_for(lambda: len(scene.sinks[0].got) > 5)
            assert client.status().state == "live"
            assert client.values()["background"] == "#0000c8"
            assert client.change({"background": "navy", "mirror": "on"})["mirror"] is True
            with pytest.raises(ConfirmationNeeded):
                client.change({"background": "none"})
            client.panic(True)
            assert client.status().state == "panic"
            said.append((cli.main(["--output", "web:0"]), "a second one"))
            client.panic(False)
        finally:
            client.quit()

    asking = threading.Thread(target=ask)
    scene.at = lambda number: asking.start() if number == 3 else None
    assert bgcam("--output", "web:0") == 0
    asking.join()
    assert said == [(1, "a second one")]
    error = capsys.readouterr().err
    assert f"bgcam is already running (process {os.getpid()}, since " in error
    assert "add --instance NAME" in error
    assert scene.sinks[0].leaks == []
    assert last_background() == "navy"


@posix
def test_a_run_that_cannot_be_controlled_goes_on(
    scene: Scene, bgcam: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bgcam").mkdir(mode=0o777)
    (tmp_path / "bgcam").chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    scene.frames = 10
    assert bgcam("--output", "web:0") == 0
    assert "this run cannot be changed while it runs: " in capsys.readouterr().out
    assert len(scene.sinks[0].got) > 10


def test_the_watchdog_is_as_patient_as_the_option_says(scene: Scene, bgcam: Command) -> None:
    def hang(number: int) -> None:
        if number == 20:
            time.sleep(0.6)
        if number == 40:
            stop()

    scene.at = hang
    assert bgcam("--output", "web:0", "--watchdog-ms", "100") == 0
    got = scene.sinks[0].got
    shown_s = [end_s - begin_s for (begin_s, placeholder), (end_s, _) in pairwise(got) if not placeholder]
    assert 0 < max(shown_s) < 0.4


def test_a_picture_that_fails_lets_no_camera_frame_through(
    scene: Scene, bgcam: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Chain.__call__

    def failing(self: Chain, frame: CameraFrame, coarse: CoarseMatte) -> ComposedFrame:
        if 10 <= frame.number < 20:
            raise RuntimeError("the picture failed")
        return real(self, frame, coarse)

    monkeypatch.setattr(Chain, "__call__", failing)
    scene.at = lambda number: stop() if number == 40 else None
    assert bgcam("--output", "web:0") == 0
    assert scene.sinks[0].leaks == []
    assert 5 < placeholders(scene.sinks[0]) < len(scene.sinks[0].got)
