"""The presenter: the person small in front of a whole background, at every size, without a trace of the room."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Run
from faults import UNPLUGGED
from hypothesis import given
from hypothesis import strategies as st
from live_run import LEVELS, LiveRun
from numpy.typing import NDArray
from picture_scenes import PERSON, disc, scene
from waiting import wait_for

from bgcam.realtime.backgrounds.blur import Blur, Room
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.errors import BackendError, UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.gpu.select import stages_for
from bgcam.realtime.look import PLACES, SMALLEST_SHARE, Look, Presenter
from bgcam.realtime.picture import native
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.presenter import box_of, paste, presenter_reference
from bgcam.realtime.settings import Settings
from bgcam.realtime.settings.config import read_config
from bgcam.realtime.settings.layers import choose

CORNER = Presenter(1, 1, 0.35)
FAULTS = ["inference fails", "matte is all one", "matte is NaN", UNPLUGGED]


def noise(size_wh: tuple[int, int], seed: int = 1) -> NDArray[np.uint8]:
    """A background whose every pixel tells whether it was scaled."""
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)


def shown(look: Look, *, background: Any = None, **options: Any) -> NDArray[np.int_]:
    frame, coarse, _ = scene(**options)
    return Chain(background or Still("noise", noise(frame.size_wh)), look)(frame, coarse).bgr.astype(int)


@given(
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    size=st.floats(SMALLEST_SHARE, 1),
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
)
def test_the_small_picture_lies_in_the_frame(x: float, y: float, size: float, width: int, height: int) -> None:
    rows, columns = box_of(Presenter(x, y, size), (width, height))
    for part, side, middle in ((rows, height, y), (columns, width, x)):
        assert 0 <= part.start < part.stop <= side
        assert abs((part.stop - part.start) - side * size) <= 1
        moved = (part.start + part.stop) / 2 - middle * side
        assert abs(moved) <= 1 or part.start == 0 or part.stop == side


def test_corners_are_flush_and_what_would_leave_the_frame_is_moved_inside() -> None:
    boxes = {name: box_of(Presenter(*place, 0.5), (100, 60)) for name, place in PLACES.items()}
    assert boxes["top-left"] == (slice(0, 30), slice(0, 50))
    assert boxes["bottom-right"] == (slice(30, 60), slice(50, 100))
    assert boxes["bottom"] == (slice(30, 60), slice(25, 75))
    assert box_of(Presenter(0.9, 0.1, 0.5), (100, 60)) == (slice(0, 30), slice(50, 100))
    for wrong in ((-0.1, 0, 0.5), (0, 1.1, 0.5), (0, 0, 0.05), (0, 0, 1.5)):
        with pytest.raises(ValueError, match="presenter"):
            Presenter(*wrong)


@pytest.mark.parametrize("size_wh", [(64, 48), (63, 41), (7, 5), (1, 1), (2, 99)])
@pytest.mark.parametrize("size", [0.1, 0.29, 0.35, 0.5, 0.77, 1.0])
def test_it_is_the_plain_formula_within_two_grey_levels(size_wh: tuple[int, int], size: float) -> None:
    random_bytes = np.random.default_rng(7)
    alpha = random_bytes.random(size_wh[::-1], np.float32)
    person = np.rint(noise(size_wh, 2) * alpha[..., None]).astype(np.uint8)
    background = noise(size_wh, 3)
    box = box_of(Presenter(0.8, 0.3, size), size_wh)
    found = paste(person, alpha, background, box)
    expected = presenter_reference(person, alpha, background, box)
    assert found.shape == background.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2
    outside = np.ones(size_wh[::-1], bool)
    outside[box] = False
    assert (found[outside] == background[outside]).all()
    assert np.array_equal(background, noise(size_wh, 3))
    with pytest.raises(ValueError, match="sizes differ"):
        paste(person[1:], alpha, background, box)


@pytest.mark.parametrize("size", [0.1, 0.23, 0.35, 0.5, 0.81])
@pytest.mark.parametrize("compiled", [True, False])
def test_the_person_is_small_the_background_whole_and_nothing_of_the_room_is_there(
    size: float, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(native, "LIBRARY", None)
    elif native.LIBRARY is None:
        pytest.skip("the C stages are not compiled")
    size_wh = (321, 239)  # before a green room
    presenter = Presenter(0.7, 0.4, size)
    background = Still("grey", np.full((1, 1, 3), 100, np.uint8))
    picture = shown(Look(presenter=presenter), background=background, size_wh=size_wh)
    box = box_of(presenter, size_wh)
    # What a person without a room would give.
    alpha = disc(239, 321, radius=0.3 * 239)
    alone = np.rint(PERSON * alpha[..., None]).astype(np.uint8)
    expected = presenter_reference(alone, alpha, np.full((239, 321, 3), 100, np.uint8), box).astype(int)
    outside = np.ones(size_wh[::-1], bool)
    outside[box] = False
    assert (picture[outside] == 100).all()
    assert np.abs(picture - expected).max() < 25
    # Person and background have no green above their own 100: a halo of the room, 200, would show.
    assert picture[..., 1].max() <= 104
    middle = (box[0].start + box[0].stop) // 2, (box[1].start + box[1].stop) // 2
    assert np.abs(picture[middle] - PERSON).max() <= 2


def test_the_background_is_not_scaled() -> None:
    frame_wh = (320, 240)
    picture = shown(Look(presenter=CORNER))
    box = box_of(CORNER, frame_wh)
    outside = np.ones(frame_wh[::-1], bool)
    outside[box] = False
    assert (picture[outside] == noise(frame_wh)[outside]).all()
    assert (picture[box][0, 0] == noise(frame_wh)[box][0, 0]).all()  # the corner of the box is transparent


def test_at_full_size_it_is_the_usual_picture() -> None:
    assert np.array_equal(shown(Look(presenter=Presenter(0, 0, 1))), shown(Look()))


@pytest.mark.parametrize(
    ("frame_wh", "network_wh"),
    [((1, 1), (1, 1)), ((333, 251), (96, 64)), ((64, 48), (320, 240)), ((90, 160), (48, 64))],
)
def test_any_sizes_and_every_other_stage(frame_wh: tuple[int, int], network_wh: tuple[int, int]) -> None:
    for size in (0.1, 0.5):
        look = Look(edge_steps=-1, sharp_steps=1, wrap=5, match=5, frame="follow", presenter=Presenter(0.5, 1, size))
        assert shown(look, size_wh=frame_wh, network_wh=network_wh).shape == (*frame_wh[::-1], 3)
    assert (
        shown(replace(look, view="side-by-side"), size_wh=frame_wh, network_wh=network_wh).shape[:2] == frame_wh[::-1]
    )


def test_following_frames_the_person_in_the_small_picture() -> None:
    def person(look: Look) -> NDArray[np.bool_]:
        black = Still("black", np.zeros((1, 1, 3), np.uint8))
        picture: NDArray[np.bool_] = shown(look, background=black)[..., 2] > 150
        return picture[box_of(CORNER, (320, 240))]

    whole, follows = (person(Look(presenter=CORNER, frame=frame)) for frame in ("whole", "follow"))
    assert follows.sum() > 1.1 * whole.sum()


def test_the_light_is_that_of_where_the_person_stands() -> None:
    def red(x: float) -> float:
        bright = np.zeros((240, 320, 3), np.uint8)
        bright[:, 160:] = (0, 0, 255)
        look = Look(wrap=10, presenter=Presenter(x, 0.5, 0.4))
        before, after = (shown(one, background=Still("half", bright)) for one in (replace(look, wrap=0), look))
        box = box_of(Presenter(x, 0.5, 0.4), (320, 240))
        return float((after - before)[box][..., 2].mean())

    assert abs(red(0)) < 0.2
    assert red(1) > 0.5


@pytest.mark.parametrize("room", [Blur(), Room()])
def test_in_front_of_their_own_room_the_person_has_full_size(room: Any) -> None:
    assert np.array_equal(shown(Look(presenter=CORNER), background=room), shown(Look(), background=room))


def test_the_gpu_path_says_that_it_cannot() -> None:
    background = Still("blue", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(BackendError, match="the GPU path does not support --presenter; leave it out"):
        stages_for(Look(presenter=CORNER), background)
    stages_for(Look(presenter=CORNER), Blur())
    stages_for(Look(crossfade_s=1), background)


def place_of_person(bgr: NDArray[np.uint8]) -> tuple[float, float, float]:
    """The middle of what is green, as shares of the frame, and its share of the pixels."""
    rows, columns = np.nonzero(bgr[..., 1] > 100)
    assert len(rows)
    return float(columns.mean() / bgr.shape[1]), float(rows.mean() / bgr.shape[0]), len(rows) / bgr[..., 1].size


def test_it_changes_during_a_call_and_goes_with_the_mirror() -> None:
    def presented(x: float, y: float) -> Any:
        return lambda look: replace(look, presenter=Presenter(x, y, 0.5))

    with LiveRun() as run:
        full = place_of_person(run.sink.pictures[-1])[2]
        seen = []
        for x, y, mirror in ((0, 0, False), (1, 1, False), (1, 1, True), (0, 0, True)):
            run.live.change(look=presented(x, y), mirror=mirror)
            run.frames()
            seen.append(place_of_person(run.sink.pictures[-1]))
        assert all(abs(share - full / 4) < 0.03 for _, _, share in seen)
        # The person is the left third of the camera's picture.
        assert [round(x * 12) for x, _, _ in seen] == [1, 7, 11, 5]
        assert [round(y * 4) for _, y, _ in seen] == [1, 3, 3, 1]
        run.live.change(look=lambda look: replace(look, presenter=None), mirror=False)
        run.frames()
        assert place_of_person(run.sink.pictures[-1])[2] == pytest.approx(full, abs=0.02)
        assert run.file.numbers == list(range(len(run.file.numbers)))
        assert not run.sink.leaks + run.file.leaks


def test_before_the_room_it_is_refused_and_on_the_way_to_it_the_person_is_full_size() -> None:
    with LiveRun(begins_with="blur") as run:
        for background in (None, "none"):
            with pytest.raises(
                UsageError, match=r"presenter needs a background that is not your room, unlike (blur|none)"
            ):
                run.live.change(
                    look=lambda look: replace(look, presenter=CORNER), background=background, confirm_room=True
                )
        run.live.change(look=lambda look: replace(look, presenter=CORNER), background="blue")
        run.frames()
        small = place_of_person(run.sink.pictures[-1])[2]
        run.live.change(background="blur")
        run.frames()
        assert run.live.scene.look.presenter == CORNER
        run.live.change(background="navy")
        run.frames()
        assert place_of_person(run.sink.pictures[-1])[2] == pytest.approx(small, abs=0.01)
        assert run.sink.blue == LEVELS["navy"]


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_fails_the_room_is_not_shown_and_the_placeholder_has_no_person(fault: str) -> None:
    with LiveRun(look=Look(presenter=CORNER)) as run:
        run.faults.set(fault)
        run.placeholder()
        run.faults.set("")
        wait_for(lambda: run.sink.person)
        assert not run.sink.leaks + run.file.leaks


def test_no_pixel_of_the_secret_room_at_any_place_and_size() -> None:
    chosen = random.Random(11)
    worst: list[int] = []
    with LiveRun(fps=0) as run:
        for _ in range(60):
            place = Presenter(chosen.random(), chosen.random(), chosen.uniform(SMALLEST_SHARE, 1))
            look = Look(
                presenter=chosen.choice([place, place, None]),
                frame=chosen.choice(["whole", "follow"]),
                wrap=chosen.choice([0, 8]),
                crossfade_s=chosen.choice([0, 0.5]),
            )
            run.live.change(
                look=lambda before, look=look: look,  # type: ignore[misc]
                background=chosen.choice([None, "blue", "navy"]),
                mirror=chosen.random() < 0.5,
            )
            run.frames(1)
            picture = run.sink.pictures[-1]
            if look.presenter is not None:
                outside = np.ones(picture.shape[:2], bool)
                outside[box_of(look.presenter, (picture.shape[1], picture.shape[0]))] = False
                assert not picture[outside][:, 1:].any()  # the background alone: neither person nor room
                worst.append(int(picture[..., 2].max()))
        assert max(worst) < 60  # of the room's 170 to 255
        assert not run.sink.leaks + run.file.leaks
        assert run.watch.replaced == 0


def test_on_the_command_line_it_needs_a_background_that_is_not_the_room(bgcam: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "out.png")
    for more in ((), ("--background", "blur:3"), ("--background", "none")):
        code, _, err = bgcam("-i", "clip.mp4", "-o", out, "--presenter", "bottom-right", *more)
        assert code == 2
        assert err.startswith("bgcam: presenter needs a background that is not your room, unlike ")
        assert err.count("\n") == 1
    code, _, err = bgcam("-i", "a.png", "-o", out, "-b", "transparent", "--presenter", "left")
    assert code == 2
    assert "--presenter needs a background to show" in err


def test_a_configured_presenter_gives_way_to_the_blur_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('background = "beach"\npresenter = "bottom-right"\n')
    config = read_config(path)
    assert choose({}, config).settings.presenter == "bottom-right"
    for background in ("blur:8", "none", "transparent"):
        found = choose({"background": background}, config)
        assert found.settings.presenter == Settings().presenter
        assert found.origins["presenter"] == "command line, by background"
    assert choose({"background": "blur", "presenter": "left"}, config).settings.presenter == "left"


def test_nobody_is_just_the_background() -> None:
    frame = CameraFrame(0, noise((64, 48), 9), 0.0, 0.0)
    nobody = CoarseMatte(0, np.zeros((12, 16), np.float32), frame.room_bgr[::4, ::4].copy())
    picture = Chain(Still("noise", noise((64, 48))), Look(presenter=CORNER))(frame, nobody).bgr
    assert np.array_equal(picture, noise((64, 48)))
