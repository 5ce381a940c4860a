"""Sinks: video files, pictures, folders and nowhere. The web page: test_web; the virtual camera: test_virtual."""

import os

import av
import cv2
import numpy as np
import pytest
from shown import shown

from bgcam.realtime.atomic_write import HIDDEN, NewFile
from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.sinks import ACCEPTED, open_sink
from bgcam.realtime.sinks._shape import even_size, to_size
from bgcam.realtime.sinks.job import CAMERA_JOB, Job
from bgcam.realtime.sinks.null import NullSink
from bgcam.realtime.sources import open_source

SIZE_WH = (64, 48)
FPS = 25


def composed(number=0, colour=None, size_wh=SIZE_WH, time_s=None):
    shape = (size_wh[1], size_wh[0], 3)
    bgr = (
        np.random.default_rng(number).integers(0, 256, shape, np.uint8)
        if colour is None
        else np.full(shape, colour, np.uint8)
    )
    return shown(number, bgr, number / FPS if time_s is None else time_s, 0.0)


def write_all(spec, frames, size_wh=SIZE_WH, fps=FPS, job=CAMERA_JOB):
    sink = open_sink(str(spec), size_wh=size_wh, fps=fps, job=job)
    for frame in frames:
        sink.write(frame)
    sink.close()
    return sink


def read_all(path):
    source = open_source(input=str(path))
    try:
        return list(iter(source.read, None))
    finally:
        source.close()


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


# ---- the table


@pytest.mark.parametrize("spec", ["", "out.avi", "out", "speaker", "null:", "web:", "virtual:", "missing/out.gif"])
def test_unknown_outputs_list_what_is_accepted(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no folder is called out
    with pytest.raises(UsageError) as caught:
        open_sink(spec, size_wh=SIZE_WH, fps=FPS)
    assert repr(spec) in str(caught.value)
    assert ACCEPTED in str(caught.value)


def test_null_counts_and_takes_nothing():
    sink = open_sink("null", size_wh=SIZE_WH, fps=FPS)
    sink.write(composed(0))
    sink.write(composed(1))
    assert isinstance(sink, NullSink)
    assert sink.frames == 2
    sink.close()
    sink.abort()
    with pytest.raises(UsageError, match="null takes nothing"):
        open_sink("null:x", size_wh=SIZE_WH, fps=FPS)


# ---- video files

CODECS = {".mp4": "h264", ".mkv": "h264", ".webm": "vp9"}


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("colour", [(200, 60, 90), (0, 0, 255), (255, 255, 255), (30, 144, 255)])
def test_video_brings_flat_colours_back(tmp_path, suffix, colour):
    path = tmp_path / f"out{suffix}"
    sink = write_all(path, [composed(number, colour) for number in range(12)])
    assert sink.name == str(path)
    assert names(tmp_path) == [path.name]
    frames = read_all(path)
    assert len(frames) == 12
    assert max(np.abs(frame.room_bgr.astype(int) - colour).max() for frame in frames) <= 3
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / FPS, atol=0.001)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name.startswith(CODECS[suffix])
        assert stream.average_rate == FPS
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)
        if suffix != ".webm":
            assert (stream.codec_context.color_primaries, stream.codec_context.color_trc) == (1, 1)


@pytest.mark.parametrize(
    ("job", "times", "shown"),
    [
        # The second is within half a frame of the even rate, the third is not.
        (CAMERA_JOB, [3.0, 3.03, 3.2, 3.2, 4.0], [0, 0.04, 0.2, 0.2, 1.0]),
        # The second is the even rate's in whole milliseconds, the third is not.
        (Job(own_times=True), [3.0, 3.0404, 3.1, 3.1, 4.0], [0, 0.04, 0.1, 0.1, 1.0]),
    ],
)
def test_video_keeps_uneven_times_and_mends_equal_ones(tmp_path, job, times, shown):
    frames = [composed(number, 9, time_s=time_s) for number, time_s in enumerate(times)]
    write_all(tmp_path / "a.mp4", frames, job=job)
    got = [frame.time_s for frame in read_all(tmp_path / "a.mp4")]
    np.testing.assert_allclose(got, shown, atol=0.0001)
    assert np.diff(got).min() > 0


@pytest.mark.parametrize("suffix", [*CODECS, ".mov"])
def test_video_of_very_uneven_times_ends_with_its_last_frame(tmp_path, suffix):
    times = [0, 0.04, 0.08, 0.5, 3, 3.04, 3.08, 8]
    frames = [composed(number, time_s=time_s) for number, time_s in enumerate(times)]
    path = tmp_path / f"a{suffix}"
    write_all(path, frames, job=Job(own_times=True))
    with av.open(str(path)) as container:
        assert (container.duration or 0) / av.time_base == pytest.approx(8 + 1 / FPS, abs=0.002)
    assert read_all(path)[-1].time_s == pytest.approx(8, abs=0.001)


@pytest.mark.parametrize("fps", [29.97, 23.976, 30, 14.5])
def test_video_rate(tmp_path, fps):
    write_all(tmp_path / "a.mp4", [composed(number, 9, time_s=number / fps) for number in range(12)], fps=fps)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(fps, abs=0.002)


@pytest.mark.parametrize(("size_wh", "even_wh"), [((65, 49), (64, 48)), ((1, 1), (2, 2)), ((64, 49), (64, 48))])
def test_video_of_odd_size_says_that_it_is_cropped(tmp_path, size_wh, even_wh):
    sink = write_all(tmp_path / "a.mkv", [composed(0, 200, size_wh)], size_wh=size_wh)
    assert sink.name.endswith(f"a.mkv, {even_wh[0]}x{even_wh[1]} (sides must be even)")
    (frame,) = read_all(tmp_path / "a.mkv")
    assert frame.size_wh == even_wh
    assert frame.room_bgr.min() > 195


def test_video_scales_frames_of_another_size_to_fit(tmp_path):
    write_all(tmp_path / "a.mp4", [composed(0, 200), composed(1, 200, (48, 96))])
    second = read_all(tmp_path / "a.mp4")[1].room_bgr
    assert second.shape == (48, 64, 3)
    assert second[24, 32].min() > 190
    assert second[24, 2].max() < 20


def test_video_encodes_a_frame_without_copying_it(tmp_path, monkeypatch):
    given = []

    class Spy:
        @staticmethod
        def from_numpy_buffer(array, format):
            given.append(array)
            return av.VideoFrame.from_numpy_buffer(array, format=format)

    monkeypatch.setattr("bgcam.realtime.sinks.video.VideoFrame", Spy)
    frames = [composed(number) for number in range(3)]
    write_all(tmp_path / "out.mp4", frames)
    assert [np.shares_memory(array, frame.bgr) for array, frame in zip(given, frames, strict=True)] == [True] * 3
    assert len(read_all(tmp_path / "out.mp4")) == 3


def test_video_appears_only_when_closed_and_never_after_an_abort(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("an older file")
    sink = open_sink(str(path), size_wh=SIZE_WH, fps=FPS)
    sink.write(composed(0))
    hidden, shown = names(tmp_path)
    assert (HIDDEN.fullmatch(hidden)["name"], shown) == ("a.mp4", "a.mp4")
    assert path.read_text() == "an older file"
    sink.abort()
    sink.abort()
    sink.close()
    assert names(tmp_path) == ["a.mp4"]
    assert path.read_text() == "an older file"
    with pytest.raises(SinkError, match="closed already"):
        sink.write(composed(1))


@pytest.mark.parametrize("count", [1, 2, 12, 24, 25, 26, 51, 76])
def test_an_mp4_is_an_ordinary_one_and_has_every_frame(tmp_path, count):
    path = tmp_path / "a.mp4"  # it grows in fragments of a second
    write_all(path, [composed(number, number) for number in range(count)])
    assert b"moof" not in path.read_bytes().rpartition(b"moov")[2]
    with av.open(str(path)) as made:
        stream = made.streams.video[0]
        assert (stream.frames, stream.start_time) == (count, 0)
        # A last frame that is alone in its fragment is written as lasting no time.
        assert (count - 1) / FPS * 1e6 <= made.duration <= count / FPS * 1e6
    frames = read_all(path)
    assert [round(frame.time_s * FPS) for frame in frames] == list(range(count))


def test_video_without_frames_leaves_no_file(tmp_path):
    write_all(tmp_path / "a.mp4", [])
    assert names(tmp_path) == []


def write_or_abort(spec):
    sink = open_sink(spec, size_wh=SIZE_WH, fps=FPS)
    try:
        for number in range(12):
            sink.write(composed(number))
        sink.close()
    finally:
        sink.abort()


@pytest.fixture
def full_disk(monkeypatch):
    """New files are /dev/full."""
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    real = NewFile.__init__

    def on_full_disk(self, path):
        real(self, path)
        self.raw.close()
        self.raw = os.fdopen(os.open("/dev/full", os.O_RDWR), "r+b", buffering=0)

    monkeypatch.setattr(NewFile, "__init__", on_full_disk)


@pytest.mark.parametrize("suffix", CODECS)
def test_full_disk_is_said_and_leaves_nothing(tmp_path, full_disk, suffix):
    with pytest.raises(SinkError, match=rf"a{suffix}: the video cannot be written \(No space left.*free some space"):
        write_or_abort(str(tmp_path / f"a{suffix}"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.png"])
def test_files_without_a_folder_or_in_place_of_one(tmp_path, name, monkeypatch):
    with pytest.raises(SinkError, match=rf"the folder .* does not exist; create it first: mkdir -p {tmp_path}/no"):
        open_sink(str(tmp_path / "no" / name), size_wh=SIZE_WH, fps=FPS)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SinkError, match="no permission to write to the folder"):
        open_sink(str(tmp_path / name), size_wh=SIZE_WH, fps=FPS)


# ---- pictures


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_picture_keeps_the_last_frame(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_all(path, [composed(0, 10), composed(1, 200, (7, 5))])
    assert names(tmp_path) == [path.name]
    back = cv2.imread(str(path))
    assert back.shape == (5, 7, 3)
    assert np.abs(back.astype(int) - 200).max() <= 2


def test_picture_aborted_or_never_written_leaves_nothing(tmp_path):
    sink = open_sink(str(tmp_path / "a.png"), size_wh=SIZE_WH, fps=FPS)
    sink.write(composed(0))
    sink.abort()
    sink.close()
    write_all(tmp_path / "b.png", [])
    assert names(tmp_path) == []


def test_picture_too_big_for_its_format(tmp_path):
    sink = open_sink(str(tmp_path / "a.webp"), size_wh=(17000, 1), fps=FPS)
    sink.write(composed(0, 1, (17000, 1)))
    with pytest.raises(SinkError, match=r"a.webp: a picture of 17000x1 does not fit this format"):
        sink.close()


def test_picture_on_a_full_disk(tmp_path, full_disk):
    sink = open_sink(str(tmp_path / "a.png"), size_wh=SIZE_WH, fps=FPS)
    sink.write(composed(0))
    with pytest.raises(SinkError, match=r"a.png: cannot be written \(No space left.*free some space"):
        sink.close()
    assert names(tmp_path) == []


def test_folder_gets_every_frame_exactly(tmp_path):
    frames = [composed(0), composed(1, size_wh=(3, 9)), composed(12)]
    write_all(f"{tmp_path}/new/out/", frames)
    out = tmp_path / "new" / "out"
    assert names(out) == ["00000.png", "00001.png", "00012.png"]
    for frame in frames:
        np.testing.assert_array_equal(cv2.imread(str(out / f"{frame.number:05d}.png")), frame.bgr)


def test_aborted_folder_keeps_only_what_others_wrote(tmp_path):
    (tmp_path / "00007.png").write_text("older")
    sink = open_sink(str(tmp_path), size_wh=SIZE_WH, fps=FPS)
    sink.write(composed(0))
    sink.write(composed(1))
    sink.abort()
    assert names(tmp_path) == ["00007.png"]


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="the folder cannot be created"):
        open_sink(f"{tmp_path}/file/out/", size_wh=SIZE_WH, fps=FPS)


# ---- shapes


def test_even_size():
    assert even_size((7, 4)) == (6, 4)
    assert even_size((1, 1)) == (2, 2)


@pytest.mark.parametrize("size_wh", [(64, 48), (65, 48), (32, 24), (10, 200), (1, 1)])
def test_to_size_always_fits(size_wh):
    assert to_size(np.full((size_wh[1], size_wh[0], 3), 9, np.uint8), SIZE_WH).shape == (48, 64, 3)
