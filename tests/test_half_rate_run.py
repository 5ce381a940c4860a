"""`--matte-rate half` in a run: files, cameras, changes while frames flow, and faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from faults import Injector, LookingSink, make_run
from live_run import LiveRun
from numpy.typing import NDArray

from bgcam.realtime.command import run
from bgcam.realtime.command.cli import main
from bgcam.realtime.control.changes import changes_between
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.settings import Settings

ROOM = np.asarray(cv2.resize(np.random.default_rng(0).integers(20, 90, (9, 16), np.uint8), (160, 96)), np.uint8)


class MovingSource:
    """20 frames of a bright square that moves on by a pixel each, of a camera or of a file."""

    name, size_wh, fps, drops, frames = "one scene", (160, 96), 25.0, 0, 20
    note, notice = "", ""

    def __init__(self, *, live: bool) -> None:
        self.live, self._number = live, 0

    def read(self) -> CameraFrame | None:
        number, self._number = self._number, self._number + 1
        if number >= self.frames:
            return None
        grey = ROOM.copy()
        grey[30:, 20 + number : 70 + number] = 150 + ROOM[30:, 20:70]
        grey = np.asarray(cv2.GaussianBlur(grey, (5, 5), 0), np.uint8)
        return CameraFrame(number, np.dstack([grey] * 3), number / self.fps, 0.0)

    def close(self) -> None:
        pass


@pytest.fixture
def inferred(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the frames that the network ran on."""
    numbers: list[int] = []
    real = Matting.infer

    def counting(self: Matting, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        numbers.append(frame.number)
        return real(self, frame, seen_bgr)

    monkeypatch.setattr(Matting, "infer", counting)
    return numbers


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(("rate", "step"), [("half", 2), ("full", 1)])
def test_the_network_runs_on_every_other_frame_of_a_camera_or_file(
    live: bool, rate: str, step: int, tiny_model: Path, inferred: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "open_source", lambda **options: MovingSource(live=live))
    given = ["--background", "green", "--output", "null", "--model", str(tiny_model), "--threads", "1"]
    assert main([*given, "--matte-rate", rate]) == 0
    assert sorted(inferred) == list(range(0, 20, step))


def test_the_rate_is_one_of_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--matte-rate", "third"]) == 2
    assert "invalid choice: 'third' (choose from 'full', 'half')" in capsys.readouterr().err


def test_a_changed_setting_is_a_change_of_the_run() -> None:
    assert changes_between(Settings(), Settings(matte_rate="half")) == {"matte_rate": "half"}


def test_the_rate_changes_while_frames_flow_and_the_room_stays_hidden(inferred: list[int]) -> None:
    class Slow(LiveRun):
        """Each picture stays for two frames, the first of them odd: so an even one is never still."""

        def __init__(self, **given: Any):
            super().__init__(fps=100, **given)
            read = self.camera.read

            def smooth() -> CameraFrame | None:
                frame = read()
                if frame is None:
                    return None
                bgr = frame.room_bgr.copy()
                bgr[..., 2][bgr[..., 1] == 0] = 200 + 9 * (frame.number // 2 % 2)
                return CameraFrame(frame.number, bgr, frame.time_s, frame.captured_s)

            self.camera.read = smooth  # type: ignore[method-assign]

    with Slow() as flowing:
        assert not flowing.live.scene.half_rate
        assert flowing.live.change(matte_rate="half").half_rate
        begun = flowing.sink.numbers[-1]
        flowing.frames(20)
        assert flowing.live.change(matte_rate="full").half_rate is False
        flowing.frames()
        assert flowing.sink.leaks == []
        assert flowing.sink.numbers[-1] > begun


@pytest.mark.parametrize(
    "name",
    ["inference fails", "matte is all one", "matte is NaN", "matte of another frame", "matte of another size"],
)
def test_no_fault_of_the_network_shows_the_room_at_half_rate(name: str) -> None:
    faults, sink, file = Injector(), LookingSink(), LookingSink(live=False)

    def disturb(number: int) -> None:
        faults.set(name if 10 <= number < 20 else "")

    pipeline = make_run(faults, fps=200, frames=60, on_read=disturb, live=False, stands_for=2, half_rate=True)
    pipeline.run([sink, file])
    assert sink.leaks == file.leaks == []
    assert not file.got[-1][1], "the picture does not come back"
