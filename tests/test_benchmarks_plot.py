"""`python -m bgcam.benchmarks plot`: both figures in one run, and a picture whose labels can all be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from clips import write_clip

from bgcam.benchmarks import plot, plot_picture
from bgcam.benchmarks.__main__ import main
from bgcam.benchmarks.picture_scenes import Cutout
from bgcam.benchmarks.plot import time_loops
from bgcam.benchmarks.plot_picture import Box, Point, draw_points, free_place
from bgcam.benchmarks.room_scenes import RoomFrame, Scene, draw

PEERS = '''
"""Bright is a person."""
import numpy as np
SPECS = {"rvm": {}, "new": {}}
class Peer:
    def __init__(self, name, threads=2):
        assert threads == 1
        self.state = {}
    def reset(self):
        pass
    def __call__(self, rgb):
        return (rgb[..., 1] > 128).astype(np.float32)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small scenes, a clip to time, and two peers."""
    room = np.full((96, 160, 3), 60, np.uint8)
    alpha = np.zeros((80, 90), np.float32)
    cv2.ellipse(alpha, (45, 82), (30, 64), 0, 0, 360, 1.0, -1)
    monkeypatch.setattr("bgcam.benchmarks.room_scenes.SIZE_WH", (160, 96))

    def frames(count: int, empty: int, height: float) -> Iterator[RoomFrame]:
        person = [Cutout(np.full((80, 90, 3), 250, np.uint8), alpha)]
        return draw(room, person, motion="sits", count=count, empty=empty, seed=0, height=height)

    scenes = [Scene(name, "somebody", "sits", frames) for name in ("a", "b")]
    monkeypatch.setattr("bgcam.benchmarks.room_scenes.scenes", lambda shared: scenes)
    (tmp_path / "peers.py").write_text(PEERS)
    write_clip(tmp_path / "clip.mp4", frames=3)
    return tmp_path


def arguments(folder: Path, model: Path, *more: str) -> list[str]:
    given = ["--peers", str(folder), "--input", str(folder / "clip.mp4"), "--size", "96x64", "--model", str(model)]
    given += ["--frames", "3", "--warm-up", "1", "--timed", "2", "--rounds", "1"]
    return ["plot", *given, "--output", str(folder / "quality.png"), *more]


def test_one_command_measures_and_draws(
    folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Point] = []
    monkeypatch.setattr(plot, "draw_points", lambda points, **more: drawn.extend(points) or draw_points(points, **more))
    assert main(arguments(folder, tiny_model, "--json", str(folder / "quality.json"))) == 0
    assert [(one.label, one.ours) for one in drawn] == [
        ("bgcam tiny", True),
        ("RobustVideoMatting", False),
        ("new", False),
    ]
    found = json.loads((folder / "quality.json").read_text())
    networks = {one["network"]: one for one in found["networks"]}
    assert all(one["cpu_ms"] > 0 for one in networks.values())
    assert networks["new"]["mad"] == networks["RobustVideoMatting"]["mad"]
    assert 0 < networks["new"]["mad"] <= networks["new"]["mad_worst"]
    assert {"machine", "commit", "scenes", "rounds", "size"} <= set(found)
    assert cv2.imread(str(folder / "quality.png")).shape == (800, 1200, 3)
    out = capsys.readouterr().out
    assert "| network | MAD in rooms, mean / worst | CPU ms a frame |" in out
    assert "| bgcam tiny |" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--warm-up", "2"], "--warm-up 2 of 3 frames: leave at least 2 to score"),
        (["--every", "0"], "--every 0: give 1 or more"),
        (["--output", "quality.jpg"], "--output quality.jpg: give a name that ends in .png"),
        (["--output", "no/such/quality.png"], "there is no such folder"),
        (["--json", "no/such/quality.json"], "there is no such folder"),
        (["--background", "blur"], "not a still picture"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_leaves_no_file(
    folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(arguments(folder, tiny_model, *options)) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (folder / "quality.png").exists()


def test_processor_time_is_the_median_over_rounds_without_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s, calls = [0.0], {"a": 0, "b": 0}
    seen: dict[str, list[int]] = {"a": [], "b": []}

    def loop(name: str, costs_s: list[float]) -> Any:
        def one(bgr: Any, number: int) -> Any:
            seen[name].append(number)
            in_round = max(0, calls[name] - plot.WARM_UP_FRAMES) // 2
            clock_s[0] += 9.0 if calls[name] < plot.WARM_UP_FRAMES else costs_s[in_round]
            calls[name] += 1
            return bgr

        return one

    monkeypatch.setattr(plot, "time", SimpleNamespace(process_time=lambda: clock_s[0]))
    loops = {"a": loop("a", [0.010, 0.090, 0.012]), "b": loop("b", [0.001, 0.002, 0.003])}
    picture = np.zeros((2, 2, 3), np.uint8)
    found = time_loops(loops, [picture, picture], rounds=3)
    assert found == pytest.approx({"a": 12.0, "b": 2.0})
    assert seen["a"] == [*range(plot.WARM_UP_FRAMES + 6)], "the chain wants its frames in order"


def crowd(seed: int) -> list[Point]:
    random = np.random.default_rng(seed)
    ours = [("bgcam fast", True), ("bgcam resnet50_half", True), ("bgcam light", True)]
    names = [*ours, *((name, False) for name in plot.LABELS.values())]
    return [
        Point(name, float(np.exp(random.uniform(1.5, 4.2))), float(random.uniform(12, 45)), one) for name, one in names
    ]


def area(one: Box, other: Box) -> float:
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)


@pytest.mark.parametrize("seed", range(2))
def test_labels_cover_neither_each_other_nor_points_and_nothing_is_cut_off(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, boxes, at_px = crowd(seed), [], []
    place = plot_picture.place_labels

    def spy(axes: Any, given: Any) -> Any:
        boxes.extend(place(axes, given))
        at_px.extend(axes.transData.transform([(one.cpu_ms, one.mad) for one in given]).tolist())
        return boxes

    monkeypatch.setattr(plot_picture, "place_labels", spy)
    png = draw_points(points, subtitle="4 rooms")
    assert len(boxes) == len(points)
    assert [one for one in combinations(boxes, 2) if area(*one) > 0] == []
    assert [box for box in boxes for x, y in at_px if area(box, (x - 4, y - 4, x + 4, y + 4)) > 0] == []
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (800, 1200, 3)
    border = np.concatenate(
        [picture[:6].ravel(), picture[-6:].ravel(), picture[:, :6].ravel(), picture[:, -6:].ravel()]
    )
    assert border.min() == 255, "something is cut off at the border"
    assert picture.mean() > 230, "the background is light"


def test_the_nearest_free_place_is_taken() -> None:
    inside = (0.0, 0.0, 400.0, 400.0)
    at, size = (200.0, 200.0), (80.0, 20.0)
    right, box = free_place(at, size, [], inside)
    assert right[0] > 0
    assert right[1] == -10
    left, _ = free_place(at, size, [box], inside)
    assert left[0] < -80
    below_the_top, box = free_place((200.0, 399.0), size, [(0, 350, 190, 400), (210, 350, 400, 400)], inside)
    assert below_the_top[1] < 0
    assert box[3] <= 400
