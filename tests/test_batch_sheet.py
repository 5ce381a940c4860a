"""The contact sheet ranks outputs and frames by doubt: unsure mattes, and what the room's memory contradicts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from batch_setup import lamp_scene, records
from command import Run
from talks import SIZE_WH, write_talk

from bgcam.realtime.batch.ledger import Frame
from bgcam.realtime.batch.unsure import THUMB_HEIGHT_PX, Watch, flipped_share


def scene(number: int, *, lit_from: int) -> np.ndarray:
    return lamp_scene(0, SIZE_WH, lit=number >= lit_from)


@pytest.mark.parametrize("more", [("-b", "green"), ("--matte",)], ids=["background", "matte"])
def test_what_contradicts_the_known_room_comes_first(bgcam: Run, tmp_path: Path, more: tuple[str, ...]) -> None:
    """In one of three videos a lamp is switched on after two seconds, and the model takes furniture for a person."""
    source = tmp_path / "src"
    source.mkdir()
    for name, lit_from in {"a-steady": 999, "b-lamp": 55, "c-steady": 999}.items():
        write_talk(source / f"{name}.mp4", frames=60, picture=partial(scene, lit_from=lit_from))
    assert bgcam("batch", str(source), str(tmp_path / "dst"), "--workers", "1", *more)[0] == 0
    found = records(tmp_path / "dst")
    worst = {name: one["least_sure"][0] for name, one in found.items()}
    assert worst["b-lamp.mp4"]["flips"] > 0.01
    assert worst["b-lamp.mp4"]["time_s"] >= 55 / 25
    assert worst["a-steady.mp4"]["flips"] == worst["c-steady.mp4"]["flips"] == 0
    page = (tmp_path / "dst" / "bgcam-sheet.html").read_text()
    places = [page.index(f"<h2>{name}</h2>") for name in ("b-lamp.mp4", "a-steady.mp4", "c-steady.mp4")]
    assert places == sorted(places)
    assert f"{worst['b-lamp.mp4']['flips']:.2%} flips" in page


def test_a_flip_is_belief_that_falls_but_not_what_is_new() -> None:
    before = np.array([[0.9, 0.9, 0.9, 0.1, -0.5]], np.float32)
    after = np.array([[0.88, 0.9, 0.0, 0.05, -0.6]], np.float32)
    # The first alone: the second is as it was, the third shows something new, the others were never trusted.
    assert flipped_share(before, after) == pytest.approx(1 / 5)


def test_the_doubts_of_parts_are_those_of_the_whole() -> None:
    whole, joined = Watch(), Watch()
    for part in range(2):
        watch = Watch()
        for number in range(10):
            at = 10 * part + number
            frame = Frame(at * 2.0, unsure=(at * 7 % 20) / 20, flips=0.0)
            picture = np.full((48, 64, 3), 10 * at, np.uint8)
            watch.note(frame, picture)
            whole.note(frame, picture)
        joined.take_over(watch.least_sure, watch.strip())
    assert joined.least_sure == whole.least_sure
    ours, theirs = (cv2.imdecode(np.frombuffer(one.strip() or b"", np.uint8), 1) for one in (joined, whole))
    assert ours.shape == theirs.shape == (THUMB_HEIGHT_PX, 4 * 128, 3)
    assert np.abs(ours.astype(int) - theirs).max() <= 2
