"""Two runs with one output, what killed runs leave, and what others plant or do beside a recording."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from clips import read_clip
from shown import shown

from bgcam.realtime import atomic_write
from bgcam.realtime.atomic_write import HIDDEN, NewFile
from bgcam.realtime.errors import SinkError
from bgcam.realtime.sinks import Sink, claims, open_sink
from bgcam.realtime.sinks.claims import Claim, Taken, left_behind

SIZE_WH = (64, 48)
SEED = int(os.environ.get("BGCAM_SEED", "13"))
OUTPUTS = ("a.mp4", "a.mkv", "a.webm", "a.png", "folder/")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks"),
    pytest.mark.usefixtures("empty_cache"),
]


def opened(path: Path | str) -> Sink:
    return open_sink(str(path), size_wh=SIZE_WH, fps=25)


def fill(sink: Sink, *, level: int, frames: int = 30) -> None:
    for number in range(frames):
        sink.write(shown(number, np.full((SIZE_WH[1], SIZE_WH[0], 3), level, np.uint8), number / 25))


def spec(folder: Path, output: str) -> str:
    return f"{folder}/{output}"


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_second_run_to_the_same_output_is_refused_and_the_first_is_whole(tmp_path: Path, output: str) -> None:
    first = opened(spec(tmp_path, output))
    fill(first, level=200, frames=3)
    with pytest.raises(
        SinkError, match=r"another run of bgcam is writing to it now; give another name, or stop that first"
    ):
        opened(spec(tmp_path, output))
    first.close()
    second = opened(spec(tmp_path, output))  # and now it may
    second.abort()
    assert list(tmp_path.rglob(".*")) == []


def compete(ours: Connection, path: str, level: int) -> None:
    ours.recv()
    try:
        sink = opened(path)
    except SinkError as error:
        ours.send(str(error))
        return
    fill(sink, level=level)
    ours.send("")
    ours.recv()
    sink.close()
    ours.send("closed")


def test_of_two_that_begin_at_once_one_writes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_claims"])
    for round in range(2):
        path = tmp_path / f"{round}.mp4"
        pipes, processes = [], []
        for level in (30, 220):
            ours, theirs = context.Pipe()
            processes.append(context.Process(target=compete, args=(theirs, str(path), level), daemon=True))
            pipes.append(ours)
            processes[-1].start()
        for pipe in pipes:
            pipe.send("go")
        assert all(pipe.poll(60) for pipe in pipes)
        said = [pipe.recv() for pipe in pipes]
        writing = [at for at in (0, 1) if said[at] == ""]
        assert len(writing) <= 1, "both write"  # that none does is rare, and harms nobody
        assert all("is writing to it now" in line for line in said if line)
        for at in writing:
            pipes[at].send("close")
            assert pipes[at].poll(60)
            assert pipes[at].recv() == "closed"
            frames = read_clip(path)
            assert len(frames) == 30
            assert abs(int(frames[9].mean()) - (30, 220)[at]) < 5
        for process in processes:
            process.join(10)
            process.kill()


@pytest.mark.parametrize("attack", ["written to", "replaced", "removed", "made a folder", "linked"])
def test_a_name_that_others_take_meanwhile_costs_no_recording(tmp_path: Path, attack: str) -> None:
    path, victim = tmp_path / "a.mp4", tmp_path / "victim"
    victim.write_text("precious")
    path.write_text("older")
    sink = opened(path)
    fill(sink, level=200)
    {
        "written to": lambda: path.write_text("another program's"),
        "replaced": lambda: os.replace(victim, path),
        "removed": path.unlink,
        "made a folder": lambda: (path.unlink(), path.mkdir()),
        "linked": lambda: (path.unlink(), path.symlink_to(victim)),
    }[attack]()
    with pytest.raises(SinkError, match=r"a.mp4: another program wrote to it meanwhile; the video is in .*a-2.mp4"):
        sink.close()
    assert sink.kept == str(tmp_path / "a-2.mp4")  # type: ignore[attr-defined]
    assert len(read_clip(tmp_path / "a-2.mp4")) == 30
    if attack not in ("removed", "made a folder"):
        assert path.read_text() in ("another program's", "precious")
    assert left_behind([tmp_path]) == []


@pytest.mark.parametrize("output", OUTPUTS)
def test_links_pipes_and_files_that_are_planted_are_not_touched(tmp_path: Path, output: str) -> None:
    """At the old name, at random new ones, and at the output's own."""
    chance = random.Random(SEED)
    folder = tmp_path / "out"
    (folder / "folder").mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    base = folder / "folder" if output.endswith("/") else folder
    for name in ({"folder/": "bgcam"}.get(output, output), "00000.png"):
        (base / f".{name}.part").symlink_to(victim)
        for _ in range(3):
            os.mkfifo(base / f".{name}.{chance.getrandbits(64):016x}.part")
            (base / f".{name}.{chance.getrandbits(64):016x}.part").symlink_to(victim)
            (base / f".{name}.{chance.getrandbits(64):016x}.part").mkdir()
    if not output.endswith("/"):
        (folder / output).symlink_to(victim)
    before = {path: path.lstat().st_ino for path in base.iterdir() if path.name.startswith(".")}
    started_s = time.monotonic()
    sink = opened(spec(folder, output))
    fill(sink, level=200, frames=3)
    sink.close()
    assert time.monotonic() - started_s < 5
    assert victim.read_text() == "precious"
    assert {path: path.lstat().st_ino for path in base.iterdir() if path.name.startswith(".")} == before
    assert left_behind([base]) == []


def test_an_input_that_is_a_hidden_file_is_not_lost(tmp_path: Path) -> None:
    """What a killed run has left is given as the input, and the output has the name that it would have had."""
    for name in (".a.mp4.part", f".a.mp4.{'0' * 16}.part"):
        (tmp_path / name).write_bytes(b"a recording")
        sink = opened(tmp_path / "a.mp4")
        fill(sink, level=9, frames=3)
        sink.abort()
        assert (tmp_path / name).read_bytes() == b"a recording"


RECORDS = """
import os, sys, time
import numpy as np
from bgcam.realtime.picture.composed import placeholder
from bgcam.realtime.sinks import open_sink
sink = open_sink(sys.argv[1], size_wh=(64, 48), fps=25)
for number in range(200):
    bgr = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
    sink.write(placeholder(number, bgr, time_s=number / 25))
print("recording", flush=True)
time.sleep(60)
"""


def test_what_a_killed_run_left_is_found_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    process = subprocess.Popen([sys.executable, "-c", RECORDS, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "recording\n"
        assert left_behind() == []  # it lives
        with pytest.raises(SinkError, match=rf"\(pid {process.pid}\) is writing to it now"):
            opened(path)
    finally:
        process.kill()
        process.communicate(timeout=10)
    (part,) = left_behind()  # from any folder
    assert part.parent == tmp_path
    assert left_behind([tmp_path]) == [part]
    sink = opened(path)
    assert sink.left == [part]  # type: ignore[attr-defined]
    fill(sink, level=9)
    sink.close()
    rescued = tmp_path / "rescued.mp4"
    part.rename(rescued)
    assert len(read_clip(rescued)) > 100
    assert left_behind() == []
    assert list((tmp_path / "cache" / "bgcam" / "recordings").iterdir()) == []


def test_empty_ones_are_removed_when_they_are_nobodys(tmp_path: Path) -> None:
    new, old, other = (NewFile(tmp_path / name) for name in ("a.png", "a.png", "b.png"))
    for file in (new, old, other):
        file.close()
    os.utime(old.part, (1, 1))
    os.utime(other.part, (1, 1))
    Claim(tmp_path / "a.png").drop()
    assert (new.part.exists(), old.part.exists(), other.part.exists()) == (True, False, True)


def test_notes_that_are_no_notes(tmp_path: Path) -> None:
    notes = tmp_path / "cache" / "bgcam" / "recordings"
    notes.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    (notes / ("1" * 16)).write_bytes(os.fsencode(tmp_path / "precious"))
    (notes / ("2" * 16)).write_bytes(os.fsencode(tmp_path / f".a.mp4.{'3' * 16}.part"))
    (notes / ("4" * 16)).symlink_to("/dev/zero")
    (notes / ("5" * 16)).write_bytes(b"\0\xff" * 99)
    os.mkfifo(notes / ("6" * 16))
    assert left_behind() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make another user's files")
def test_another_users_files_are_neither_taken_nor_waited_for(tmp_path: Path) -> None:
    foreign = NewFile(tmp_path / "a.mp4")
    foreign.write(b"foreign")
    os.chown(foreign.part, 12345, 12345)
    claims._lock(foreign)
    sink = opened(tmp_path / "a.mp4")
    fill(sink, level=9)
    sink.close()
    assert (tmp_path / "a.mp4").stat().st_uid == 0
    assert foreign.part.read_bytes() == b"foreign"
    foreign.close()
    assert left_behind([tmp_path]) == []


def test_a_folder_for_notes_that_cannot_be_had_costs_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    sink = opened(tmp_path / "a.mp4")
    fill(sink, level=9)
    sink.close()
    assert len(read_clip(tmp_path / "a.mp4")) == 30


def test_two_that_see_each_other_step_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one gives up while this one waits."""
    other = Claim(tmp_path / "a.mp4")
    monkeypatch.setattr(claims.time, "sleep", lambda seconds: other.drop())
    Claim(tmp_path / "a.mp4").drop()
    monkeypatch.undo()
    other = Claim(tmp_path / "a.mp4")
    with pytest.raises(Taken):
        Claim(tmp_path / "a.mp4")
    other.drop()
    assert [HIDDEN.fullmatch(path.name) for path in tmp_path.iterdir()] == []
    assert atomic_write.hidden_stem("a.mp4") == "a.mp4"
