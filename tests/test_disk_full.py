"""A disk that gets full while recording: the file plays up to then, the live output goes on, and one line says so."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import read_clip
from faults import LookingSink
from numpy.typing import NDArray
from shown import shown

from bgcam.realtime.atomic_write import NewFile
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.command import cli, run
from bgcam.realtime.errors import SinkError
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame, OutputFrame
from bgcam.realtime.picture.composed import composed
from bgcam.realtime.run.build import everything
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.sinks import _reserve, open_sink
from bgcam.realtime.sinks._reserve import ReservedFile
from bgcam.realtime.sinks.images import FolderSink
from bgcam.realtime.sinks.job import Job

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


def small(path: Path, *, keep: bool = True) -> Any:
    sink: Any = open_sink(str(path), size_wh=SIZE_WH, fps=30, job=Job(keep=keep))
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
            sink.write(shown(number, noise(number), number / 30, 0.0))
            written += 1
    assert 5 < written < 400
    sink.close()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size > 200_000 * 0.9
    assert len(read_clip(path)) == written + 1  # the frame that filled it is in it too


def test_when_the_reserve_is_used_up_too_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reserve, "RESERVE_BYTES", 0)
    sink = small(tmp_path / "a.mp4", keep=False)
    with pytest.raises(SinkError, match="No space left"):
        for number in range(500):
            sink.write(shown(number, noise(number), number / 30, 0.0))
    with pytest.raises(SinkError, match="No space left"):
        sink.close()
    assert list(tmp_path.iterdir()) == []


def no_fallocate(descriptor: int, offset: int, length: int) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize("fallocate", [os.posix_fallocate, no_fallocate])
def test_the_reserve_is_room_that_is_really_held_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fallocate: Any
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    new = NewFile(tmp_path / "a")
    file = ReservedFile(new)
    held = file._reserve
    assert held is not None
    assert os.fstat(held.fileno()).st_blocks * 512 >= _reserve.RESERVE_BYTES
    assert list(tmp_path.iterdir()) == [new.part]
    file.close()
    assert held.closed
    new.discard()


def full(*arguments: object) -> None:
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


def test_a_reserve_that_a_quota_refuses_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(SinkError, match=r"a\.mp4: the video cannot be .* \(Disk quota exceeded\); free some space"):
        open_sink(str(tmp_path / "a.mp4"), size_wh=SIZE_WH, fps=30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_a_killed_run_leaves_plays_but_for_its_end(tmp_path: Path, suffix: str) -> None:
    path, left = tmp_path / f"a{suffix}", tmp_path / f"left{suffix}"
    sink = open_sink(str(path), size_wh=SIZE_WH, fps=30)
    for number in range(240):
        sink.write(shown(number, noise(number // 30), number / 30, 0.0))
    # Nothing is buffered in between, so these are the bytes after a kill -9 too.
    shutil.copy(next(tmp_path.glob(f".{path.name}.*.part")), left)
    sink.close()
    assert 120 <= len(read_clip(left)) <= 240
    assert len(read_clip(path)) == 240
    with av.open(str(path)) as whole:
        assert whole.streams.video[0].frames in (240, 0)  # an .mp4 is an ordinary one again, not in fragments
        assert whole.duration == pytest.approx(8e6, abs=1e5)


class NoisyCamera:
    """A live source of noise, which no encoder makes small."""

    name, size_wh, fps, live, drops, frames = "fake camera", SIZE_WH, 60.0, True, 0, 200
    note, notice = "", ""

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

    def write(self, frame: OutputFrame) -> None:
        if frame.number >= 7:
            raise SinkError("pictures: cannot be written (No space left on device); free some space")
        super().write(frame)


def noisy_run(*, live: bool = True) -> Pipeline[CoarseMatte]:
    camera = NoisyCamera()
    camera.live = live

    def render(frame: CameraFrame, matte: CoarseMatte) -> ComposedFrame:
        return composed(frame, frame.room_bgr.copy())

    placeholders = SafeBackground(Still("blue", np.full((1, 1, 3), (200, 0, 0), np.uint8)), camera.size_wh)
    return Pipeline(camera, everything, render, watch=OutputGuard(placeholders))


def test_the_live_output_goes_on_without_the_files(tmp_path: Path) -> None:
    live, other, notices = LookingSink(), LookingSink(live=False), set()
    sinks = [live, small(tmp_path / "a.mp4"), other, FullFolder(str(tmp_path / "pictures"))]
    pipeline = noisy_run()
    summary = pipeline.run(sinks, lambda _: notices.add(pipeline.notice()))
    assert summary.frames == len(other.got) == NoisyCamera.frames
    assert sum(not placeholder for _, placeholder in live.got) == NoisyCamera.frames
    assert (live.end, other.end) == ("closed", "closed")
    assert pipeline.watch is not None
    assert sorted(line.split(":")[0].rpartition("/")[2] for line in pipeline.watch.lost) == ["a.mp4", "pictures"]
    assert all(line.endswith("free some space; the recording so far is kept") for line in pipeline.watch.lost)
    assert any("the recording so far is kept" in notice for notice in notices)
    assert 5 < len(read_clip(tmp_path / "a.mp4")) < NoisyCamera.frames
    assert len(list((tmp_path / "pictures").iterdir())) == 7


def test_a_cameras_recording_alone_is_kept_and_a_files_is_not(tmp_path: Path) -> None:
    for live in (True, False):
        path = tmp_path / f"{live}.mp4"
        with pytest.raises(SinkError, match=r"No space left.*free some space") as caught:
            noisy_run(live=live).run([small(path, keep=live)])
        assert path.exists() == live
        assert ("the recording so far is kept" in str(caught.value)) == live
    assert len(read_clip(tmp_path / "True.mp4")) > 3
    assert len(list(tmp_path.iterdir())) == 1


def mounted(folder: Path, *, size: int) -> Iterator[Path]:
    """A real file system of so many bytes at `folder`."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "bgcam-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here ({error})")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here ({done.stderr.strip()})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


@pytest.fixture
def small_mount(tmp_path: Path) -> Iterator[Path]:
    """One on which a recording may just begin."""
    yield from mounted(tmp_path / "small", size=_reserve.LEAST_FREE_BYTES + (64 << 10))


@pytest.fixture
def full_mount(tmp_path: Path) -> Iterator[Path]:
    """One that has too little room for that, though for a reserve and a megabyte."""
    yield from mounted(tmp_path / "full", size=_reserve.RESERVE_BYTES + (1 << 20))


class FillingCamera(NoisyCamera):
    """Another program, really, that takes all but so many bytes of a disk while frame 9 is read."""

    def __init__(self, folder: Path, *, left: int):
        super().__init__()
        self._folder, self._left_bytes = folder, left

    def read(self) -> CameraFrame | None:
        if self._number == 9:
            with (self._folder / "other").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self._folder).free - self._left_bytes)
        return super().read()


@pytest.mark.parametrize(("suffix", "left"), [*((suffix, 1 << 20) for suffix in SUFFIXES), (".mp4", 0)])
def test_a_real_full_disk_from_the_command(
    small_mount: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, suffix: str, left: int
) -> None:
    monkeypatch.setattr(run, "open_source", lambda **options: FillingCamera(small_mount, left=left))
    out = small_mount / f"out{suffix}"
    code = cli.main(["--background", "none", "--output", str(out), "--output", "web:0"])
    said = capsys.readouterr()
    assert code == 1
    assert said.err.count("\n") == 1
    assert f"out{suffix}: the video cannot be written (No space left on device); free some space; the" in said.err
    assert said.out.splitlines()[-1].startswith("200 frames, ")
    assert 0 < len(read_clip(out)) < 200
    assert out.stat().st_size > left * 0.9
    assert sorted(entry.name for entry in small_mount.iterdir()) == ["other", out.name]


def test_a_disk_that_is_nearly_full_at_the_start_is_said_before_anything_is_written(
    full_mount: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "open_source", lambda **options: NoisyCamera())
    out = full_mount / "out.mp4"
    code = cli.main(["--background", "none", "--output", "web:0", "--output", str(out)])
    wanted = f"bgcam: {out}: only 17 MB are free there, and a video needs 32 MB at its start; free some space"
    assert (code, capsys.readouterr().err) == (1, f"{wanted}, or choose another folder\n")
    assert list(full_mount.iterdir()) == []
