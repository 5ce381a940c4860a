"""`python -m bgcam.benchmarks`: quality and fps, on small generated pictures and clips and the tiny model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bgcam.benchmarks import __main__ as command
from bgcam.benchmarks import fps, quality
from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.frames import ComposedFrame

FIGURES = {"iou", "miou", "dice", "l1", "mad", "mse", "sad", "grad", "conn", "n"}

PEERS = '''
"""Two networks: one calls everything a person; the other remembers, and is right only on its second look."""
import numpy as np
SPECS = {"all": {}, "second": {}}
class Peer:
    def __init__(self, name):
        self.name, self.state = name, {}
        self.reset()
    def reset(self):
        self.state = {"looks": 0} if self.name == "second" else {}
    def __call__(self, rgb):
        if self.name == "all":
            return np.ones(rgb.shape[:2], np.float32)
        self.state["looks"] += 1
        return (rgb[..., 0] > 128).astype(np.float32) * (self.state["looks"] == 2)
'''


def person_and_mask(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright block, a quarter of the picture, on a dark one; and where it is."""
    picture, mask = np.full((height, width, 3), 20, np.uint8), np.zeros((height, width), np.uint8)
    block = np.s_[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4]
    picture[block], mask[block] = 240, 255
    return picture, mask


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A landscape picture, an upright one and a wide one, each with its mask."""
    root = tmp_path / "photos"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for stem, (width, height) in {"a": (320, 240), "b": (360, 480), "c": (640, 360)}.items():
        picture, mask = person_and_mask(width, height)
        cv2.imwrite(str(root / "images" / f"{stem}.png"), picture)
        cv2.imwrite(str(root / "masks" / f"{stem}.png"), mask)
    return root


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> object:
    assert command.main([str(a) for a in arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_quality_json_of_the_model(photos: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "quality", photos, "--model", tiny_model, "--backend", "onnxruntime", "--json")
    assert isinstance(result, dict)
    assert set(result) == FIGURES | {"model", "backend", "set", "machine", "versions", "commit"}
    assert (result["n"], result["model"], result["set"]) == (3, "tiny", "photos")
    assert 98 < result["iou"] <= 100
    assert 0.98 < result["dice"] <= 1
    assert result["mad"] == pytest.approx(1000 * result["l1"])
    assert "ONNX Runtime" in result["backend"]


def test_quality_means_are_over_pictures(photos: Path) -> None:
    # The block is a quarter of each picture. Everything a person: iou 25 %, each picture alike whatever its size.
    # Its top half: the block's rows 1/4 ... 3/4 lose half: 50 %. L1: 1/8.
    def all_person(bgr: np.ndarray) -> np.ndarray:
        return np.ones(bgr.shape[:2], np.float32)

    def top_half(bgr: np.ndarray) -> np.ndarray:
        alpha = (bgr[..., 0] > 128).astype(np.float32)
        alpha[len(alpha) // 2 :] = 0
        return alpha

    contenders = [quality.Contender("all", "-", all_person), quality.Contender("half", "-", top_half)]
    all_scores, half_scores = quality.average_scores(contenders, quality.choose_pairs(photos))
    assert (all_scores["iou"], half_scores["iou"]) == pytest.approx((25, 50))
    assert (all_scores["l1"], half_scores["l1"]) == pytest.approx((0.75, 0.125))
    assert set(half_scores) == FIGURES


def test_quality_weighs_pictures_alike(photos: Path) -> None:
    # Right on the upright picture, everything on the others: (25 + 100 + 25) / 3.
    def right_upright(bgr: np.ndarray) -> np.ndarray:
        upright = bgr.shape[0] > bgr.shape[1]
        return (bgr[..., 0] > (128 if upright else 0)).astype(np.float32)

    (scores,) = quality.average_scores([quality.Contender("x", "-", right_upright)], quality.choose_pairs(photos))
    assert scores["iou"] == pytest.approx(50)


def test_quality_with_peers_lists_all(photos: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = photos.parent / "peers"
    folder.mkdir()
    (folder / "peers.py").write_text(PEERS, encoding="utf-8")
    arguments = ("quality", photos, "--model", tiny_model, "--backend", "onnxruntime", "--peers", folder)
    results = run_json(capsys, *arguments, "--json")
    assert isinstance(results, list)
    assert [one["model"] for one in results] == ["tiny", "all", "second"]
    assert [one["iou"] for one in results[1:]] == pytest.approx([25, 100])
    assert command.main([str(a) for a in arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "iou"
    assert [line.split()[0] for line in lines[1:]] == ["tiny", "all", "second"]
    assert lines[2].split()[1] == "25.00"


def test_quality_skips_and_names_what_it_cannot_use(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "images" / "a.png").write_bytes(b"not a picture")
    cv2.imwrite(str(photos / "masks" / "c.png"), np.zeros((10, 12), np.uint8))
    cv2.imwrite(str(photos / "images" / "alone.png"), np.zeros((4, 4, 3), np.uint8))
    contender = quality.Contender("x", "-", lambda bgr: (bgr[..., 0] > 128).astype(np.float32))
    (scores,) = quality.average_scores([contender], quality.choose_pairs(photos))
    assert (scores["n"], scores["iou"]) == (1, 100)
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped: ")]
    assert len(complaints) == 3
    assert any("alone.png" in line for line in complaints)
    assert any("a.png" in line and "not a readable picture" in line for line in complaints)
    assert any("640x360, but its mask is 12x10" in line for line in complaints)


def test_quality_limit_is_spread_over_the_folder(photos: Path) -> None:
    assert [pair.stem for pair in quality.choose_pairs(photos, limit=2)] == ["a", "c"]
    assert len(quality.choose_pairs(photos, limit=50)) == 3
    with pytest.raises(UsageError, match="--limit 0"):
        quality.choose_pairs(photos, limit=0)


def test_quality_without_pictures_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["quality", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("bgcam.benchmarks: ")
    assert "images/" in error
    assert len(error.splitlines()) == 1
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    with pytest.raises(SourceError, match="none is asked for"):
        quality.choose_pairs(tmp_path)


def test_quality_with_only_corrupt_pictures_fails(photos: Path) -> None:
    for path in (photos / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(SourceError, match="none of the pictures"):
        quality.average_scores(
            [quality.Contender("x", "-", lambda bgr: bgr[..., 0].astype(np.float32))], quality.choose_pairs(photos)
        )


def test_peers_folder_without_peers_py(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no peers\.py"):
        quality.peers(tmp_path)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five frames of 96x64, a bright block on a dark room."""
    path = tmp_path / "clip.mp4"
    picture, _ = person_and_mask(96, 64)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def test_fps_json(clip: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--model", tiny_model, "--backend", "onnxruntime", "--background", "#00ff00", "--frames", 12, "--json")
    result = run_json(capsys, "fps", "--input", clip, "--size", "128x96", *arguments)
    assert isinstance(result, dict)
    assert (result["frames"], result["size"], result["input"]) == (12, "128x96", "clip.mp4")
    assert (result["model"], result["background"]) == ("tiny", "#00ff00")
    assert result["clip_mib"] == pytest.approx(5 * 128 * 96 * 3 / 2**20, abs=0.05)
    assert result["fps"] > 0
    assert result["peak_rss_mib"] > 20
    assert list(result["stages_ms"]) == ["matte", "picture", "sinks"]
    for times in (*result["stages_ms"].values(), result["latency_ms"]):
        assert list(times) == ["median", "p95", "p99"]
        assert 0 <= times["median"] <= times["p95"] <= times["p99"]
    work_ms = result["stages_ms"]["matte"]["median"] + result["stages_ms"]["picture"]["median"]
    assert result["latency_ms"]["p99"] >= 0.5 * work_ms
    assert {"machine", "versions", "commit"} <= set(result)
    assert str(clip.parent) not in json.dumps(result)


def test_fps_for_people(clip: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["fps", "--input", str(clip), "--model", str(tiny_model), "--frames", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "clip.mp4 at 96x64, blur" in lines[0]
    assert [line.split()[0] for line in lines[2:6]] == ["matte", "picture", "sinks", "latency"]
    assert "fps over 4 frames" in lines[6]


def test_fps_leaves_out_the_warm_up(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 30 warm-up frames at 50 ms and 20 timed ones at 10 ms: at most 100 fps; with the warm-up in it, under 30.
    class SlowStart(fps.Clock):
        def write(self, frame: ComposedFrame) -> None:
            time.sleep(0.05 if frame.number < fps.WARM_UP_FRAMES else 0.01)
            super().write(frame)

    monkeypatch.setattr(fps, "Clock", SlowStart)
    pictures = [np.zeros((48, 64, 3), np.uint8)]
    result = fps.time_pipeline(pictures, fps=30, frames=20, model=str(tiny_model), background="black")
    assert 10 <= result["stages_ms"]["sinks"]["median"] < 45
    assert 30 < result["fps"] <= 100


def test_clip_loops_with_numbers_and_times_that_go_on() -> None:
    pictures = [np.full((2, 3, 3), level, np.uint8) for level in (1, 2)]
    source = fps.Clip(pictures, fps=10, count=5)
    frames = [source.read() for _ in range(6)]
    assert frames.pop() is None
    assert source.size_wh == (3, 2)
    assert [(f.number, f.time_s, int(f.room_bgr[0, 0, 0])) for f in frames if f] == [
        (0, 0.0, 1),
        (1, 0.1, 2),
        (2, 0.2, 1),
        (3, 0.3, 2),
        (4, 0.4, 1),
    ]


def test_decode_stops_at_the_limit_and_resizes(clip: Path) -> None:
    pictures, rate = fps.decode(str(clip), size_wh=(32, 16), limit=3)
    assert [one.shape for one in pictures] == [(16, 32, 3)] * 3
    assert rate == 20


def test_decode_refuses_pictures_of_different_sizes(photos: Path) -> None:
    with pytest.raises(SourceError, match="different sizes; give --size"):
        fps.decode(str(photos / "images"), limit=9)


def test_spread_by_hand() -> None:
    # 0 ... 100: percentile p lies at p.
    assert fps.spread(list(range(101))) == {"median": 50, "p95": 95, "p99": 99}


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--input", "nowhere.mp4"], 1, "nowhere.mp4"),
        (["--input", "CLIP", "--frames", "1"], 2, "--frames 1"),
        (["--input", "CLIP", "--background", "nosuch.jpg"], 1, "nosuch.jpg"),
        (["--input", "CLIP", "--model", "nosuch.onnx"], 1, "nosuch.onnx"),
        (["--input", "CLIP", "--backend", "abacus"], 2, "abacus"),
        (["--input", "CLIP", "--background", "none"], 2, "--background none"),
    ],
)
def test_fps_errors_are_one_line(
    arguments: list[str], status: int, says: str, clip: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [str(clip) if a == "CLIP" else a for a in arguments]
    model = [] if "--model" in arguments else ["--model", str(tiny_model)]
    assert command.main(["fps", *filled, *model]) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("bgcam.benchmarks: ")
    assert says in shown.err
    assert len(shown.err.splitlines()) == 1


def test_only_one_set_or_only_what_training_never_sees(tmp_path) -> None:
    from bgcam.train.data import in_validation

    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        for number in range(30):
            for prefix in ("coco", "selfie"):
                cv2.imwrite(str(tmp_path / kind / f"{prefix}_{number}.png"), np.zeros((8, 8), np.uint8))
    chosen = [pair.stem for pair in quality.choose_pairs(tmp_path, prefix="coco_", held_out=True)]
    assert chosen == sorted(f"coco_{n}" for n in range(30) if in_validation(f"coco_{n}", 0.1))
    assert 0 < len(chosen) < 15
    with pytest.raises(SourceError, match="none is asked for"):
        quality.choose_pairs(tmp_path, prefix="street_")
