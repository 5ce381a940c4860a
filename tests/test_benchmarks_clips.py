"""Mattes of clips, scored frame after frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from clips import PERSON, scene, write_clip

from bgcam.benchmarks import clips
from bgcam.benchmarks.__main__ import main
from bgcam.benchmarks.picture_scenes import CLIPS
from bgcam.realtime.frames import CameraFrame


def contender(alpha: float) -> clips.Contender:
    return clips.Contender("flat", lambda size_wh: lambda frame: np.full(frame.room_bgr.shape[:2], alpha, np.float32))


@pytest.fixture
def shared(tmp_path):
    """Clips of a bright square, their mattes, and a room."""
    for clip in CLIPS:
        folder = tmp_path / "clips" / clip
        folder.mkdir(parents=True)
        write_clip(folder / "rgb.mp4", frames=4)
        for at in range(4):
            cv2.imwrite(str(folder / f"{at:04}.png"), np.where(scene(at) == PERSON, np.uint8(255), np.uint8(0)))
    rooms = tmp_path / "data/backgrounds"
    rooms.mkdir(parents=True)
    cv2.imwrite(str(rooms / "room.webp"), np.random.default_rng(0).integers(0, 90, (90, 160, 3), np.uint8))
    return tmp_path


def test_scenes_are_each_clip_before_its_screen_and_before_a_room(shared) -> None:
    found = dict(clips.scenes(shared, frames=3))
    assert list(found) == ["d0, screen", "d0, moving room", "vretalk_4, screen", "vretalk_4, moving room"]
    for samples in found.values():
        assert [sample.frame.number for sample in samples] == [0, 1, 2]
        assert all(0 < sample.alpha.mean() < 0.6 for sample in samples)


def test_figures_tell_right_from_wrong(shared) -> None:
    samples = dict(clips.scenes(shared, frames=3))["d0, screen"]
    by_number = {sample.frame.number: sample.alpha for sample in samples}

    def truth(frame: CameraFrame) -> np.ndarray:
        return by_number[frame.number]

    right = clips.figures(clips.Contender("right", lambda size_wh: truth), samples)
    wrong = clips.figures(contender(0.0), samples)
    assert right == {"mad": 0, "grad": 0, "dtssd": 0, "network": 1}
    assert wrong["mad"] == pytest.approx(1000 * np.mean([sample.alpha.mean() for sample in samples]), rel=1e-4)
    assert wrong["grad"] > 0
    assert wrong["dtssd"] > 0


def test_the_command_scores_a_model(shared, tiny_model, capsys) -> None:
    assert main(["clips", "--shared", str(shared), "--model", str(tiny_model), "--frames", "3"]) == 0
    out = capsys.readouterr().out
    assert "| network | d0, screen: MAD / Grad / dtSSD" in out
    assert len(out.strip().splitlines()) == 3


def test_a_missing_folder_is_named(tmp_path, capsys) -> None:
    assert main(["clips", "--shared", str(tmp_path), "--model", "fast", "--frames", "3"]) == 1
    assert "no such folder; give --shared" in capsys.readouterr().err
