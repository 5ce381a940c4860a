"""The second look: who is too small for the network is found through a window, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from command import Run
from numpy.typing import NDArray

from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.matting import Matting, resize_area
from bgcam.realtime.model.second_look import EmptyFrames, SecondLook, Window, is_empty, window_around, windows
from bgcam.realtime.sources.images import read_picture

SIZE_WH, SEEN_WH = (640, 360), (80, 45)
FAR = Path(__file__).resolve().parents[1].parent / "shared" / "cases" / "far.png"


class ShortSighted:
    """Bright is person, if it is as high as a good third of what is seen. chairs: its second look takes grey for a
    person, its third all that it sees.
    """

    def __init__(self, *, chairs: bool = False) -> None:
        self.looks = 0
        self._chairs = chairs

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return resize_area(frame.room_bgr, SEEN_WH)

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        self.looks += 1
        person = (seen_bgr[..., 0] > 150).astype(np.uint8)
        if self._chairs and self.looks in (2, 3):
            person = (seen_bgr[..., 0] > (60 if self.looks == 2 else 10)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(person)
        alpha = np.zeros(seen_bgr.shape[:2], np.float32)
        for one in range(1, count):
            if stats[one, cv2.CC_STAT_HEIGHT] > 0.38 * len(seen_bgr):
                alpha[labels == one] = 1
        return CoarseMatte(frame.number, alpha, seen_bgr)


def scene(*people: tuple[int, int, int], number: int = 0, chair: int = 0) -> CameraFrame:
    """A dark room with people (left, bottom, height), each half as wide as high, in pixels."""
    bgr = np.full((SIZE_WH[1], SIZE_WH[0], 3), 20, np.uint8)
    for left, bottom, height in people:
        bgr[bottom - height : bottom, left : left + height // 2] = 220
    if chair:
        bgr[-chair:, 300 : 300 + chair] = 90
    return CameraFrame(number, bgr, 0.0, 0.0)


def truth(frame: CameraFrame) -> NDArray[np.float32]:
    return (resize_area(frame.room_bgr, SEEN_WH)[..., 0] > 150).astype(np.float32)


@pytest.mark.parametrize("left", [0, 150, 290, 420, 590])
@pytest.mark.parametrize("bottom", [360, 250, 110])
def test_a_small_person_is_found_wherever_they_are(left: int, bottom: int) -> None:
    frame = scene((left, bottom, 100))
    assert is_empty(ShortSighted().infer(frame, ShortSighted().see(frame)).alpha)
    coarse = SecondLook(ShortSighted())(frame)
    assert coarse.number == frame.number
    assert coarse.alpha.shape == (45, 80)
    assert np.abs(coarse.alpha - truth(frame)).mean() < 0.01


def test_all_of_several_are_found() -> None:
    frame = scene((40, 360, 100), (560, 360, 100))
    assert np.abs(SecondLook(ShortSighted())(frame).alpha - truth(frame)).mean() < 0.02


def test_who_is_found_at_once_is_looked_at_once() -> None:
    network, frame = ShortSighted(), scene((200, 360, 200), (40, 360, 60))
    alone = network.infer(frame, network.see(frame)).alpha
    network.looks = 0
    for at_once in (0, 1):
        assert (SecondLook(network, at_once=at_once)(frame).alpha == alone).all()
    assert network.looks == 2


def test_an_empty_room_stays_empty() -> None:
    assert SecondLook(ShortSighted())(scene(chair=80)).alpha.max() == 0


def test_what_one_window_alone_shows_is_nobody() -> None:
    network = ShortSighted(chairs=True)
    assert SecondLook(network)(scene(chair=120)).alpha.max() == 0
    assert network.looks == 11  # the frame, nine windows, and one around the chair


def test_a_camera_looks_through_one_window_a_frame_and_then_keeps_it() -> None:
    network = ShortSighted()
    look = SecondLook(network, at_once=1)
    found = []
    for number in range(30):
        before = network.looks
        found.append(not is_empty(look(scene((420, 360, 100), number=number)).alpha))
        assert network.looks - before <= 3
    first = found.index(True)
    assert first < 9
    assert all(found[first:])
    before = network.looks
    look(scene((424, 360, 100), number=30))
    assert network.looks - before == 2  # the frame, and the window


def test_the_window_follows_and_is_given_up() -> None:
    look = SecondLook(ShortSighted(), at_once=1)
    for number in range(9):
        look(scene((300, 360, 100), number=number))
    for number in range(40):
        frame = scene((300 + 5 * number, 360, 100), number=9 + number)
        assert np.abs(look(frame).alpha - truth(frame)).mean() < 0.02
    assert look(scene(number=50)).alpha.max() == 0  # gone
    near = scene((200, 360, 300), number=51)
    assert (look(near).alpha == ShortSighted().infer(near, look.see(near)).alpha).all()


def test_pictures_have_no_effect_on_each_other() -> None:
    look = SecondLook(ShortSighted())
    one, other = scene((40, 360, 100)), scene((500, 360, 100), number=1)
    expected = SecondLook(ShortSighted())(other).alpha
    look(one)
    assert (look(other).alpha == expected).all()


def test_windows_cover_the_frame_and_lie_in_it() -> None:
    for shape in ((45, 80), (192, 320), (320, 192), (7, 5), (1, 1)):
        covered = np.zeros(shape, bool)
        for one in windows(shape):
            assert 0 <= one.left <= one.left + one.width <= shape[1]
            assert 0 <= one.top <= one.top + one.height <= shape[0]
            covered[one.top : one.top + one.height, one.left : one.left + one.width] = True
        assert covered.all() or min(shape) < 2


def test_a_window_around_somebody_holds_all_of_them() -> None:
    alpha = np.zeros((45, 80), np.float32)
    alpha[33:45, 70:79] = 1
    assert window_around(alpha) == Window(46, 26, 34, 19)
    alpha[10:, 20:60] = 1
    assert window_around(alpha) is None  # near
    assert window_around(np.zeros((45, 80), np.float32)) is None


def test_empty_frames_are_noted() -> None:
    empty = EmptyFrames()
    find = empty.within(SecondLook(ShortSighted()))
    find(scene((200, 360, 200)))
    assert str(empty) == ""
    find(scene(number=1))
    find(scene(number=1))
    assert str(empty) == "nobody found in 1 frame"


def test_a_picture_with_nobody_says_so(tmp_path: Path, bgcam: Run) -> None:
    dark = tmp_path / "dark.png"
    cv2.imwrite(str(dark), np.full((64, 96, 3), 20, np.uint8))
    arguments = ("-i", str(dark), "-b", "green", "-o", "null")
    last = bgcam(*arguments)[1].splitlines()[-1]
    assert last.endswith("; nobody found in 1 frame: people far away are missed; come closer, or try --far")
    assert bgcam("--far", *arguments)[1].splitlines()[-1].endswith("; nobody found in 1 frame")
    assert bgcam("--far", "matte", str(dark), str(tmp_path / "m.png"))[0] == 0


@pytest.mark.skipif(not FAR.is_file(), reason=f"needs {FAR.name} of the shared cases")
def test_a_person_of_200_lines_is_found_by_the_default_network() -> None:
    frame, matting = CameraFrame(0, read_picture(FAR), 0.0, 0.0), Matting(find_model(), threads=1)
    assert is_empty(matting(frame).alpha)
    alpha = SecondLook(matting)(frame).alpha
    rows, columns = np.nonzero(alpha > 0.5)
    height, width = alpha.shape
    assert 0.75 < rows.min() / height < 0.85
    assert rows.max() == height - 1
    assert 0.42 < columns.min() / width < columns.max() / width < 0.58
