"""Sources: videos, pictures and folders. Cameras are in test_camera.py."""

import struct
import threading
import zlib

import av
import cv2
import numpy as np
import pytest

from bgcam.realtime.errors import SourceError, UsageError
from bgcam.realtime.sources import open_source
from bgcam.realtime.sources.images import ImagesSource, read_picture
from bgcam.realtime.sources.video import VideoSource

FRAMES = 12
SIZE_WH = (64, 48)


def picture(seed=0, size_wh=SIZE_WH):
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def write_video(path, *, frames=FRAMES, codec="libx264", faststart=True, pictures=None, pts=None, pix_fmt="yuv420p"):
    options = {"movflags": "faststart"} if faststart and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, pix_fmt
        for number in range(frames):
            bgr = pictures[number] if pictures else picture(number)
            frame = av.VideoFrame.from_ndarray(bgr, format="bgr24").reformat(format=pix_fmt)
            frame.pts = pts[number] if pts else number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut(path, fraction=0.6):
    data = path.read_bytes()
    out = path.with_name("cut" + path.suffix)
    length = int(len(data) * fraction)
    out.write_bytes(data[: length - (length % 188 == 0)])  # an MPEG-TS cut between two packets of 188 bytes looks whole
    return out


def read_all(source):
    return list(iter(source.read, None))


# ---- video


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_video_gives_every_frame_then_none_and_a_cut_one_gives_some_then_breaks(tmp_path, name, codec, pix_fmt):
    whole = write_video(tmp_path / name, codec=codec, pix_fmt=pix_fmt)
    source = open_source(input=str(whole))
    frames = read_all(source)
    assert [frame.number for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(FRAMES) / 25, atol=0.002)
    assert (source.size_wh, source.fps, source.live, source.drops) == (SIZE_WH, 25, False, 0)
    assert source.frames in (FRAMES, None)
    assert source.read() is None
    source.close()
    source.close()

    broken = open_source(input=str(cut(whole)))
    given = 0
    with pytest.raises(SourceError, match=r"cut\.\w+: the video ends early after \d+ (of \d+ )?frames") as caught:
        while broken.read() is not None:
            given += 1
    assert 0 < given < FRAMES
    assert f"after {given} " in str(caught.value)
    assert f"{given} of {given} " not in str(caught.value)  # as FFmpeg counts the pictures of a GIF: up to the cut
    with pytest.raises(SourceError):
        broken.read()
    broken.close()


def test_mp4_without_its_index_cannot_be_opened(tmp_path):
    path = cut(write_video(tmp_path / "a.mp4", faststart=False))
    with pytest.raises(SourceError, match=r"cut.mp4: cannot be opened as a video .*may be truncated"):
        open_source(input=str(path))


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "the file is empty"), (b"hello" * 1000, "cannot be opened as a video")]
)
def test_no_video(tmp_path, content, said):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"a\.mp4: {said}"):
        open_source(input=str(path))


def test_sound_only(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(SourceError, match=r"a.wav: has no picture"):
        open_source(input=str(path))


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 1, -1, 0), cv2.ROTATE_90_CLOCKWISE),
        ((0, -1, 1, 0), cv2.ROTATE_90_COUNTERCLOCKWISE),
        ((-1, 0, 0, -1), cv2.ROTATE_180),
    ],
)
def test_rotation_metadata_is_honoured(tmp_path, matrix, turn):
    flat = np.zeros((48, 64, 3), np.uint8)
    flat[:24, :32] = 255
    path = write_video(tmp_path / "a.mp4", pictures=[flat] * FRAMES)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    source = VideoSource(str(path))
    expected = cv2.rotate(flat, turn)
    frame = source.read()
    assert source.size_wh == frame.size_wh == (expected.shape[1], expected.shape[0])
    assert np.abs(frame.room_bgr.astype(int) - expected).mean() < 8
    source.close()


def test_times_rise_when_the_clock_jumps_back(tmp_path):
    parts = [write_video(tmp_path / name, codec="mpeg2video").read_bytes() for name in ("a.mpg", "b.mpg")]
    joined = tmp_path / "joined.mpg"
    joined.write_bytes(b"".join(parts))
    with VideoSourceClosing(str(joined)) as source:
        frames = read_all(source)
    assert len(frames) > FRAMES
    steps = np.diff([frame.time_s for frame in frames])
    assert steps.min() > 0
    assert steps.max() < 0.1


class VideoSourceClosing(VideoSource):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def test_video_size_mirror_and_fps(tmp_path):
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = 255
    path = write_video(tmp_path / "a.mp4", pictures=[half] * FRAMES)
    source = open_source(input=str(path), size_wh=(31, 17), mirror=True, fps=5)
    frames = read_all(source)
    assert source.size_wh == frames[1].size_wh == (31, 17)
    assert [frame.time_s for frame in frames] == [0, 1 / 5]  # 12 frames at 25 a second last as long
    assert frames[0].room_bgr[:, :14].max() < 20
    assert frames[0].room_bgr[:, 17:].min() > 235


def test_video_that_changes_its_size_keeps_the_first(tmp_path):
    path = tmp_path / "a.ts"
    with path.open("wb") as file:
        for size in (SIZE_WH, (96, 64)):
            part = tmp_path / "part.ts"
            with av.open(str(part), "w") as container:
                stream = container.add_stream("mpeg2video", rate=25)
                stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                for number in range(FRAMES):
                    frame = av.VideoFrame.from_ndarray(picture(number, size), format="bgr24")
                    frame.pts = number
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            file.write(part.read_bytes())
    with VideoSourceClosing(str(path)) as source:
        sizes = {frame.size_wh for frame in read_all(source)}
    assert sizes == {SIZE_WH}


def test_video_closed_from_another_thread_ends(tmp_path):
    source = VideoSource(str(write_video(tmp_path / "a.mkv")))
    source.read()
    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join()
    assert source.read() is None


def test_url_that_cannot_be_reached_hides_the_password():
    with pytest.raises(SourceError, match=r"^http://127.0.0.1:1/x.mp4: cannot be opened .*check the address$"):
        open_source(input="http://me:secret@127.0.0.1:1/x.mp4")


# ---- pictures


def test_folder_of_pictures_sorted_each_of_its_own_size(tmp_path):
    sizes = {"b.png": (8, 6), "a.JPG": (5, 9), "c.webp": (1, 1), "d.bmp": (3, 2), "e.tiff": (7, 4)}
    for name, size in sizes.items():
        cv2.imwrite(str(tmp_path / name), picture(0, size))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._b.png").write_text("a hidden file of another system")
    source = ImagesSource(tmp_path)
    assert (source.frames, source.size_wh, source.live) == (5, (5, 9), False)
    frames = read_all(source)
    assert [frame.size_wh for frame in frames] == [sizes[name] for name in sorted(sizes)]
    assert [source.path_of(number).name for number in range(5)] == sorted(sizes)
    assert source.read() is None


def test_one_picture_at_an_asked_size(tmp_path):
    path = tmp_path / "a.png"
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = 200
    cv2.imwrite(str(path), half)
    source = open_source(input=str(path), size_wh=(32, 24), mirror=True)
    (frame,) = read_all(source)
    assert source.frames == 1
    assert frame.room_bgr.shape == (24, 32, 3)
    assert (frame.room_bgr[:, 16:] == 200).all()
    assert (frame.room_bgr[:, :16] == 0).all()


def test_8k_picture(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((4320, 7680, 3), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert read_picture(path).shape == (4320, 7680, 3)


def test_exif_orientation_is_applied(tmp_path):
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), picture(0, (16, 8)))
    tiff = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 1, 6) + bytes(4)
    segment = b"Exif\0\0" + tiff
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:])
    assert read_picture(path).shape == (16, 8, 3)


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def test_over_100_megapixels_is_refused_by_its_header(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(30000, 30000))
    with pytest.raises(SourceError, match=r"bomb.png: 30000x30000 is over 100 megapixels"):
        open_source(input=str(path))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_cut_or_wrong_pictures_are_named(tmp_path, suffix, capfd):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), picture())
    with pytest.raises(SourceError, match=rf"cut{suffix}: not a readable picture"):
        open_source(input=str(cut(path)))
    path.write_text("no picture at all")
    with pytest.raises(SourceError, match=rf"a{suffix}: not a readable picture"):
        open_source(input=str(path))


def test_folder_without_pictures(tmp_path):
    with pytest.raises(SourceError, match="no pictures in this folder"):
        open_source(input=str(tmp_path))


def test_bad_pictures_in_a_folder_are_said_when_reached_and_passed_over(tmp_path):
    for name in ("b.png", "d.png"):
        cv2.imwrite(str(tmp_path / name), picture())
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_text("no")
    said = []
    source = ImagesSource(tmp_path, say=said.append)
    assert len(said) == 1
    frames = list(iter(source.read, None))
    assert [frame.number for frame in frames] == [0, 1]
    assert [source.path_of(number).name for number in range(2)] == ["b.png", "d.png"]
    assert [str(error).partition(": ")[0] for error in said] == [str(tmp_path / "a.png"), str(tmp_path / "c.png")]
    assert source.skipped == 2


def test_folder_of_bad_pictures_alone(tmp_path, capsys):
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(SourceError, match="none of the 1 pictures in it can be read"):
        open_source(input=str(tmp_path))
    assert "bgcam: skipped: " in capsys.readouterr().err


# ---- open_source


@pytest.mark.parametrize("size_wh", [(0, 10), (10, -1), (20000, 20000)])
def test_sizes_that_make_no_sense(tmp_path, size_wh):
    with pytest.raises(UsageError, match=f"size {size_wh[0]}x{size_wh[1]}"):
        open_source(input=str(tmp_path), size_wh=size_wh)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_rates_that_make_no_sense(tmp_path, fps):
    with pytest.raises(UsageError, match="fps"):
        open_source(input=str(tmp_path), fps=fps)


def test_camera_and_input_exclude_each_other():
    with pytest.raises(UsageError, match="--camera 0 and --input a"):
        open_source(camera="0", input="a")


def test_missing_input(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere.mp4: no such file"):
        open_source(input=str(tmp_path / "nowhere.mp4"))
