"""The learnt room: learnt only while nobody is there, forgotten when it no longer fits, and never seen by anyone."""

from __future__ import annotations

import builtins
import dataclasses
import io
import os

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.errors import UsageError
from bgcam.realtime.picture import learnt_room
from bgcam.realtime.picture.learnt_room import ALONE_S, LIMIT_S, MOVED, LearntRoom
from bgcam.realtime.room_status import RoomStatus

SIZE_WH = (160, 96)
FPS = 30
PERSON = np.s_[30:, 60:100]
CHAIR = np.s_[40:80, 104:130]
Float = NDArray[np.float32]


def room(seed: int = 0, *, level: float = 110, contrast: float = 40) -> Float:
    """A cluttered room in colour, with structure some pixels wide: (96, 160, 3)."""
    coarse = np.random.default_rng(seed).normal(0, 1, (24, 40, 3)).astype(np.float32)
    return np.float32(level) + np.float32(contrast) * cv2.resize(coarse, SIZE_WH, interpolation=cv2.INTER_CUBIC)


def seen(scene: Float, number: int, *, noise: float = 1.5, gain: float | Float = 1.0) -> NDArray[np.uint8]:
    grain = np.random.default_rng(number).normal(0, noise, scene.shape)
    return np.clip(np.rint(scene * gain + grain), 0, 255).astype(np.uint8)


def matte(*places: tuple[slice, slice], alpha: float = 1) -> Float:
    out = np.zeros(SIZE_WH[::-1], np.float32)
    for place in places:
        out[place] = alpha
    return out


def before(scene: Float, person: Float, place: tuple[slice, slice]) -> Float:
    both = scene.copy()
    both[place] = person[place]
    return both


class Watched:
    """A learnt room and its frames, FPS a second of a clock that they move."""

    def __init__(self, mode: str = "auto"):
        self.number, self.mode = 0, mode
        self.room = LearntRoom(clock=lambda: self.number / FPS)

    def __call__(self, scene: Float, alpha: Float, *, frames: int = 1, **light: float | Float) -> Float:
        out = alpha
        for _ in range(frames):
            picture = seen(scene, self.number, **light)  # type: ignore[arg-type]
            out = self.room.step(alpha, picture, time_s=self.number / FPS, mode=self.mode)
            self.number += 1
        return out

    @property
    def state(self) -> str:
        return self.room.status().state


def learnt(scene: Float | None = None) -> Watched:
    watched = Watched()
    watched(room() if scene is None else scene, matte(), frames=round(ALONE_S * FPS) + 2)
    assert watched.state == "known"
    return watched


def test_a_chair_that_the_network_takes_for_the_person_is_the_room() -> None:
    watched = learnt()
    scene = before(room(), room(1, level=150), PERSON)
    out = watched(scene, matte(PERSON, CHAIR), frames=100)
    assert out[44:76, 108:126].mean() < 0.02
    assert out[34:, 64:96].min() > 0.99


@pytest.mark.parametrize("gain", [0.6, 0.8, 1.25, np.array([1.1, 1.0, 0.85], np.float32)])
def test_light_and_exposure_are_followed(gain) -> None:
    watched = learnt()
    scene = before(room(), room(1, level=130), PERSON)
    out = watched(scene, matte(PERSON, CHAIR), frames=3, gain=gain)
    assert out[44:76, 108:126].mean() < 0.05
    assert out[34:, 64:96].min() > 0.99


def test_the_shade_of_a_person_is_no_person() -> None:
    watched = learnt()
    shade = np.ones((96, 160, 1), np.float32)
    shade[:, 100:] = 0.94
    scene = before(room(), room(1, level=150), PERSON)
    out = watched(
        scene,
        matte(PERSON, CHAIR),
        frames=3,
        gain=np.asarray(cv2.GaussianBlur(shade, (0, 0), 8), np.float32)[..., None],
    )
    assert out[44:76, 110:126].mean() < 0.1


@pytest.mark.parametrize("folds", [0.0, 3.0])
def test_clothes_of_the_walls_colour_have_no_hole(folds) -> None:
    """The wall is plain and behind a shelf; the network is sure of the person, but for a doubt on their chest."""
    wall = np.full((96, 160, 3), 120, np.float32)
    wall[:, :50], wall[:, 110:] = room()[:, :50], room()[:, 110:]
    watched = learnt(wall)
    dressed = wall + np.asarray(folds * np.sin(np.arange(160) / 3), np.float32)[:, None]
    both = before(wall, dressed, PERSON)
    both[30:46, 72:88] = 180  # the head
    alpha = matte(PERSON)
    alpha[60:72, 74:86] = 0.5
    for _ in range(20):
        np.testing.assert_array_equal(watched(both, alpha)[34:, 62:98], alpha[34:, 62:98])


def test_clothes_of_the_walls_colour_do_not_fade_in_where_the_network_was_in_doubt() -> None:
    wall = np.full((96, 160, 3), 120, np.float32)
    wall[:, :50] = room()[:, :50]
    watched, arm = learnt(wall), np.s_[40:90, 102:106]
    scene, alpha = before(wall, room(1, level=200), PERSON), matte(PERSON)
    alpha[arm] = 0.3
    assert watched(scene, alpha, frames=5)[42:88, 103:105].max() < 0.05
    alpha[arm] = 1
    np.testing.assert_array_equal(watched(scene, alpha)[42:88, 103:105], 1)


def test_a_person_before_the_learnt_room_has_no_hole() -> None:
    watched = learnt()
    with_person = before(room(), room(1, level=112), PERSON)  # clothes as bright as the room, with another pattern
    for _ in range(30):
        assert watched(with_person, matte(PERSON))[34:, 64:96].min() > 0.99


def test_the_network_s_doubt_at_the_edge_falls_where_a_plain_wall_is_seen() -> None:
    wall = np.full((96, 160, 3), 120, np.float32)
    wall[:, :50] = room()[:, :50]
    watched = learnt(wall)
    scene = before(wall, room(1, level=200), PERSON)
    alpha = matte(PERSON)
    alpha[40:90, 102:106] = 0.3
    assert watched(scene, alpha, frames=5)[42:88, 103:105].max() < 0.05


def test_it_only_ever_takes_away() -> None:
    watched, random = learnt(), np.random.default_rng(0)
    for _ in range(30):
        alpha = random.random(SIZE_WH[::-1], np.float32) ** 4
        kept = alpha.copy()
        out = watched(room(), alpha)
        assert (out <= alpha).all()
        assert out.min() >= 0
        np.testing.assert_array_equal(alpha, kept)


def test_a_chair_that_is_turned_does_not_ghost() -> None:
    watched = learnt()
    turned = before(room(), room(7), CHAIR)
    # The network takes the turned chair for a person: the room does not know it, and says nothing.
    np.testing.assert_array_equal(watched(turned, matte(CHAIR))[44:76, 108:126], 1)
    # Seen as background it is forgotten there, and there alone.
    watched.mode = "asked"
    watched(turned, matte(), frames=150)
    assert watched.state == "known"
    np.testing.assert_array_equal(watched(room(), matte(CHAIR))[46:74, 110:124], 1)
    shelf = np.s_[20:60, 10:40]
    assert watched(turned, matte(shelf))[24:56, 14:36].mean() < 0.02


@pytest.mark.parametrize("shift", [(3, 0), (0, 4), (-5, 2)])
def test_a_bumped_camera_drops_the_room_at_once(shift) -> None:
    watched = learnt()
    bumped = np.roll(room(), shift, axis=(0, 1))
    np.testing.assert_array_equal(watched(bumped, matte(CHAIR)), matte(CHAIR))
    watched(bumped, matte(CHAIR), frames=2)
    assert watched.state == "unknown"
    assert watched.room.notice == MOVED
    watched.number += FPS * 21
    assert watched.room.notice == ""


def test_a_cut_drops_the_room() -> None:
    watched = learnt()
    np.testing.assert_array_equal(watched(room(5), matte(CHAIR), frames=3), matte(CHAIR))
    assert watched.state == "unknown"


def test_a_light_that_is_switched_off_and_on_costs_nothing() -> None:
    watched = learnt()
    np.testing.assert_array_equal(watched(room() * 0.02, matte(CHAIR), frames=100), matte(CHAIR))
    assert watched.state == "unused"
    assert watched(room(), matte(CHAIR))[44:76, 108:126].mean() < 0.02
    assert (watched.state, watched.room.notice) == ("known", "")


def test_another_lamp_does_not_drop_the_room() -> None:
    watched = learnt()
    x = np.arange(160, dtype=np.float32)
    lamp = np.asarray(0.4 + 1.2 * np.exp(-((x - 150) ** 2) / 3000), np.float32)[None, :, None]
    watched(room(), matte(CHAIR), frames=10, gain=lamp)
    assert watched.state in ("known", "unused")
    watched(room(), matte(CHAIR))
    assert watched.state == "known"


def test_a_room_that_never_fits_again_is_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(learnt_room, "WAITS_S", 2.0)
    watched = learnt()
    watched(room() * 0.02, matte(CHAIR), frames=round(learnt_room.WAITS_S * FPS) + 5)
    assert watched.state == "unknown"


def test_the_room_is_not_learnt_while_someone_is_there() -> None:
    watched = Watched()
    watched(before(room(), room(1), PERSON), matte(PERSON), frames=200)
    assert watched.state == "unknown"
    watched(room(), matte(), frames=60)
    watched(before(room(), room(1), PERSON), matte(PERSON), frames=3)  # someone passes
    watched(room(), matte(), frames=60)
    assert watched.state == "unknown"
    watched(room(), matte(), frames=60)
    assert watched.state == "known"


def test_what_moves_in_the_empty_room_is_not_learnt() -> None:
    watched, screen = Watched(), np.s_[20:40, 12:32]
    for number in range(100):
        watched(before(room(), room(10, level=170 if number % 8 == 0 else 110), screen), matte())
    assert watched.state == "known"
    now = before(room(), room(10), screen)
    np.testing.assert_array_equal(watched(now, matte(screen))[24:36, 16:28], 1)
    assert watched(now, matte(CHAIR))[44:76, 108:126].mean() < 0.02


def test_a_user_may_ask_for_it() -> None:
    watched = Watched("asked")
    watched(room(), matte(), frames=200)
    assert watched.state == "unknown"
    watched.room.ask()
    watched(before(room(), room(1), PERSON), matte(PERSON), frames=30)
    assert watched.state == "learning"
    watched(room(), matte(), frames=70)
    assert (watched.state, watched.room.status().failed) == ("known", "")


@pytest.mark.parametrize(
    ("scene", "alpha", "why"),
    [
        (room(), matte(PERSON), "the model sees someone in 17% of the picture; step out of it and try again"),
        (np.full((96, 160, 3), 9, np.float32), matte(), "the picture is too dark or too plain"),
    ],
)
def test_who_asked_is_told_why_it_was_not_learnt(scene, alpha, why) -> None:
    watched = Watched()
    watched.room.ask(limit_s=3.0)
    watched(scene, alpha, frames=100)
    assert watched.state == "unknown"
    assert watched.room.status().failed.startswith(f"the room was not learnt: {why}")


def test_no_frame_at_all_is_told_too() -> None:
    watched = Watched()
    watched.room.ask()
    watched.number = round(LIMIT_S * FPS) + 5
    assert watched.room.status().failed == "the room was not learnt: no picture came from the camera"


def test_off_forgets_and_refuses() -> None:
    watched = learnt()
    watched.mode = "off"
    np.testing.assert_array_equal(watched(room(), matte(CHAIR)), matte(CHAIR))
    assert watched.state == "off"
    with pytest.raises(UsageError, match="empty_room is off"):
        watched.room.ask()
    watched.mode = "auto"
    np.testing.assert_array_equal(watched(room(), matte(CHAIR)), matte(CHAIR))
    assert watched.state == "unknown"


def test_it_is_forgotten_on_request_and_with_another_size() -> None:
    watched = learnt()
    watched.room.forget()
    assert watched.state == "unknown"
    watched = learnt()
    watched.room.step(np.ones((20, 30), np.float32), np.zeros((20, 30, 3), np.uint8), time_s=99.0)
    assert watched.state == "unknown"


def test_no_file_is_opened_while_it_is_learnt_used_and_forgotten(monkeypatch) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise AssertionError(f"opened {given}")

    watched = Watched()
    for module, name in ((builtins, "open"), (io, "open"), (os, "open"), (cv2, "imwrite"), (cv2, "imencode")):
        monkeypatch.setattr(module, name, refuse)
    watched(room(), matte(), frames=100)
    assert watched(room(), matte(CHAIR), frames=10)[44:76, 108:126].mean() < 0.02
    watched(np.roll(room(), 4, axis=1), matte(CHAIR), frames=5)
    assert watched.state == "unknown"


def test_what_is_told_of_it_are_words() -> None:
    assert [field.type for field in dataclasses.fields(RoomStatus)] == ["RoomState", "str"]


def test_no_text_of_it_has_a_pixel() -> None:
    watched = learnt()
    assert repr(watched.room) == "LearntRoom(known)"
    for part in (watched.room._known, watched.room._known.plate):
        assert "array" not in repr(part)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 33), (40, 70)])
def test_odd_and_tiny_sizes(shape) -> None:
    watched = LearntRoom()
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    for number in range(110):
        alpha = np.full(shape, number > 100, np.float32)
        out = watched.step(alpha, picture, time_s=number / FPS)
        assert out.shape == shape
        assert 0 <= out.min() <= out.max() <= 1
