"""The demo: its clip, its picture, and the whole of `bgcam demo` with a tiny model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bgcam.realtime.command import cli
from bgcam.realtime.command.demo import clip, command
from bgcam.realtime.command.demo import room as demo_room
from bgcam.realtime.command.demo.clip import ASSETS, DemoCamera
from bgcam.realtime.command.demo.figure import write_figure
from bgcam.realtime.errors import BackgroundError, SinkError, SourceError


@pytest.fixture(scope="module")
def camera() -> DemoCamera:
    return DemoCamera()


def test_room_is_the_same_each_time_and_not_flat() -> None:
    room = demo_room.draw_room()
    assert room.shape == (720, 1280, 3)
    assert room.dtype == np.uint8
    assert np.array_equal(room, demo_room.draw_room())
    assert room.std() > 20
    assert 60 < room.mean() < 200


def test_portrait_has_a_clean_matte() -> None:
    portrait = cv2.imread(str(ASSETS / "astronaut.jpg"), cv2.IMREAD_COLOR)
    matte = cv2.imread(str(ASSETS / "astronaut_matte.png"), cv2.IMREAD_GRAYSCALE)
    assert portrait is not None
    assert matte is not None
    assert portrait.shape == (512, 512, 3)
    assert matte.shape == (512, 512)
    assert matte[100, 225] == 255  # the face
    assert not matte[:12].max() > 12  # above the head
    assert not matte[:300, 375:].any()  # the shuttle's model
    assert not matte[:200, :95].any()  # the flag
    assert np.mean((matte > 0) & (matte < 255)) < 0.03  # soft at the edge alone


def test_shipped_background_is_small_enough_and_large_enough() -> None:
    path = ASSETS / "backgrounds" / "beach.jpg"
    beach = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert beach is not None
    assert beach.shape == (1080, 1920, 3)
    assert path.stat().st_size < 300_000
    sky, sand = beach[50:300, 800:1000].mean((0, 1)), beach[950:, 300:900].mean((0, 1))
    assert sky[0] > sky[2]  # bluer than red
    assert sand[2] > sand[0]


def test_frames_move_a_little_each_time(camera: DemoCamera) -> None:
    first, second, later = (camera.frame(n).astype(np.int16) for n in (0, 1, 40))
    step, leap = np.abs(second - first).mean(), np.abs(later - first).mean()
    assert 0.05 < step < 6
    assert leap > 2 * step
    assert np.array_equal(camera.frame(40), later)


def test_room_stays_where_it_is(camera: DemoCamera) -> None:
    window = camera.frame(0)[60:200, 120:370]
    assert np.array_equal(window, camera.frame(77)[60:200, 120:370])


@pytest.mark.parametrize("framing", [clip.HALF, clip.NEAR])
def test_portrait_never_shows_its_lower_edge_or_leaves_the_frame(framing: clip.Framing) -> None:
    for time_s in np.arange(0, 400, 0.37):
        x, y = clip._motion(float(time_s), framing) @ np.array([[0, 512, 228, 150], [512, 512, 16, 250], [1, 1, 1, 1]])
        assert y[:2].min() > 720  # lower corners
        assert 20 < y[2] < 160  # top of the head
        assert x[3] > 300  # a shoulder


def test_the_demo_shows_head_and_shoulders_without_the_helmet() -> None:
    helmet = np.array([[330, 400, 450], [350, 343, 355], [1, 1, 1]])  # its upper edge, in the portrait
    for time_s in np.arange(0, 400, 0.37):
        assert (clip._motion(float(time_s), clip.NEAR) @ helmet)[1].min() > 720


def test_clip_has_the_frames_it_should(tmp_path: Path) -> None:
    camera = DemoCamera(clip.NEAR)
    path = tmp_path / "clip.mp4"
    clip.write_clip(path, frames=4)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 30
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(frames) == 4
    assert frames[0].shape == (720, 1280, 3)
    assert np.abs(frames[3].astype(np.int16) - camera.frame(3)).mean() < 4


def test_clip_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot write the demo clip"):
        clip.write_clip(tmp_path / "no such folder" / "clip.mp4", frames=1)


def test_missing_asset_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "ASSETS", tmp_path)
    with pytest.raises(SourceError, match=r"astronaut\.jpg: bgcam's own file is missing or damaged"):
        DemoCamera()


def test_figure_has_its_panels_in_order(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    colours = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    write_figure(path, [(f"name {c}", np.full((72, 128, 3), c, np.uint8)) for c in colours])
    figure = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert figure is not None
    assert figure.shape == (360, 3 * 640 + 2 * 14, 4)
    for at, colour in enumerate(colours):
        left = at * 654
        assert figure[180, left + 320].tolist() == [*colour, 255]
        assert figure[0, left, 3] == 0  # a round corner
        plate = figure[300:350, left + 14 : left + 200, :3]
        assert (plate.min(-1) > 200).any()  # white letters
    assert not figure[:, 640:654].any()  # the gap
    assert [entry.name for entry in tmp_path.iterdir()] == ["figure.png"]


def test_figure_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot write the picture"):
        write_figure(tmp_path / "no such folder" / "f.png", [("a", np.zeros((72, 128, 3), np.uint8))])


def test_demo_runs_the_main_job(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    options = ["--seconds", "0.2", "--out", str(out), "--background", "#00ff00", "--model", str(tiny_model)]
    assert cli.main(["demo", *options, "--backend", "onnxruntime"]) == 0
    printed = capsys.readouterr().out
    assert f"video: {out / 'demo.mp4'}\n" in printed
    assert f"picture: {out / 'demo.png'}\n" in printed
    assert " fps" in printed
    assert sorted(entry.name for entry in out.iterdir()) == ["demo.mp4", "demo.png"]
    with av.open(str(out / "demo.mp4")) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(frames) == 6
    # To the tiny model the dark spacesuit collar is no person, so the background's green is there.
    assert (frames[5][300:400, 560:700].astype(int) @ [-1, 2, -1]).max() > 300
    figure = cv2.imread(str(out / "demo.png"), cv2.IMREAD_UNCHANGED)
    assert figure is not None
    assert figure.shape == (360, 1948, 4)


def test_wrong_background_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    options = ["--seconds", "0.1", "--out", str(tmp_path), "--background", "no-such.jpg", "--model", str(tiny_model)]
    with pytest.raises(BackgroundError, match=r"no-such\.jpg"):
        command.main(options)
    assert list(tmp_path.iterdir()) == []


def test_out_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("")
    with pytest.raises(SinkError, match=r"cannot create this folder .*--out FOLDER"):
        command.main(["--out", str(file)])


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "601", "five"])
def test_seconds_that_make_no_sense(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--seconds", seconds]) == 2
    assert "give seconds above 0" in capsys.readouterr().err


def test_help_needs_no_opencv() -> None:
    code = (
        "import sys; sys.modules.update(cv2=None, av=None, rich=None)\n"
        "from bgcam.realtime.command import cli; raise SystemExit(cli.main(['demo', '--help']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--background" in done.stdout
