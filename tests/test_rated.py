"""A file at another rate: it lasts as long as before, and each moment shows the frame that belongs to it."""

from __future__ import annotations

import av
import numpy as np
import pytest
from clips import write_clip
from command import Run

from bgcam.realtime.errors import SourceError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources import open_source
from bgcam.realtime.sources.rated import RatedSource


class Frames:
    """Frames at these times, whose level is their number. fails: SourceError after the last one."""

    name, size_wh, live, drops = "frames", (2, 2), False, 0
    note = notice = ""

    def __init__(self, times_s: list[float], fps: float, *, fails: bool = False):
        self.times_s, self.fps, self.fails, self.number = times_s, fps, fails, 0
        self.frames: int | None = len(times_s)
        self.about_frames = self.frames

    def read(self) -> CameraFrame | None:
        if self.number == len(self.times_s):
            if self.fails:
                raise SourceError("frames: it breaks off")
            return None
        self.number += 1
        bgr = np.full((2, 2, 3), self.number - 1, np.uint8)
        return CameraFrame(self.number - 1, bgr, self.times_s[self.number - 1], 0.0)

    def close(self) -> None: ...


def levels(source: RatedSource) -> list[int]:
    frames = list(iter(source.read, None))
    assert [frame.number for frame in frames] == list(range(len(frames)))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(len(frames)) / source.fps)
    return [int(frame.room_bgr[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize(
    ("times_s", "own_fps", "fps", "shown"),
    [
        ([0, 0.1, 0.2, 0.3], 10, 10, [0, 1, 2, 3]),
        ([0, 0.1, 0.2, 0.3], 10, 5, [0, 2]),
        ([0, 0.1, 0.2, 0.3], 10, 20, [0, 1, 1, 2, 2, 3, 3, 3]),
        ([0, 0.1, 0.9, 1.0], 10, 10, [0, *[1] * 8, 2, 3]),
        ([0], 10, 1, [0]),
        ([0], 0.5, 3, [0] * 6),
        ([], 10, 10, []),
    ],
)
def test_each_moment_shows_the_nearest_frame(
    times_s: list[float], own_fps: float, fps: float, shown: list[int]
) -> None:
    found = levels(RatedSource(Frames(times_s, own_fps), fps))
    assert len(found) == len(shown)
    assert np.abs(np.subtract(found, shown)).max(initial=0) <= (fps == 20)  # of two that are as near, either


def test_a_guess_at_the_frames_is_made_for_the_new_rate() -> None:
    source = Frames([0, 0.1, 0.2, 0.3], 10)
    assert RatedSource(source, 5).about_frames == 2
    source.frames, source.about_frames = None, 40
    assert (RatedSource(source, 5).frames, RatedSource(source, 5).about_frames) == (None, 20)


def test_what_came_before_a_break_is_shown_to_its_end() -> None:
    source = RatedSource(Frames([0, 0.1], 10, fails=True), 20)
    shown = [source.read() for _ in range(4)]
    assert all(shown)
    for _ in range(2):
        with pytest.raises(SourceError, match="it breaks off"):
            source.read()


@pytest.mark.parametrize(("fps", "frames"), [("15", 15), ("50", 50), ("24", 24)])
def test_the_command_keeps_the_length_of_a_clip(in_tmp, bgcam: Run, fps: str, frames: int) -> None:
    write_clip(in_tmp / "second.mp4", frames=25)
    code, out, _ = bgcam("--input", "second.mp4", "--background", "none", "--fps", fps, "--output", "out.mp4")
    assert code == 0
    assert f"{frames} frames, " in out.splitlines()[-1]
    with av.open("out.mp4") as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, np.arange(frames) / float(fps), atol=0.001)
    assert open_source(input="second.mp4", fps=float(fps)).frames == frames
