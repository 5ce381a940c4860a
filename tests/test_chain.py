"""The picture chain: pairing and order, what each stage changes, views, and that nothing is carried over a cut."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from picture_scenes import PERSON, ROOM, scene
from shown import File

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.blur import Room
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.look import VIEWS, Look
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.stages import STAGES
from bgcam.realtime.run.build import everything
from bgcam.realtime.run.pipeline import Pipeline

BLUE = np.array([200, 40, 30])


def blue() -> Still:
    return Still("blue", np.uint8(BLUE)[None, None])


def shown(look: Look | None = None, *, without: tuple[str, ...] = (), **options: Any) -> NDArray[np.int_]:
    frame, coarse, _ = scene(**options)
    return Chain(blue(), look, without=without)(frame, coarse).bgr.astype(int)


def from_middle() -> NDArray[np.float64]:
    """Each pixel's way to the middle of the scene's disc, whose radius is 72."""
    y, x = np.indices((240, 320))
    return np.hypot(y - 120, x - 160)


def truth(alpha: NDArray[np.float32]) -> NDArray[np.float64]:
    return PERSON * alpha[..., None] + BLUE * (1 - alpha[..., None])


def test_the_person_stands_before_the_background() -> None:
    frame, coarse, alpha = scene()
    composed = Chain(blue())(frame, coarse)
    assert (composed.number, composed.time_s, composed.captured_s) == (0, 0.0, 0.0)
    assert np.abs(composed.bgr - truth(alpha)).mean() < 1
    assert (composed.bgr[from_middle() > 85] == BLUE).all()
    assert np.array_equal(composed.bgr[120, 160], frame.room_bgr[120, 160])


@pytest.mark.parametrize(
    ("frame_wh", "network_wh"),
    [((1, 1), (1, 1)), ((333, 251), (96, 64)), ((64, 48), (320, 240)), ((90, 160), (48, 64))],
)
def test_any_sizes(frame_wh: tuple[int, int], network_wh: tuple[int, int]) -> None:
    for view in VIEWS:
        look = Look(edge_steps=-1, sharp_steps=1, wrap=5, match=5, frame="follow", view=view)
        assert shown(look, size_wh=frame_wh, network_wh=network_wh).shape == (*frame_wh[::-1], 3)


def test_foreground_colours_take_the_rooms_fringe_away() -> None:
    _, _, alpha = scene()
    edge = (alpha > 0.05) & (alpha < 0.95)
    errors = [np.abs(shown(without=without) - truth(alpha))[edge].mean() for without in ((), ("foreground",))]
    assert errors[0] < 0.5 * errors[1]


def test_guided_upsampling_finds_the_frames_edge() -> None:
    frame, coarse, alpha = scene(network_wh=(32, 16), room=np.array([10, 20, 20]))
    pictures = [Chain(blue(), without=without)(frame, coarse).bgr for without in ((), ("guided_filter",))]
    errors = [np.abs(picture - truth(alpha)).mean() for picture in pictures]
    assert errors[0] < 0.7 * errors[1]


def test_shrink_grow_and_sharp() -> None:
    def person(look: Look) -> float:
        return float((shown(look) @ PERSON > shown(look) @ BLUE).mean())

    plain = shown()
    areas = [person(Look(edge_steps=steps)) for steps in (-5, -2, 0, 2, 5)]
    assert areas == sorted(areas)
    assert len(set(areas)) == 5
    mixed = [
        float(((one != plain[0, 0]).any(axis=-1) & (one != PERSON).any(axis=-1)).mean())
        for one in (plain, shown(Look(sharp_steps=5)))
    ]
    assert mixed[1] < 0.8 * mixed[0]


def test_wrap_brings_the_backgrounds_light_to_the_edge_alone() -> None:
    _, _, alpha = scene()
    change = shown(Look(wrap=10)) - shown()
    assert change[120, 160].max() == 0
    assert (change[from_middle() > 85] == 0).all()
    near = (alpha == 1) & (from_middle() > 64)
    assert change[near][:, 0].mean() > 8  # the background is blue
    assert change[near][:, 0].mean() > 2 * change[near][:, 2].mean()


def test_match_lights_the_person_as_the_background_is() -> None:
    frame, coarse, _ = scene()
    levels = {}
    for name, colour in (("dark", (20, 20, 20)), ("bright", (240, 240, 240)), ("warm", (90, 130, 200))):
        background = Still(name, np.array([[colour]], np.uint8))
        levels[name] = Chain(background, Look(match=10))(frame, coarse).bgr[120, 160].astype(float)
    plain = frame.room_bgr[120, 160]
    assert (levels["dark"] < plain).all()
    assert (levels["bright"] > plain).all()
    assert levels["warm"][2] / levels["warm"][0] > 1.1 * plain[2] / plain[0]


def test_a_frame_takes_its_own_matte_and_comes_in_order() -> None:
    chain = Chain(blue())
    frame, coarse, _ = scene(3)
    chain(frame, coarse)
    with pytest.raises(ValueError, match="another frame"):
        chain(frame, scene(2)[1])
    for number in (3, 1):
        with pytest.raises(ValueError, match="in order"):
            chain(*scene(number)[:2])
    with pytest.raises(ValueError, match="background of shape"):
        Chain(SmallPicture())(*scene()[:2])


class SmallPicture(Still):
    def __init__(self) -> None:
        super().__init__("small", np.zeros((1, 1, 3), np.uint8))

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        return np.zeros((2, 2, 3), np.uint8)


def test_what_was_composed_stays_when_the_next_frame_comes() -> None:
    chain = Chain(blue(), Look(view="side-by-side"))
    first = chain(*scene(0)[:2]).bgr
    kept = first.copy()
    dark = CameraFrame(1, np.zeros((240, 320, 3), np.uint8), 0.1, 0.0)
    chain(dark, CoarseMatte(1, np.zeros((64, 80), np.float32), np.zeros((64, 80, 3), np.uint8)))
    assert np.array_equal(first, kept)


def test_a_still_scene_is_steady() -> None:
    frame, coarse, _ = scene()

    def moves(*without: str) -> float:
        random = np.random.default_rng(0)
        chain, pictures = Chain(blue(), without=without), []
        for number in range(12):
            noise = random.normal(0, 0.04, coarse.alpha.shape) * (coarse.alpha > 0) * (coarse.alpha < 1)
            alpha = np.clip(coarse.alpha + noise, 0, 1).astype(np.float32)
            still = CameraFrame(number, frame.room_bgr, number / 30, 0.0)
            pictures.append(chain(still, CoarseMatte(number, alpha, coarse.seen_bgr)).bgr.astype(int))
        return float(np.abs(np.diff(pictures[4:], axis=0)).mean())

    assert moves() < 0.5 * moves("temporal_filter")


def test_a_cut_leaves_nothing_behind() -> None:
    chain = Chain(blue())
    chain(*scene()[:2])
    nobody = CameraFrame(1, np.full((240, 320, 3), 255, np.uint8), 0.1, 0.0)
    empty = CoarseMatte(1, np.zeros((64, 80), np.float32), np.full((64, 80, 3), 255, np.uint8))
    assert (chain(nobody, empty).bgr == BLUE).all()


def test_views_show_each_layer() -> None:
    frame, coarse, alpha = scene()
    pictures = {view: Chain(blue(), Look(view=view))(frame, coarse).bgr.astype(int) for view in VIEWS}
    assert np.abs(pictures["matte"] - 255 * alpha[..., None]).mean() < 2
    assert np.array_equal(pictures["cutout"][120, 160], frame.room_bgr[120, 160])
    outside = pictures["cutout"][alpha == 0]
    assert set(np.unique(outside)) >= {102, 153}
    assert np.abs(outside - ROOM).max(axis=-1).min() > 30  # nothing of the room
    quarters = [pictures["side-by-side"][y : y + 120, x : x + 160] for y in (0, 120) for x in (0, 160)]
    for quarter, whole in zip(
        quarters, (frame.room_bgr, *(pictures[view] for view in ("matte", "cutout", "composite"))), strict=True
    ):
        assert np.abs(quarter - whole[::2, ::2]).mean() < 5


def test_the_room_itself_goes_out_as_it_is() -> None:
    frame, _, _ = scene()
    shown = Chain(Room())(frame, everything(frame)).bgr
    assert np.array_equal(shown, frame.room_bgr)
    assert not np.shares_memory(shown, frame.room_bgr)
    assert (Chain(Room(), Look(view="matte"))(frame, everything(frame)).bgr == 255).all()


def test_blur_is_made_from_the_same_matte() -> None:
    frame, coarse, alpha = scene()
    composed = Chain(open_background("blur"))(frame, coarse).bgr.astype(int)
    assert np.abs(composed[alpha == 0] - ROOM).max() < 20
    assert np.array_equal(composed[120, 160], frame.room_bgr[120, 160])


def test_the_stages_names_are_known_to_the_benchmark() -> None:
    first, *rest = STAGES
    assert first == "temporal_filter"
    assert rest == [
        "room_memory",
        "room_plate",
        "framing",
        "edge",
        "background",
        "guided_filter",
        "key",
        "light_match",
        "foreground",
        "despill",
        "light_wrap",
    ]


def test_a_look_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="view must be one of"):
        Look(view="x-ray")


class Frames:
    """A source of still frames that brighten; `Pipeline` reads it."""

    name, fps, live, drops, frames, size_wh = "frames", 30.0, False, 0, 24, (320, 240)
    note, notice = "", ""

    def __init__(self) -> None:
        self._number = 0

    def read(self) -> CameraFrame | None:
        number, self._number = self._number, self._number + 1
        return self.frame(number) if number < self.frames else None

    def close(self) -> None:
        pass

    @staticmethod
    def frame(number: int) -> CameraFrame:
        bgr = np.clip(scene()[0].room_bgr.astype(int) + number, 0, 255).astype(np.uint8)
        return CameraFrame(number, bgr, number / 30, 0.0)

    @staticmethod
    def matte(frame: CameraFrame) -> CoarseMatte:
        alpha = scene()[1].alpha
        noise = np.random.default_rng(frame.number).normal(0, 0.2, alpha.shape) * alpha * (1 - alpha)
        seen = np.asarray(cv2.resize(frame.room_bgr, alpha.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        return CoarseMatte(frame.number, np.clip(alpha + noise, 0, 1).astype(np.float32), seen)


class Kept(File):
    name = "kept"

    def __init__(self) -> None:
        self.pictures: list[NDArray[np.uint8]] = []

    def write(self, frame: ComposedFrame) -> None:
        self.pictures.append(frame.bgr)


def test_mattes_that_several_workers_make_are_steadied_in_order() -> None:
    alone = Chain(blue())
    expected = [alone(frame, Frames.matte(frame)).bgr for frame in map(Frames.frame, range(24))]

    def slow_matte(frame: CameraFrame) -> CoarseMatte:
        time.sleep(0.004 * (frame.number % 3 == 0))
        return Frames.matte(frame)

    sink = Kept()
    Pipeline(Frames(), slow_matte, Chain(blue()), depth=3, workers=3).run([sink])
    assert len(sink.pictures) == 24
    assert all(np.array_equal(a, b) for a, b in zip(sink.pictures, expected, strict=True))
