"""A matte that jumps from nobody to most of the room needs frames that agree; what people really do is not delayed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from faults import FaultyBackground, Injector, LookingSink, SecretCamera, watch_of
from numpy.typing import NDArray
from tiny_model import SPEC

from bgcam.realtime.command import cli
from bgcam.realtime.command.demo.clip import DemoCamera
from bgcam.realtime.command.demo.room import draw_room
from bgcam.realtime.errors import MatteRefused
from bgcam.realtime.failsafe.jumps import EMPTY, PRESENT, RECENT_FRAMES
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.motion_gate import StillMatting
from bgcam.realtime.run.build import build_run


def matte_of(number: int, share: float) -> CoarseMatte:
    alpha = np.zeros((20, 100), np.float32)
    alpha[:, : round(100 * share)] = 1
    return CoarseMatte(number, alpha, np.zeros((20, 100, 3), np.uint8))


def believed(shares: list[float], check: MatteCheck | None = None) -> str:
    """For each frame, `#` where its matte is shown and `.` where it is refused."""
    check, said = check or MatteCheck(), ""
    for number, share in enumerate(shares):
        try:
            check(matte_of(number, share))
            said += "#"
        except MatteRefused:
            said += "."
    return said


def ramp(begin: float, end: float, *, seconds: float, fps: float) -> list[float]:
    frames = max(1, round(seconds * fps))
    return [begin + (end - begin) * at / frames for at in range(1, frames + 1)]


@pytest.mark.parametrize("share", [0.3, 0.55, 0.87, 0.96])
@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_jump_out_of_an_empty_room_is_not_shown(share: float, frames: int) -> None:
    assert believed([0.0] * 20 + [share] * frames + [0.0] * 3) == "#" * 20 + "." * frames + "###"


def test_jumps_that_do_not_agree_are_never_shown() -> None:
    wild = [0.9, 0.4, 0.9, 0.55, 0.87, 0.3, 0.6, 0.9] * 5
    assert believed([0.0] * 20 + wild) == "#" * 20 + "." * len(wild)


def test_jumps_with_nobody_between_are_never_shown() -> None:
    assert believed([0.0, 0.8, 0.8, 0.8, 0.8] * 10) == "#...." * 10


@pytest.mark.parametrize("share", [0.35, 0.6])
def test_a_lens_that_is_uncovered_shows_the_person_after_a_sixth_of_a_second(share: float) -> None:
    assert believed([0.0] * 20 + [share] * 10) == "#" * 20 + "." * (EMPTY.frames - 1) + "#" * 6
    assert (EMPTY.frames - 1) / 30 < 1 / 6


def test_beside_a_person_a_jump_needs_fewer_frames() -> None:
    assert believed([0.3] * 20 + [0.8] * 10) == "#" * 20 + "." * (PRESENT.frames - 1) + "#" * 8
    assert believed([0.3] * 20 + [0.8, 0.3] * 5) == "#" * 20 + ".#" * 5


@pytest.mark.parametrize("share", [0.1, 0.45, 0.9])
def test_the_first_frame_of_a_run_is_shown_at_once(share: float) -> None:
    assert believed([share] * 5) == "#####"


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
def test_what_people_do_is_not_delayed(fps: float) -> None:
    nobody, there = [0.0] * 30, [0.4] * 5
    sits_down = nobody + ramp(0, 0.5, seconds=0.3, fps=fps) + there
    steps_in = nobody + ramp(0, 0.35, seconds=0.3, fps=fps)
    leans_forward = there + ramp(0.4, 0.95, seconds=0.25, fps=fps)
    leaves_and_comes_back = there + ramp(0.4, 0, seconds=0.3, fps=fps) + sits_down
    for shares in (sits_down, steps_in, leans_forward, leaves_and_comes_back):
        assert believed(shares) == "#" * len(shares), [round(after - before, 2) for before, after in pairwise(shares)]


def test_a_person_whom_the_network_lost_for_a_moment_is_back_at_once() -> None:
    lost = RECENT_FRAMES - 1
    assert believed([0.6] * 5 + [0.0] * lost + [0.6] * 3) == "#" * (8 + lost)


def test_pictures_are_looked_at_one_by_one() -> None:
    assert believed([0.0, 0.6, 0.0, 0.9], MatteCheck(independent=True)) == "####"


def test_the_same_matte_again_agrees_with_nothing() -> None:
    check = MatteCheck()
    check(matte_of(0, 0.0))
    jump = matte_of(1, 0.8)
    for _ in range(20):
        with pytest.raises(MatteRefused, match="80% of the frame suddenly, after 0%, 1 of 5 times"):
            check(jump)


class Flickers:
    """A network that sees nobody, but in some frames most of the room."""

    def __init__(self, wrong: set[int]):
        self.calls, self._wrong = 0, wrong

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return np.zeros((20, 100, 3), np.uint8)  # nothing moves

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        self.calls += 1
        return matte_of(frame.number, 0.8 if self.calls in self._wrong else 0.0)


def test_a_refused_matte_does_not_hold_on_while_nothing_moves() -> None:
    network = Flickers({2})
    still = StillMatting(network)
    check, said = MatteCheck(on_refusal=still.forget), ""
    for number in range(40):
        try:
            check(still(CameraFrame(number, np.zeros((2, 2, 3), np.uint8), 0.0, 0.0)))
            said += "#"
        except MatteRefused:
            said += "."
    assert said == "#" * 15 + "." + "#" * 24
    assert network.calls < 6


class FlickeringMatting(Matting):
    """In front of nobody; 3 of 40 frames are most of the room, 80 % of each row from the right."""

    path, at_once, spec = Path("none.onnx"), 1, SPEC

    def __init__(self) -> None:
        pass

    def prepare(self, frame_wh: tuple[int, int]) -> Any:
        return self

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return np.ascontiguousarray(frame.room_bgr[::2, ::2])

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        alpha = np.zeros(seen_bgr.shape[:2], np.float32)
        if frame.number in (12, 20, 21):
            alpha[:, alpha.shape[1] // 5 :] = 1
        return CoarseMatte(frame.number, alpha, seen_bgr)


@pytest.mark.parametrize("live", [True, False])
def test_a_network_that_flickers_shows_no_room_in_a_run(live: bool) -> None:
    faults = Injector()
    sinks = [LookingSink(live=live), LookingSink(live=False)]
    camera = SecretCamera(faults, fps=0, frames=40, live=live)
    pipeline = build_run(camera, FaultyBackground(faults), FlickeringMatting(), Look())
    pipeline.run(sinks)
    for sink in sinks:
        assert not sink.leaks
        assert len(sink.got) >= 40
    # Where nothing moves, a frame or two more are on their way with the same matte.
    assert 3 <= watch_of(pipeline).replaced <= (9 if live else 3)


def test_the_demos_person_is_never_delayed() -> None:
    """The default network on somebody who is there, leaves and is back: no frame with the person is refused."""
    matting, camera = Matting(find_model(), threads=1), DemoCamera()
    there = [np.asarray(cv2.resize(camera.frame(number), (640, 360)), np.uint8) for number in range(0, 20, 2)]
    room = np.asarray(cv2.resize(draw_room(), (640, 360)), np.uint8)
    check = MatteCheck()
    for number, bgr in enumerate(there + [room] * 3 + there):
        check(matting(CameraFrame(number, bgr, 0.0, 0.0)))


def test_a_folder_of_pictures_is_no_sequence(tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, rows in enumerate((0, 40, 0, 45)):
        bgr = np.zeros((48, 64, 3), np.uint8)
        bgr[:rows] = 255
        cv2.imwrite(str(folder / f"{number}.png"), bgr)
    out = tmp_path / "out"
    assert cli.main([f"--input={folder}", f"--output={out}/", f"--model={tiny_model}", "--threads=1"]) == 0
    assert len(list(out.iterdir())) == 4
