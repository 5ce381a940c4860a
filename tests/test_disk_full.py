"""A disk that gets full while recording: the file plays up to then, the live output goes on, and one line says so."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import read_clip
from faults import LookingSink
from numpy.typing import NDArray

from bgcam.realtime import cli, run_command
from bgcam.realtime.backgrounds import Still
from bgcam.realtime.errors import SinkError
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.pipeline import Pipeline
from bgcam.realtime.run_command import everything
from bgcam.realtime.safety import SafeBackground
from bgcam.realtime.sinks import _reserve, open_sink
from bgcam.realtime.sinks._reserve import ReservedFile
from bgcam.realtime.sinks.images import FolderSink
from bgcam.realtime.watch import Watch

SIZE_WH = (256, 128)
SUFFIXES = (".mp4", ".mkv", ".webm")


class SmallDisk:
    """A file's raw writer, on a disk of so many bytes; those of the reserve are free once it is given up."""

    def __init__(self, reserved: ReservedFile, *, room: int):
        self._file, self._reserved, self._room = reserved._file, reserved, room
        reserved._file = self  # type: ignore[assignment]

    def write(self, data: bytes) -> int:
        free = self._room if self._reserved._reserve is not None else self._room + _reserve.RESERVE_BYTES
        fits = min(len(data), free - self._file.tell())
        if fits <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data[:fits])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def small(path: Path) -> Any:
    sink: Any = open_sink(str(path), size_wh=SIZE_WH, fps=30)
    SmallDisk(sink._file, room=200_000)
    return sink


def noise(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_video_can_be_finished_after_the_disk_is_full(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    sink = small(path)
    written = 0
    with pytest.raises(SinkError, match=r"No space left on device\); free some space"):
        for number in range(500):
            sink.write(ComposedFrame(number, noise(number), number / 30, 0.0))
            written += 1
    assert 5 < written < 400
    sink.close()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size > 200_000 * 0.9
    assert len(read_clip(path)) == written + 1  # the frame that filled it is in it too


def test_without_room_for_a_reserve_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reserve, "_reserve", lambda folder: None)
    monkeypatch.setattr(_reserve, "RESERVE_BYTES", 0)
    sink = small(tmp_path / "a.mp4")
    with pytest.raises(SinkError, match="No space left"):
        for number in range(500):
            sink.write(ComposedFrame(number, noise(number), number / 30, 0.0))
    with pytest.raises(SinkError, match="No space left"):
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_the_reserve_is_room_that_is_really_held_and_given_back(tmp_path: Path) -> None:
    before = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    file = ReservedFile(tmp_path / "a")
    held = file._reserve
    assert held is not None
    assert os.fstat(held.fileno()).st_blocks * 512 >= _reserve.RESERVE_BYTES
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    file.close()
    assert held.closed
    assert before > 0


class NoisyCamera:
    """A live source of noise, which no encoder makes small."""

    name, size_wh, fps, live, drops, frames = "fake camera", SIZE_WH, 60.0, True, 0, 200

    def __init__(self) -> None:
        self._number = 0

    def read(self) -> CameraFrame | None:
        number, self._number = self._number, self._number + 1
        time.sleep(0.002)
        return None if number == self.frames else CameraFrame(number, noise(number), number / 60, time.monotonic())

    def close(self) -> None:
        pass


class FullFolder(FolderSink):
    """A folder of pictures whose disk is full from frame 7 on."""

    def write(self, frame: ComposedFrame) -> None:
        if frame.number >= 7:
            raise SinkError("pictures: cannot be written (No space left on device); free some space")
        super().write(frame)


def noisy_run(sinks: list[Any], *, live: bool = True) -> Pipeline[CoarseMatte]:
    camera = NoisyCamera()
    camera.live = live

    def render(frame: CameraFrame, matte: CoarseMatte) -> ComposedFrame:
        return ComposedFrame(frame.number, frame.bgr, frame.time_s, frame.captured_s)

    cards = SafeBackground(Still("blue", np.full((1, 1, 3), (200, 0, 0), np.uint8)), camera.size_wh)
    return Pipeline(camera, everything, render, sinks, watch=Watch(cards))


def test_the_live_output_goes_on_without_the_files(tmp_path: Path) -> None:
    live, other, notices = LookingSink(), LookingSink(live=False), set()
    sinks = [live, small(tmp_path / "a.mp4"), other, FullFolder(str(tmp_path / "pictures"))]
    pipeline = noisy_run(sinks)
    summary = pipeline.run(lambda _: notices.add(pipeline.notice()))
    assert summary.frames == len(other.got) == NoisyCamera.frames
    assert sum(not card for _, card in live.got) == NoisyCamera.frames
    assert (live.end, other.end) == ("closed", "closed")
    assert pipeline.watch is not None
    assert sorted(line.split(":")[0].rpartition("/")[2] for line in pipeline.watch.lost) == ["a.mp4", "pictures"]
    assert all(line.endswith("free some space; what came before is kept") for line in pipeline.watch.lost)
    assert any("what came before is kept" in notice for notice in notices)
    assert 5 < len(read_clip(tmp_path / "a.mp4")) < NoisyCamera.frames
    assert len(list((tmp_path / "pictures").iterdir())) == 7


def test_a_cameras_recording_alone_is_kept_and_a_files_is_not(tmp_path: Path) -> None:
    for live in (True, False):
        path = tmp_path / f"{live}.mp4"
        with pytest.raises(SinkError, match=r"No space left.*free some space") as caught:
            noisy_run([small(path)], live=live).run()
        assert path.exists() == live
        assert ("what came before is kept" in str(caught.value)) == live
    assert len(read_clip(tmp_path / "True.mp4")) > 3
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def small_mount(tmp_path: Path) -> Iterator[Path]:
    """A real file system with a megabyte beside the reserve."""
    folder = tmp_path / "small"
    folder.mkdir()
    size = _reserve.RESERVE_BYTES + (1 << 20)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "bgcam-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here ({error})")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here ({done.stderr.strip()})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


def test_a_real_full_disk_from_the_command(
    small_mount: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_command, "open_source", lambda **options: NoisyCamera())
    out = small_mount / "out.mp4"
    code = cli.main(["--background", "none", "--output", str(out), "--output", "web:0"])
    said = capsys.readouterr()
    assert code == 1
    assert said.err.count("\n") == 1
    assert "out.mp4: the video cannot be written (No space left on device); free some space; what" in said.err
    assert said.out.splitlines()[-1].startswith("200 frames, ")
    assert 10 < len(read_clip(out)) < 200
    assert out.stat().st_size > 900_000
    assert [entry.name for entry in small_mount.iterdir()] == ["out.mp4"]
