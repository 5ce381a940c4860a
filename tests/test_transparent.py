"""Transparency: who may write it, what alpha and colours are, and that no room is left under what is transparent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import PERSON, SIZE_WH, scene, write_clip, write_picture
from command import Run, one_line

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.backgrounds.nothing import Nothing
from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.failsafe.gate import send
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte, CutoutFrame
from bgcam.realtime.look import Look
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.composed import composed_cutout, empty_cutout
from bgcam.realtime.picture.cutout import BAND_PX, CutoutChain, cut_out
from bgcam.realtime.picture.foreground import estimate_foreground, near_colours
from bgcam.realtime.sinks import Job, open_sink
from bgcam.realtime.sinks._shape import to_size

TRANSPARENT = ("--background", "transparent")
DECODERS = {".webm": "libvpx-vp9", ".mov": "prores"}


def secret_room(size_wh: tuple[int, int] = SIZE_WH) -> np.ndarray:
    """Dark stripes of strong colours, which the tiny model takes for room, and a bright square, the person."""
    width, height = size_wh
    bgr = np.zeros((height, width, 3), np.uint8)
    bgr[:, ::2] = (150, 0, 0)
    bgr[::3] = (0, 0, 150)
    person = scene(0, size_wh)[..., 0] == PERSON
    bgr[person] = PERSON
    return bgr


def rgba_frames(path: Path) -> list[np.ndarray]:
    """Every frame of a video as (H, W, 4) RGBA; FFmpeg's own VP9 decoder knows no alpha."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder: Any = av.CodecContext.create(DECODERS[path.suffix], "r")
        if stream.codec_context.extradata:
            decoder.extradata = stream.codec_context.extradata
        if path.suffix == ".mov":
            decoder = stream.codec_context
        frames = [frame for packet in container.demux(stream) if packet.size for frame in decoder.decode(packet)]
        return [frame.to_ndarray(format="rgba") for frame in frames]


def right_alpha(alpha: np.ndarray, number: int, size_wh: tuple[int, int] = SIZE_WH) -> bool:
    return bool(((alpha > 127) == (scene(number, size_wh)[..., 0] == PERSON)).mean() > 0.93)


# ---- what is written


@pytest.mark.parametrize("suffix", [".webm", ".mov"])
def test_a_video_has_alpha(in_tmp: Path, bgcam: Run, suffix: str) -> None:
    code, _, err = bgcam("--input", "clip.mp4", *TRANSPARENT, "--output", f"out{suffix}")
    assert (code, err) == (0, "")
    frames = rgba_frames(in_tmp / f"out{suffix}")
    assert len(frames) == 8
    for number, rgba in enumerate(frames):
        assert right_alpha(rgba[..., 3], number)
        assert np.median(rgba[rgba[..., 3] > 250][:, :3]) > PERSON - 8
    with av.open(f"out{suffix}") as container:
        stream = container.streams.video[0]
        kind = stream.codec_context.name, stream.codec_context.pix_fmt, stream.metadata.get("alpha_mode")
        tags = stream.codec_context.colorspace, stream.codec_context.color_range
    assert tags == (1, 1)
    assert kind in (("vp9", "yuv420p", "1"), ("prores", "yuva444p12le", None), ("prores", "yuva444p10le", None))


def test_pictures_have_alpha(in_tmp: Path, bgcam: Run) -> None:
    write_picture(in_tmp / "b.jpg", number=2)
    outputs = ("--output", "one.png", "--output", "folder/")
    assert bgcam("--input", "photo.png", *TRANSPARENT, *outputs)[0] == 0
    assert bgcam("--input", "b.jpg", *TRANSPARENT, "--output", "folder/")[0] == 0
    for name, number in (("one.png", 0), ("folder/photo.png", 0), ("folder/b.png", 2)):
        bgra = cv2.imread(name, cv2.IMREAD_UNCHANGED)
        assert bgra.shape == (SIZE_WH[1], SIZE_WH[0], 4)
        assert right_alpha(bgra[..., 3], number)


def test_a_matte_command_cuts_videos_out(in_tmp: Path, bgcam: Run) -> None:
    for target in ("out.webm", "out.mov", "out/"):
        assert bgcam("matte", "--cutout", "clip.mp4", target)[0] == 0
    assert right_alpha(rgba_frames(in_tmp / "out.webm")[7][..., 3], 7)
    assert right_alpha(rgba_frames(in_tmp / "out.mov")[7][..., 3], 7)
    assert right_alpha(cv2.imread("out/00007.png", cv2.IMREAD_UNCHANGED)[..., 3], 7)
    assert len(list((in_tmp / "out").iterdir())) == 8


@pytest.mark.parametrize("target", ["out.png", "folder/", "out.mov", "out.webm"])
def test_no_room_is_left_in_the_file(tmp_path: Path, bgcam: Run, target: str) -> None:
    size_wh = (192, 128)
    cv2.imwrite(str(tmp_path / "secret.png"), secret_room(size_wh))
    assert bgcam("--input", str(tmp_path / "secret.png"), *TRANSPARENT, "--output", f"{tmp_path}/{target}")[0] == 0
    written = tmp_path / target / "secret.png" if target.endswith("/") else tmp_path / target
    lossy = written.suffix != ".png"
    rgba = rgba_frames(written)[0] if lossy else cv2.imread(str(written), cv2.IMREAD_UNCHANGED)
    assert (rgba[..., 3] > 250).any()
    near = cv2.dilate((rgba[..., 3] > 0).astype(np.uint8), np.ones((17, 17), np.uint8)) > 0  # a codec's blocks
    hidden = rgba[..., 3] == 0 if not lossy else ~near
    assert hidden.mean() > 0.3
    assert rgba[hidden][:, :3].max() <= (4 if lossy else 0)


def test_a_run_from_a_secret_room_gives_the_persons_own_colours() -> None:
    alpha = np.zeros((64, 96), np.float32)
    alpha[16:48, 20:60] = 1
    alpha[14:16, 20:60] = 0.4
    room = secret_room()
    frame_bgr = np.where(alpha[..., None] > 0, np.uint8(PERSON), room)
    frame_bgr[14:16, 20:60] = np.rint(0.4 * PERSON + 0.6 * room[14:16, 20:60])
    frame, coarse = CameraFrame(3, frame_bgr, 0.12, 0.0), CoarseMatte(3, alpha, frame_bgr)
    cutout = CutoutChain(Nothing())(frame, coarse)
    assert isinstance(cutout, CutoutFrame)
    assert (cutout.number, cutout.time_s, cutout.size_wh) == (3, 0.12, (96, 64))
    shown = cutout.bgra[..., 3]
    assert not cutout.bgra[shown == 0].any()
    assert 0.4 < (shown == 0).mean() < 0.95
    inside = shown == 255
    assert np.array_equal(cutout.bgra[inside][:, :3], frame_bgr[inside])


# ---- the picture


def test_a_cutout_over_a_colour_is_the_composite_before_it() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (120, 160, 3), np.uint8)
    frame_bgr = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
    alpha = cv2.GaussianBlur((rng.random((60, 80)) > 0.5).astype(np.float32), (0, 0), 6)
    alpha = np.clip((alpha - 0.45) * 10, 0, 1).astype(np.float32)
    alpha[:, :10], alpha[:, -10:] = 0, 1
    frame_bgr[:, :20] = (40, 160, 30)  # a room whose tint is taken out of the person's edge
    frame = CameraFrame(0, frame_bgr, 0.0, 0.0)
    seen_bgr = np.asarray(cv2.resize(frame_bgr, (80, 60), interpolation=cv2.INTER_AREA), np.uint8)
    coarse = CoarseMatte(0, alpha, seen_bgr)
    for look in (Look(), Look(edge_steps=1)):
        bgra = CutoutChain(Nothing(), look)(frame, coarse).bgra.astype(float)
        share = bgra[..., 3:] / 255
        laid = bgra[..., :3] * share + np.array((0, 255, 0)) * (1 - share)
        composite = Chain(open_background("#00ff00"), look)(frame, coarse).bgr
        assert np.abs(laid - composite).max() <= 3


def test_a_large_cutout_is_made_in_bands_that_do_not_show() -> None:
    rng = np.random.default_rng(2)
    height, width = 2 * BAND_PX + 37, 90
    frame_bgr = rng.integers(0, 256, (height, width, 3), np.uint8)
    alpha = np.asarray(cv2.resize(rng.random((40, 8)).astype(np.float32), (width, height)), np.float32)
    small = np.asarray(cv2.resize(frame_bgr, (8, 40), interpolation=cv2.INTER_AREA), np.uint8)
    coarse_alpha = np.asarray(cv2.resize(alpha, (8, 40)), np.float32)
    colours = near_colours(small, coarse_alpha, frame_wh=(width, height))
    bgra = cut_out(frame_bgr, alpha, colours, None)
    expected = estimate_foreground(frame_bgr, alpha, colours)
    expected[bgra[..., 3] == 0] = 0
    assert np.abs(bgra[..., :3].astype(int) - expected).max() <= 1


def test_colours_under_what_is_transparent_are_refused() -> None:
    frame = CameraFrame(0, secret_room(), 0.0, 0.0)
    bgra = np.dstack([frame.room_bgr, np.zeros(frame.room_bgr.shape[:2], np.uint8)])
    with pytest.raises(ValueError, match="colour in transparent pixels"):
        composed_cutout(frame, bgra)
    with pytest.raises(ValueError, match="of shape"):
        composed_cutout(frame, bgra[1:])


def test_what_is_shown_instead_is_empty() -> None:
    instead = SafeBackground(Nothing(), (8, 6), transparent=True).placeholder(5, time_s=0.2)
    assert isinstance(instead, CutoutFrame)
    assert (instead.number, instead.time_s, instead.size_wh) == (5, 0.2, (8, 6))
    assert not instead.bgra.any()


def test_bars_are_transparent() -> None:
    full = np.full((20, 10, 4), 255, np.uint8)
    laid = to_size(full, (40, 20))
    assert laid.shape == (20, 40, 4)
    assert not laid[:, :10].any()
    assert (laid[:, 16:24] == 255).all()


# ---- who may take it


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "out.jpg", "out.webp", "virtual", "virtual:bgcam.png", "web"])
def test_outputs_without_transparency_are_refused(in_tmp: Path, bgcam: Run, output: str) -> None:
    code, out, err = bgcam("--input", "clip.mp4", *TRANSPARENT, "--output", "ok.mov", "--output", output)
    assert (code, out) == (2, "")
    assert f"--output {output} cannot hold transparency; give a .png, .webm or .mov file, or FOLDER/" in one_line(err)
    assert sorted(path.name for path in in_tmp.iterdir()) == ["clip.mp4", "photo.png"]


@pytest.mark.parametrize("options", [("--light-wrap", "2"), ("--light-match", "2"), ("--view", "matte")])
def test_what_needs_a_background_is_refused(in_tmp: Path, bgcam: Run, options: tuple[str, str]) -> None:
    code, _, err = bgcam("--input", "clip.mp4", *TRANSPARENT, "--output", "out.mov", *options)
    assert code == 2
    assert f"{options[0]}" in one_line(err)
    assert "needs a background to show" in err


def test_a_live_output_takes_no_cutout() -> None:
    class Live:
        name, live = "/dev/video9", True

        def write(self, frame: object) -> None:
            pytest.fail("it was shown")

    with pytest.raises(SinkError, match="/dev/video9: cannot hold transparency"):
        send(Live(), empty_cutout(0, (4, 4)))  # type: ignore[arg-type]
    assert not hasattr(empty_cutout(0, (4, 4)), "bgr")  # nor could it read one


def test_a_sink_that_is_no_kind_for_it_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot hold transparency"):
        open_sink(str(tmp_path / "a.mp4"), size_wh=(8, 8), fps=25, job=Job(transparent=True))
    assert not list(tmp_path.iterdir())


def test_a_mov_without_alpha_is_an_ordinary_video(in_tmp: Path, bgcam: Run) -> None:
    write_clip(in_tmp / "b.mp4")
    assert bgcam("--input", "b.mp4", "--background", "green", "--output", "out.mov")[0] == 0
    with av.open("out.mov") as container:
        assert container.streams.video[0].codec_context.name == "h264"
