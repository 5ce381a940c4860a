"""Parts of a video have the frames and the times of the whole, whatever the container and its key frames."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from clips import SIZE_WH, scene

from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources.video import VideoSource
from bgcam.realtime.sources.video_part import NotInParts, VideoIndex, VideoPart, cut, index_video

FRAMES, WARM = 90, 12
# An open GOP has frames that are shown before its key frame, and need the GOP before.
OPEN = {"g": "15", "keyint_min": "15", "sc_threshold": "0", "bf": "3", "x264-params": "open-gop=1:b-adapt=0"}
KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "b-frames.mp4": ("libx264", "yuv420p", {"g": "15", "keyint_min": "15", "sc_threshold": "0", "bf": "3"}),
    "open.mp4": ("libx264", "yuv420p", OPEN),
    "open.mkv": ("libx264", "yuv420p", OPEN),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"g": "15", "deadline": "realtime", "cpu-used": "8"}),
    "old.ts": ("mpeg2video", "yuv420p", {"g": "15", "bf": "2", "sc_threshold": "1000000000"}),
    "intra.mov": ("prores_ks", "yuv422p10le", {}),
}


def write(path: Path, codec: str, pix_fmt: str, options: dict[str, str]) -> Path:
    with av.open(str(path), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=25, options=options))
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, pix_fmt
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(scene(number % 17), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frames_of(source: VideoSource) -> list[CameraFrame]:
    found = []
    with closing(source):
        while (frame := source.read()) is not None:
            found.append(frame)
    return found


@pytest.mark.parametrize("name", KINDS)
def test_parts_have_the_frames_of_the_whole(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, *KINDS[name])
    whole = frames_of(VideoSource(str(path)))
    parts = cut(index_video(path), every_s=1, warm=WARM)
    assert len(parts) >= 3
    assert sum(part.frames for part in parts) == len(whole) == FRAMES
    for part in parts:
        found = frames_of(VideoPart(path, part))
        expected = whole[part.first - part.warm : part.first + part.frames]
        assert part.warm == min(WARM, part.first)
        assert [frame.number for frame in found] == list(range(len(expected)))
        assert [frame.time_s for frame in found] == [frame.time_s for frame in expected]
        assert all(np.array_equal(a.room_bgr, b.room_bgr) for a, b in zip(found, expected, strict=True))


def test_a_part_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", *KINDS["b-frames.mp4"])
    index = index_video(path)
    shifted = VideoIndex([time + 1 for time in index.times], index.keys, index.tick_s)
    with pytest.raises(NotInParts, match="its first frame cannot be decoded"):
        VideoPart(path, cut(shifted, every_s=1, warm=WARM)[1])
    moved = VideoIndex([index.times[0], *(time + 1 for time in index.times[1:])], index.keys, index.tick_s)
    with pytest.raises(NotInParts, match="no key frame was found"):
        VideoPart(path, cut(moved, every_s=1, warm=WARM)[1])


@pytest.mark.parametrize(
    ("index", "why"),
    [
        (VideoIndex(range(100), [(0, 0)], 0.04), "too few key frames"),
        (VideoIndex(range(100), [(0, 0), (90, 90)], 0.04), "too few key frames"),  # the rest is too short
    ],
)
def test_what_gives_one_part_is_not_cut(index: VideoIndex, why: str) -> None:
    with pytest.raises(NotInParts, match=why):
        cut(index, every_s=2, warm=WARM)


def test_a_clock_that_jumps_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "jump.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(scene(number), format="bgr24")
            frame.pts, frame.time_base = number + (5000 if number > 9 else 0), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(NotInParts, match="its clock jumps"):
        index_video(path)
