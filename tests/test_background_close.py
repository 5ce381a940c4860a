"""A background that is opened in the middle of a run begins with its first picture, and lets go of its file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip

from bgcam.realtime.backgrounds import moving, open_background
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte

SIZE_WH = (64, 48)


def frame(number: int, time_s: float) -> CameraFrame:
    return CameraFrame(number, np.zeros((48, 64, 3), np.uint8), time_s, 0.0)


NOBODY = CoarseMatte(0, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every video that is opened; `reads` counts its frames, `ended` says that it was closed."""
    found: list[Any] = []
    really_open = moving.open_moving

    def opened(path: Path) -> Any:
        source: Any = really_open(path)
        source.reads, source.ended = 0, False
        read, close = source.read, source.close

        def counted() -> Any:
            source.reads += 1
            return read()

        def closed() -> None:
            source.ended = True
            close()

        source.read, source.close = counted, closed
        found.append(source)
        return source

    monkeypatch.setattr(moving, "open_moving", opened)
    return found


def test_a_video_that_is_opened_an_hour_into_a_run_begins_at_its_beginning(tmp_path: Path, sources: list[Any]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=40)
    first = SafeBackground(open_background(str(clip)), SIZE_WH).picture(frame(0, 0.0), NOBODY)
    behind = SafeBackground(open_background(str(clip)), SIZE_WH, begins_s=3600.0)
    assert np.array_equal(behind.picture(frame(9, 3600.01), NOBODY), first)
    assert sources[1].reads < 5
    behind.picture(frame(10, 3600.5), NOBODY)
    assert sources[1].reads > 5
    assert np.array_equal(behind.picture(frame(11, 3599.0), NOBODY), behind.picture(frame(11, 3600.5), NOBODY))


def test_a_closed_video_shows_its_last_picture_and_has_closed_its_file(tmp_path: Path, sources: list[Any]) -> None:
    behind = SafeBackground(open_background(str(write_clip(tmp_path / "clip.mkv", frames=40))), SIZE_WH)
    last = behind.picture(frame(0, 0.5), NOBODY)
    assert not sources[0].ended
    for _ in range(2):
        behind.close()
    assert sources[0].ended
    assert np.array_equal(behind.picture(frame(1, 1.0), NOBODY), behind.picture(frame(2, 99.0), NOBODY))
    assert last.shape == (48, 64, 3)
    assert len(sources) == 1


def test_a_video_can_be_closed_while_another_thread_decodes_it(tmp_path: Path, sources: list[Any]) -> None:
    background: Any = open_background(str(write_clip(tmp_path / "clip.mkv", frames=40)))
    reads, goes_on = threading.Event(), threading.Event()
    read = sources[0].read

    def slow() -> Any:
        reads.set()
        goes_on.wait(5)
        return read()

    sources[0].read = slow
    thread = threading.Thread(target=background.picture, args=(frame(1, 0.5), NOBODY))
    thread.start()
    assert reads.wait(5)
    background.close()
    goes_on.set()
    thread.join(5)
    assert not thread.is_alive()
    background.close()
    assert sources[0].ended


@pytest.mark.parametrize("spec", ["green", "blur", "none", "beach", "FOLDER"])
def test_every_background_can_be_closed_twice(tmp_path: Path, spec: str) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    background = open_background(spec.replace("FOLDER", str(tmp_path)))
    background.close()
    background.close()
    assert background.picture(
        frame(0, 0.0), CoarseMatte(0, np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8))
    ).shape == (48, 64, 3)
