"""Mattes before rooms that stand still: the scenes, the figures, and the command."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from bgcam.benchmarks import room_scenes, rooms
from bgcam.benchmarks.__main__ import main
from bgcam.benchmarks.clips import Contender
from bgcam.benchmarks.picture_scenes import SIZE_WH, Cutout
from bgcam.benchmarks.room_scenes import MOTIONS, PORTRAITS, ROOMS, Person, draw, exposure, scenes
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.model.matting import Matting
from bgcam.train.data import in_validation
from bgcam.train.recipes import BEST

SPEAKER = "grid_brbk7n"


def figure() -> Cutout:
    """A bright head and shoulders, 90x80."""
    alpha = np.zeros((80, 90), np.float32)
    cv2.circle(alpha, (45, 30), 16, 1.0, -1)
    cv2.ellipse(alpha, (45, 82), (30, 34), 0, 0, 360, 1.0, -1)
    return Cutout(np.full((80, 90, 3), 255, np.uint8), alpha)


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """Two grey rooms and a keyed speaker that training holds out, small pictures that take no time."""
    monkeypatch.setattr(room_scenes, "SIZE_WH", (160, 96))
    monkeypatch.setattr(rooms, "SIZE_WH", (160, 96))
    for folder in ("data/backgrounds", "data/keyed/images", "data/keyed/masks"):
        (tmp_path / folder).mkdir(parents=True)
    for at, room in enumerate(ROOMS[:2]):
        bgr = np.random.default_rng(at).integers(95, 115, (96, 160, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"data/backgrounds/{room}.webp"), bgr)
    one = figure()
    for at in range(2):
        screen = np.where(one.alpha[..., None] > 0, one.bgr, np.array([200, 30, 20], np.uint8))
        cv2.imwrite(str(tmp_path / f"data/keyed/images/{SPEAKER}_{at:04}.webp"), screen)
        cv2.imwrite(str(tmp_path / f"data/keyed/masks/{SPEAKER}_{at:04}.png"), (255 * one.alpha).astype(np.uint8))
    return tmp_path


def test_all_rooms_and_portraits_are_held_out_from_training() -> None:
    assert len(set(ROOMS)) >= 20
    assert all(in_validation(name, BEST.validation_share) for name in ROOMS + PORTRAITS)


def test_only_speakers_that_training_holds_out_appear(shared) -> None:
    for folder, suffix in (("images", "webp"), ("masks", "png")):
        seen_in_training = shared / f"data/keyed/{folder}/grid_bbaf2n_0000.{suffix}"
        seen_in_training.write_bytes((shared / f"data/keyed/{folder}/{SPEAKER}_0000.{suffix}").read_bytes())
    assert [scene.person for scene in scenes(shared, held_out=True)] == [SPEAKER, SPEAKER]


def test_every_person_moves_in_every_way(monkeypatch, tmp_path) -> None:
    people = [Person(str(at), lambda: [figure()]) for at in range(6)]
    monkeypatch.setattr(room_scenes, "find_people", lambda shared, clips: people)
    (tmp_path / "data/backgrounds").mkdir(parents=True)
    for room in ROOMS:
        (tmp_path / f"data/backgrounds/{room}.webp").touch()
    found = {(scene.person, scene.motion) for scene in scenes(tmp_path)}
    assert found == {(person.name, motion) for person in people for motion in MOTIONS}


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_person_moves_and_comes_back_while_the_room_stands_still(motion) -> None:
    room = np.random.default_rng(0).integers(40, 120, (96, 160, 3), np.uint8)
    frames = list(draw(room, [figure()], motion=motion, count=150, seed=1))
    lefts = np.array([float(np.flatnonzero(one.alpha[:60].max(0) > 0.5)[0]) for one in frames])
    assert (np.ptp(lefts) > 3) == (motion != "sits")
    assert abs(lefts[120] - lefts[0]) < (2 if motion != "sways" else 12)
    corners = [one.frame.room_bgr[:10, :10].mean() for one in frames]
    assert np.ptp(corners) > 8, "exposure does not change"
    # But for the exposure, the noise and the blocks, the corner is the room's.
    gains = [corner / room[:10, :10].mean() for corner in corners]
    assert np.std(np.diff(gains)) < 0.06
    assert all(0.75 < gain < 1.15 for gain in gains)


def test_a_leaning_person_is_not_cut_off_above_the_lower_edge() -> None:
    room = np.zeros((96, 160, 3), np.uint8)
    for one in draw(room, [figure()], motion="leans", count=120, seed=0):
        columns = np.flatnonzero(one.alpha[-8] > 0.5)
        assert (one.alpha[-1, columns] > 0.5).mean() > 0.9


def test_the_same_seed_draws_the_same_frames() -> None:
    room = np.full((96, 160, 3), 60, np.uint8)
    first, again = (list(draw(room, [figure()], motion="sways", count=3, seed=4)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.frame.room_bgr, other.frame.room_bgr)
        np.testing.assert_array_equal(one.alpha, other.alpha)


def test_the_empty_room_may_be_shown_before() -> None:
    room = np.repeat(np.repeat(np.random.default_rng(0).integers(40, 120, (6, 10, 3), np.uint8), 16, 0), 16, 1)
    frames = list(draw(room, [figure()], motion="sits", count=3, seed=4, empty=5))
    assert [one.frame.number for one in frames] == list(range(8))
    assert [bool(one.alpha.any()) for one in frames] == [False] * 5 + [True] * 3
    assert np.corrcoef(frames[2].frame.room_bgr.ravel(), room.ravel())[0, 1] > 0.8


def test_exposure_pumps_and_recovers() -> None:
    gains = np.array([exposure(at, 0.0) for at in range(140)])
    assert np.diff(gains).min() < -0.03
    assert gains.max() < 1.06
    assert gains.min() > 0.79


def truth_and_far() -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((40, 80), np.float32)
    truth[:, :20] = 1
    return truth, rooms.far_room(truth)


def test_far_room_leaves_out_the_person_and_a_fortieth_of_the_width() -> None:
    _, far = truth_and_far()
    assert not far[:, :22].any()
    assert far[:, 22:].all()


def test_what_shows_is_a_share_of_the_far_room() -> None:
    truth, far = truth_and_far()
    tally, alpha = rooms.Tally(), truth.copy()
    alpha[:, 20:22] = 1  # near the person: an error, not the room shown
    alpha[:4, 22:] = 0.3
    alpha[4:, 22:] = 0.19
    for _ in range(2):
        tally.add(alpha, truth, far)
    found = tally.figures()
    assert found["shown"] == pytest.approx(100)
    assert found["flips"] == found["boil"] == 0
    assert found["mad"] > 0


def test_flips_are_changes_of_what_shows_and_boil_their_share_of_it() -> None:
    truth, far = truth_and_far()
    tally, on = rooms.Tally(), truth.copy()
    on[:4, 22:] = 1
    for alpha in (on, truth, on):
        tally.add(alpha, truth, far)
    found = tally.figures()
    assert found["flips"] == pytest.approx(100)
    assert found["boil"] == pytest.approx(2)
    assert found["shown"] == pytest.approx(1000 * 2 / 3 / 10)


def test_a_place_that_a_person_leaves_is_no_flip() -> None:
    truth, far = truth_and_far()
    empty = np.zeros_like(truth)
    tally = rooms.Tally()
    tally.add(truth, truth, far)
    tally.add(empty, empty, rooms.far_room(empty))
    assert tally.figures()["flips"] == 0


def test_frames_of_the_warm_up_are_seen_but_not_scored() -> None:
    truth, _ = truth_and_far()
    seen = []

    def alpha_of(frame: CameraFrame) -> np.ndarray:
        seen.append(frame.number)
        return truth if frame.number >= 2 else 1 - truth

    frames = (
        room_scenes.RoomFrame(CameraFrame(at, np.zeros((40, 80, 3), np.uint8), 0.0, 0.0), truth) for at in range(4)
    )
    (tally,) = rooms.score(frames, [Contender("late", lambda size_wh: alpha_of)], warm_up=2)
    assert seen == [0, 1, 2, 3]
    assert tally.figures()["mad"] == 0


def test_the_summary_names_the_worst_room() -> None:
    sums = {"flipped_px": 1, "followed_shown_px": 4, "lag_under": 10}
    rows = [
        {"model": "m", "room": room, **dict.fromkeys(rooms.FIGURES, value), **sums, "lag_over": value}
        for room, value in (("a", 1.0), ("b", 3.0))
    ]
    (found,) = rooms.summaries(rows)
    assert (found["shown"], found["shown_worst"], found["shown_worst_room"]) == (2.0, 3.0, "b")
    assert found["boil"] == 0.25
    assert found["ghost"] == pytest.approx(0.2)


def test_the_command_scores_models_on_the_same_frames(shared, tiny_model, capsys) -> None:
    command = ["rooms", "--shared", str(shared), "--held-out", "--model", str(tiny_model), "--frames", "4"]
    assert main([*command, "--warm-up", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["room"] for row in found["rows"]] == list(ROOMS[:2])
    (network,) = found["networks"]
    assert 0 <= network["mad"] < 120  # bright is person, and the person is bright
    assert main([*command, "--warm-up", "1", "--every", "2", "--scenes"]) == 0
    out = capsys.readouterr().out
    assert "| network | mad | grad | dtssd | shown | flips | boil | ghost | network |" in out
    assert ROOMS[0] in out
    assert ROOMS[1] not in out


def test_the_half_rate_is_scored_beside_the_full_one(shared, tiny_model, capsys, monkeypatch) -> None:
    ran: list[int] = []
    infer = Matting.infer

    def counting(self, frame, seen_bgr):
        ran.append(frame.number)
        return infer(self, frame, seen_bgr)

    monkeypatch.setattr(Matting, "infer", counting)
    command = ["rooms", "--shared", str(shared), "--held-out", "--model", str(tiny_model), "--frames", "4"]
    assert main([*command, "--warm-up", "1", "--every", "2", "--half-rate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["model"] for one in found["networks"]] == ["tiny", "tiny, half rate"]
    assert ran.count(0) == ran.count(2) == 2
    assert ran.count(1) + ran.count(3) < 4
    (half,) = [row for row in found["rows"] if row["model"] == "tiny, half rate"]
    assert half["network"] == len(ran) / 4 - 1


def test_people_of_several_heights_are_scored_with_the_crop_and_without(shared, tiny_model, capsys) -> None:
    command = ["rooms", "--shared", str(shared), "--held-out", "--model", str(tiny_model), "--frames", "6"]
    command += ["--warm-up", "1", "--every", "2", "--crop", "--height", "0.3", "0.9", "--json"]
    assert main(command) == 0
    found = {one["model"]: one for one in json.loads(capsys.readouterr().out)["networks"]}
    assert list(found) == [f"tiny{crop}, height {share}" for share in ("0.3", "0.9") for crop in ("", ", crop")]
    assert found["tiny, height 0.3"]["network"] == found["tiny, height 0.9"]["network"] == 1
    # Near, the person is seen whole; small, through a crop, in which the network finds finer edges.
    assert found["tiny, crop, height 0.9"]["mad"] == found["tiny, height 0.9"]["mad"]
    assert found["tiny, crop, height 0.3"]["mad"] != found["tiny, height 0.3"]["mad"]


def test_a_person_has_the_height_that_is_asked_for() -> None:
    room = np.zeros((96, 160, 3), np.uint8)
    for height in (0.25, 0.5):
        (one,) = draw(room, [figure()], motion="sits", count=1, seed=0, height=height)
        assert (one.alpha > 0.5).any(1).sum() == pytest.approx(96 * height, abs=3)


def test_training_weights_run_in_the_chain(shared, tiny_model, tmp_path, monkeypatch, capsys) -> None:
    import onnx

    from bgcam.export import onnx_file
    from bgcam.train.checkpoint import Checkpoint, save_weights
    from bgcam.train.network import FAST, MatteNet

    exported = []
    monkeypatch.setattr(onnx_file, "to_onnx", lambda loaded: exported.append(loaded) or onnx.load(str(tiny_model)))
    weights = tmp_path / "runs" / "mine.safetensors"
    weights.parent.mkdir()
    save_weights(weights, Checkpoint(FAST, MatteNet(FAST).state_dict(), step=7))
    command = ["rooms", "--shared", str(shared), "--held-out", "--frames", "2", "--warm-up", "0", "--every", "2"]
    assert main([*command, "--weights", str(weights)]) == 0
    assert [loaded.step for loaded in exported] == [7]
    assert "| runs/mine.safetensors |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--warm-up", "3", "--frames", "4"], "--warm-up 3 of 4 frames: leave at least 2 to score"),
        (["--every", "0"], "--every 0: give 1 or more"),
        (["--height", "0.5", "0.05"], "--height 0.05: give shares of the picture's height, 0.1 to 1"),
        (["--without", "colour"], "--without colour: no such stage; there are temporal_filter"),
        (["--held-out", "--weights", "missing.pt"], "missing.pt"),
        ([], "no such folder; give --shared"),  # the clips, without --held-out
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(shared, capsys, extra, message) -> None:
    assert main(["rooms", "--shared", str(shared), *extra]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_without_rooms_is_named(tmp_path, capsys) -> None:
    assert main(["rooms", "--shared", str(tmp_path)]) == 1
    assert "none of the held-out rooms" in capsys.readouterr().err
    assert SIZE_WH == (640, 360)
