"""`python -m bgcam.benchmarks picture`, on a small folder made here; and its figures on mattes with known faults."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import write_clip
from numpy.typing import NDArray

from bgcam.benchmarks import __main__ as command
from bgcam.benchmarks import picture, picture_scenes
from bgcam.benchmarks.picture import COLUMNS, variants
from bgcam.benchmarks.picture_scenes import Sample
from bgcam.benchmarks.picture_scores import Made, behind_picture, lag, noise_flicker, still_scores, tint_left
from bgcam.realtime.frames import CameraFrame, CoarseMatte

pytest.importorskip("pymatting", reason="pymatting, of the extra `train`, finds the true colours")


def person(height: int, width: int, *, left: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A bright block before a blue screen, and its mask."""
    bgr, mask = np.full((height, width, 3), (120, 30, 20), np.uint8), np.zeros((height, width), np.uint8)
    bgr[height // 4 :, left : left + width // 3], mask[height // 4 :, left : left + width // 3] = 235, 255
    return bgr, cv2.GaussianBlur(mask, (0, 0), 2)  # type: ignore[return-value]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The folders that the benchmark reads, with two or three small files in each."""
    for folder in ("data/keyed/images", "data/keyed/masks", "data/cutouts", "data/backgrounds", "clips"):
        (tmp_path / folder).mkdir(parents=True)
    for at in range(2):
        bgr, mask = person(96, 120, left=30 + 10 * at)
        cv2.imwrite(str(tmp_path / f"data/keyed/images/k{at}.webp"), bgr)
        cv2.imwrite(str(tmp_path / f"data/keyed/masks/k{at}.png"), mask)
        cv2.imwrite(str(tmp_path / f"data/cutouts/c{at}.webp"), np.dstack([bgr, mask]))
        cv2.imwrite(str(tmp_path / f"data/backgrounds/b{at}.webp"), np.full((90, 120, 3), 40 + 9 * at, np.uint8))
    for clip in ("d0_matte", "vretalk_4_matte"):
        (tmp_path / "clips" / clip).mkdir()
        with av.open(str(tmp_path / "clips" / clip / "rgb.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 120, 96, "yuv444p"
            for at in range(8):
                bgr, mask = person(96, 120, left=30 + 2 * at)
                cv2.imwrite(str(tmp_path / "clips" / clip / f"{at:04}.png"), mask)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
            container.mux(stream.encode(None))
    for clip in ("s32.mp4", "vretalk_4.mp4", "d0.mp4"):
        write_clip(tmp_path / "clips" / clip)
    return tmp_path


def test_the_table_has_a_row_for_each_variant(
    shared: Path,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (picture, picture_scenes):
        monkeypatch.setattr(module, "SIZE_WH", (192, 112))
    monkeypatch.setattr(picture, "TIMED_WH", (192, 112))
    written = tmp_path / "figures.json"
    given = ["picture", "--shared", shared, "--model", tiny_model, "--stills", 3, "--frames", 8, "--json", written]
    assert command.main([str(one) for one in given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(variants())
    assert lines[0].startswith("| stages | mad | grad |")
    result = json.loads(written.read_text())
    assert (result["model"], result["frames"]) == ("tiny", 8)
    for row, variant in zip(result["rows"], variants(), strict=True):
        assert set(row) == {"stages", *COLUMNS}
        assert row["ms"] > 0
        assert (row["mad"] is not None) == variant.scored
    rows = {row["stages"]: row for row in result["rows"]}
    assert rows["+ guided upsampling"]["fg_mse"] == rows["resized and blended"]["fg_mse"]
    assert rows["+ person's own colours"]["fg_mse"] != rows["+ guided upsampling"]["fg_mse"]
    assert rows["+ steadied: the default"]["dtssd"] != rows["+ spill removed"]["dtssd"]


def test_missing_folders_are_told_in_one_line(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for shared, message in ((tmp_path / "gone", "no such folder"), (tmp_path, "no data/backgrounds")):
        assert command.main(["picture", "--shared", str(shared), "--model", str(tiny_model)]) == 1
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1


def test_too_few_frames_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["picture", "--frames", "7"]) == 2
    assert "--stills 60 --frames 7: give at least 2 and 8" in capsys.readouterr().err


def edge(column: float) -> NDArray[np.float32]:
    return np.repeat(np.clip((np.arange(80) - column) / 4 + 0.5, 0, 1)[None], 60, axis=0).astype(np.float32)


def test_ghost_says_how_far_a_matte_hangs_behind() -> None:
    truths = [edge(20 + 3 * at) for at in range(6)]
    assert lag(truths, truths) == 0
    assert lag([truths[0], *truths[:-1]], truths) == pytest.approx(1)
    mixed = [truths[0]] + [(0.75 * now + 0.25 * old).astype(np.float32) for old, now in pairwise(truths)]
    assert lag(mixed, truths) == pytest.approx(0.25)


def test_still_scores_are_0_for_truth_and_see_each_fault() -> None:
    alpha, behind = edge(40), behind_picture((80, 60))
    colours = np.full((60, 80, 3), 90, np.float32)
    truth = np.rint(colours * alpha[..., None] + behind * (1 - alpha[..., None])).astype(np.uint8)
    coarse = CoarseMatte(0, alpha, behind)
    sample = Sample(CameraFrame(0, behind, 0.0, 0.0), coarse, alpha, colours)
    perfect = still_scores([sample], [Made(alpha, colours.astype(np.uint8), truth)], behind)
    assert perfect["mad"] == perfect["grad"] == perfect["fg_mse"] == 0
    assert perfect["out_mse"] < 0.2
    faulty = still_scores([sample], [Made(edge(41), np.full((60, 80, 3), 100, np.uint8), behind)], behind)
    assert faulty["mad"] > 5
    assert faulty["grad"] > 0
    assert faulty["fg_mse"] == pytest.approx(100)
    assert faulty["out_mse"] > 100


def test_the_tint_of_a_screen_is_told() -> None:
    alpha = edge(40)
    screen, dark = np.array([60, 160, 60], np.float32), np.array([40, 40, 40], np.float32)
    frame = np.rint(dark * alpha[..., None] + screen * (1 - alpha[..., None])).astype(np.uint8)
    sample = Sample(
        CameraFrame(0, frame, 0.0, 0.0), CoarseMatte(0, alpha, frame), alpha, np.zeros((0, 0, 3), np.float32)
    )
    clean = Made(alpha, np.full((60, 80, 3), 40, np.uint8), frame)
    green = np.full((60, 80, 3), 40, np.uint8)
    green[:, :46, 1] = 90
    tinted, as_seen = Made(alpha, green, frame), Made(alpha, frame, frame)
    assert tint_left([sample], [clean]) == 0
    assert tint_left([sample], [tinted]) > tint_left([sample], [as_seen]) > 1


def test_noise_flicker_counts_changes() -> None:
    nothing = np.zeros((2, 2, 3), np.uint8)
    made = [Made(np.full((2, 2), 0.1 * (at % 2), np.float32), nothing, nothing) for at in range(9)]
    assert noise_flicker(made) == pytest.approx(100, rel=1e-3)
