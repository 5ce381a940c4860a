"""`--matte-crop`: what the network sees, when it sees the whole frame again, and that the room is never shown by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import SPEC

from bgcam.realtime.command import run
from bgcam.realtime.command.cli import main
from bgcam.realtime.command.options import parse_arguments
from bgcam.realtime.errors import UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.matte_crop import (
    GAP_S,
    REFRESH_FRAMES,
    REST_FRAMES,
    SOON_FRAMES,
    Crop,
    CropMatting,
    _placed,
    box_of,
    touches,
)
from bgcam.realtime.model.matte_crop import crop_for as crop_around
from bgcam.realtime.model.matting import Matting, resize_area
from bgcam.realtime.model.motion_gate import REFRESH_FRAMES as MOTION_REFRESH_FRAMES
from bgcam.realtime.run.finding import Finding

SIZE_WH = (160, 96)
FRAME_WH = (640, 384)
Alpha = NDArray[np.float32]
# Left, top, width and height in cells.
PERSON = (60, 50, 20, 46)


def matte(*people: tuple[int, int, int, int]) -> Alpha:
    alpha = np.zeros(SIZE_WH[::-1], np.float32)
    for left, top, width, height in people:
        alpha[top : top + height, left : left + width] = 1
    return alpha


def frame(number: int, *people: tuple[int, int, int, int]) -> CameraFrame:
    """White people before a black room."""
    shown = np.kron(matte(*people), np.ones((4, 4)))
    return CameraFrame(number, np.dstack([(255 * shown).astype(np.uint8)] * 3), number / 30, 0.0)


def crop_for(alpha: Alpha, now: Crop | None = None) -> Crop | None:
    box = box_of(alpha)
    return None if box is None else crop_around(box, (alpha.shape[0], alpha.shape[1]), now)


class White:
    """A network that finds what is white, and notes how much of the frame it saw: True for all of it."""

    spec = SPEC

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []

    def __call__(self, one: CameraFrame) -> CoarseMatte:
        return self.infer(one, self.see(one))

    def see(self, one: CameraFrame) -> NDArray[np.uint8]:
        return resize_area(one.room_bgr, SIZE_WH)

    def infer(self, one: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        self.asked.append((one.number, np.array_equal(seen_bgr, self.see(one))))
        return CoarseMatte(one.number, np.asarray(seen_bgr[..., 0] / 255, np.float32), seen_bgr)

    def looks(self, number: int) -> list[bool]:
        return [whole for at, whole in self.asked if at == number]


def cropped(*people: tuple[int, int, int, int]) -> tuple[CropMatting, White]:
    """After a first frame with these people."""
    network = White()
    matting = CropMatting(network)
    matting(frame(0, *(people or (PERSON,))))
    assert matting.crop is not None
    return matting, network


@pytest.mark.parametrize("people", [[PERSON], [(0, 60, 12, 36)], [(150, 0, 10, 20)], [PERSON, (85, 60, 10, 30)]])
def test_the_crop_has_everybody_with_a_margin_and_the_frames_aspect(people: list[tuple[int, int, int, int]]) -> None:
    crop = crop_for(matte(*people))
    assert crop is not None
    assert 0 <= crop.left <= crop.left + crop.width <= SIZE_WH[0]
    assert 0 <= crop.top <= crop.top + crop.height <= SIZE_WH[1]
    assert crop.width / crop.height == pytest.approx(SIZE_WH[0] / SIZE_WH[1], rel=0.03)
    alpha = matte(*people)
    assert alpha[crop.cells].sum() == alpha.sum()
    assert not touches(alpha[crop.cells], crop, alpha.shape)


@pytest.mark.parametrize("people", [[], [(0, 0, 3, 3)], [(20, 10, 100, 86)], [(2, 40, 10, 40), (150, 40, 9, 40)]])
def test_the_whole_frame_is_seen_for_nobody_somebody_near_and_people_far_apart(people) -> None:
    assert crop_for(matte(*people)) is None


def test_the_crop_stays_while_the_person_moves_a_little() -> None:
    crop = crop_for(matte(PERSON))
    assert crop_for(matte((62, 50, 20, 46)), crop) == crop
    assert crop_for(matte((108, 50, 20, 46)), crop) != crop


def test_edges_of_the_frame_are_not_edges_of_the_crop() -> None:
    at_the_bottom = Crop(40, 46, 80, 50)
    closer = np.zeros((96, 160), np.float32)
    closer[40:, 60:90] = 1
    assert not touches(closer, at_the_bottom, (96, 160))
    assert touches(closer, Crop(40, 40, 80, 50), (96, 160))
    closer[60, 0] = 1
    assert touches(closer, at_the_bottom, (96, 160))


def test_the_matte_is_in_its_place_and_the_network_runs_once_a_frame() -> None:
    matting, network = cropped()
    coarse = matting(frame(1, PERSON))
    assert network.looks(1) == [False]
    assert coarse.number == 1
    assert coarse.alpha.dtype == np.float32
    assert coarse.seen_bgr.shape == (*SIZE_WH[::-1], 3)
    assert np.abs(coarse.alpha - matte(PERSON)).mean() < 0.01


def test_outside_the_crop_alpha_is_nothing() -> None:
    matting, _ = cropped()
    crop = matting.crop
    assert crop is not None
    coarse = matting(frame(1, PERSON, (0, 2, 8, 30)))  # somebody else, or whatever the network would take for them
    outside = np.ones(SIZE_WH[::-1], np.bool_)
    outside[crop.cells] = False
    assert coarse.alpha[outside].max() == 0


def test_whoever_comes_in_elsewhere_is_seen_within_the_refresh() -> None:
    other = (0, 40, 8, 50)  # beside the crop
    for first in range(1, REFRESH_FRAMES + 1):
        matting, network = cropped()
        for number in range(1, first):
            matting(frame(number, PERSON))
        seen = [float(matting(frame(first + wait, PERSON, other)).alpha[60, 4]) for wait in range(REFRESH_FRAMES)]
        assert max(seen) == 1
        # From then on they belong to the crop, or to the whole frame.
        first_seen = seen.index(1)
        assert all(seen[first_seen:])
        assert sum(True in network.looks(number) for number in range(1, REFRESH_FRAMES + 1)) >= 1


def test_a_person_who_reaches_the_edge_is_seen_whole_in_the_same_frame() -> None:
    matting, network = cropped()
    crop = matting.crop
    assert crop is not None
    moved = (crop.left + crop.width - 10, 50, 20, 46)
    coarse = matting(frame(1, moved))
    assert network.looks(1) == [False, True]
    assert np.abs(coarse.alpha - matte(moved)).mean() < 0.01


def test_who_reaches_it_again_and_again_is_seen_whole_for_a_while() -> None:
    matting, network = cropped()
    for number in range(1, REST_FRAMES):
        crop, left = matting.crop, 60 + 3 * number
        if crop is not None and number < 6:
            left = crop.left + crop.width - 10
        matting(frame(number, (left % 120, 50, 20, 46)))
    twice = [number for number in range(1, REST_FRAMES) if len(network.looks(number)) == 2]
    assert len(twice) <= 2 + REST_FRAMES // REFRESH_FRAMES
    assert network.looks(4) == [True]


def test_a_person_who_leaves_is_looked_for_in_the_whole_frame() -> None:
    matting, network = cropped()
    assert matting(frame(1)).alpha.max() == 0
    assert len(network.looks(1)) == 2
    assert matting.crop is None
    assert matting(frame(2, (2, 40, 16, 50))).alpha[60, 8] == 1


def test_after_a_refused_matte_the_next_frame_is_seen_whole() -> None:
    matting, network = cropped()
    matting.forget()
    matting(frame(1, PERSON))
    assert network.looks(1) == [True]


def test_rounding_of_the_smaller_matte_stays_within_its_range() -> None:
    """OpenCV's mean of ones is above 1 at some sizes, and the matte's check refuses that."""
    ones = np.ones((192, 320), np.float32)
    for share in np.arange(0.25, 0.8, 0.005):
        crop = Crop(0, 0, round(share * 320), round(share * 192))
        assert _placed(ones, crop, np.zeros_like(ones)).max() <= 1


def test_somebody_who_stops_outside_the_crop_is_seen_although_nothing_moves_then() -> None:
    """A frame like the one before gets its matte, but not one of a crop."""
    network, other = White(), (0, 40, 8, 50)
    find = Finding(live=True, crop=True).by(network, far=False)  # type: ignore[arg-type]
    for number in range(3):
        find(frame(number, (60 + number, 50, 20, 46)))
    seen = [float(find(frame(number, PERSON, other)).alpha[60, 4]) for number in range(3, 3 + REFRESH_FRAMES)]
    assert seen[-1] == 1
    assert all(len(network.looks(number)) == 0 for number in range(3 + REFRESH_FRAMES, 10 + REFRESH_FRAMES))


def test_a_frame_that_was_begun_before_all_was_forgotten_brings_no_crop_back() -> None:
    matting, network = cropped()
    real = network.infer

    def meanwhile(one: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        matting.forget()
        return real(one, seen_bgr)

    network.infer = meanwhile  # type: ignore[method-assign]
    matting(frame(1, PERSON))
    network.infer = real  # type: ignore[method-assign]
    assert matting.crop is None
    matting(frame(2, PERSON))
    assert network.looks(2) == [True]


@pytest.mark.parametrize(("live", "far", "crops"), [(True, False, True), (True, True, False), (False, False, False)])
def test_it_is_for_cameras_and_not_with_far(live: bool, far: bool, crops: bool, tiny_model: Path) -> None:
    looked: list[tuple[int, int]] = []
    matting = Matting(tiny_model)
    real = matting.infer

    def infer(one: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        looked.append((one.number, int(seen_bgr[..., 0].mean())))
        return real(one, seen_bgr)

    matting.infer = infer  # type: ignore[method-assign, assignment]
    find = Finding(live=live, crop=True).by(matting, far=far)
    for number in range(3):
        find(frame(number, (60 + number, 50, 20, 46)))
    whole, second = (next(mean for at, mean in looked if at == number) for number in (0, 1))
    assert (second > 1.5 * whole) == crops


def test_who_sways_does_not_make_the_crop_follow() -> None:
    """Each change of the crop shows in the matte."""
    matting, _ = cropped()
    crops = []
    for number in range(1, 91):
        matting(frame(number, (60 + round(14 * np.sin(number / 7)), 50, 20, 46)))
        crops.append(matting.crop)
    assert len(set(crops)) <= 3
    assert len(set(crops[30:])) == 1


def test_whoever_moves_outside_the_crop_is_seen_sooner() -> None:
    other = (0, 40, 8, 50)
    matting, network = cropped()
    for number in range(1, 2 + SOON_FRAMES):
        matting(frame(number, PERSON))
    assert all(network.looks(number) == [False] for number in range(1, 2 + SOON_FRAMES))
    assert matting(frame(2 + SOON_FRAMES, PERSON, other)).alpha[60, 4] == 1


def test_after_a_gap_of_the_camera_the_frame_is_seen_whole() -> None:
    matting, network = cropped()
    late = frame(1, (5, 50, 20, 46))
    late = CameraFrame(1, late.room_bgr, 1 / 30 + GAP_S, 0.0)
    assert matting(late).alpha[60, 15] == 1
    assert network.looks(1) == [True]


@pytest.mark.parametrize("fps", [10, 15, 25, 30])
def test_a_picture_in_which_nothing_moves_is_no_gap_of_the_camera(fps: float) -> None:
    """Then the network runs on few frames, and each of their mattes is repeated: that of the whole frame alone would
    take the crop from whoever sits still."""
    network, number = White(), 0
    find = Finding(live=True, crop=True).by(network, far=False)  # type: ignore[arg-type]
    still = frame(0, PERSON).room_bgr
    for left in range(50, 60):
        find(CameraFrame(number, frame(0, (left, 50, 20, 46)).room_bgr, number / fps, 0.0))
        number += 1
    begun = number
    for number in range(begun, begun + 100):
        find(CameraFrame(number, still, number / fps + 0.001 * (number % 3), 0.0))
    looks = [network.looks(at) for at in range(begun, begun + 100) if network.looks(at)]
    assert len(looks) >= 100 // MOTION_REFRESH_FRAMES
    assert all(False in one for one in looks)


def test_what_is_too_small_for_a_person_changes_neither_crop_nor_matte() -> None:
    matting, network = cropped()
    for number in range(1, 2 * REFRESH_FRAMES):
        before = matting.crop
        assert matting(frame(number, PERSON, (2, 2, 2, 3))).alpha[:10, :10].max() == 0
        assert matting.crop == before
    assert any(True in network.looks(number) for number in range(1, 2 * REFRESH_FRAMES))


def test_it_is_on_unless_it_is_turned_off() -> None:
    assert parse_arguments([]).matte_crop == "on"
    assert parse_arguments(["--matte-crop", "off"]).matte_crop == "off"


@pytest.mark.parametrize(("given", "crops"), [([], True), (["--matte-crop", "off"], False)])
def test_a_run_gets_the_crop_that_was_asked_for(
    given: list[str], crops: bool, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def build(*parts: Any, crop: bool, **others: Any) -> Any:
        asked.append(crop)
        raise UsageError("enough")

    monkeypatch.setattr(run, "build_live", build)
    assert cv2.imwrite(str(tmp_path / "one.png"), np.zeros((96, 160, 3), np.uint8))
    command = ["--input", str(tmp_path / "one.png"), "--background", "green", "--output", "null"]
    assert main([*command, "--model", str(tiny_model), *given]) == 2
    assert asked == [crops]
