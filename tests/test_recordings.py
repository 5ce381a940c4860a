"""A camera cannot be asked again: whatever ends its run, its recording is closed whole up to there, and said where."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from clips import read_clip

recording_child = pytest.importorskip("recording_child")

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
    pytest.mark.usefixtures("empty_cache"),
]
SEED = int(os.environ.get("BGCAM_SEED", "13"))
LIMIT_S = 25.0
CONTEXT = multiprocessing.get_context("forkserver")


class Child:
    """A run of the command in a process of its own, whose words go to files."""

    def __init__(self, folder: Path, fault: str, *outputs: str):
        self.folder = folder
        self.outputs = [*outputs, str(folder / "a.mp4")]
        self.fault = fault
        self.process: BaseProcess | None = None

    def start(self, *, stdout: int | None = -1, stderr: int | None = -1) -> BaseProcess:
        """-1: to a file."""
        files = {name: os.open(self.folder / name, os.O_RDWR | os.O_CREAT) for name in ("out", "err")}
        given = {
            "stdout": files["out"] if stdout == -1 else stdout,
            "stderr": files["err"] if stderr == -1 else stderr,
        }
        from multiprocessing.reduction import DupFd

        told = {name: None if number is None else DupFd(number) for name, number in given.items()}
        self.process = CONTEXT.Process(target=run_child, args=(self.fault, self.outputs, told), daemon=True)
        self.process.start()
        for number in files.values():
            os.close(number)
        return self.process

    def grown(self, *, least: int = 12_000) -> None:
        """Wait until so many bytes were recorded."""
        end_s = time.monotonic() + LIMIT_S
        while sum(path.stat().st_size for path in self.folder.glob(".a.mp4.*")) < least:
            assert time.monotonic() < end_s, "nothing is recorded"
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        assert self.process is not None
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.kill(self.process.pid, number)

    def ended(self) -> int | None:
        assert self.process is not None
        self.process.join(LIMIT_S)
        return self.process.exitcode

    def said(self, name: str = "err") -> str:
        return (self.folder / name).read_text(errors="replace")

    def whole(self) -> int:
        """How many frames the recording has, which must be whole, and all that there is."""
        assert list(self.folder.glob(".*")) == []
        assert [path.name for path in self.folder.iterdir() if path.suffix] == ["a.mp4"]
        path = self.folder / "a.mp4"
        assert b"moof" not in path.read_bytes().rpartition(b"moov")[2], "it was not finished"
        return len(read_clip(path))


def run_child(fault: str, outputs: list[str], told: dict[str, object]) -> None:
    os.environ["XDG_RUNTIME_DIR"] = str(Path(outputs[-1]).parent)  # several run at a time
    descriptors = {name: None if number is None else number.detach() for name, number in told.items()}  # type: ignore[attr-defined]
    recording_child.run_with(fault, outputs, **descriptors)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[Child]]:
    CONTEXT.set_forkserver_preload(["recording_child"])
    made: list[Child] = []
    yield made
    for child in made:
        if child.process is not None:
            child.process.kill()
            child.process.join(10)


def child(children: list[Child], folder: Path, fault: str, *outputs: str) -> Child:
    folder.mkdir(exist_ok=True)
    children.append(Child(folder, fault, *outputs))
    return children[-1]


STANDS_STILL = "no new picture for 1 s, and no error was reported"
ERRORS = [
    ("fails", (), "the backend failed"),
    ("unexpected", (), "unexpected error: RuntimeError: nobody expected this"),
    ("memory", (), "unexpected error: MemoryError"),
    ("hangs", (), STANDS_STILL),
    ("hangs", ("web:0",), STANDS_STILL),
    ("page", ("web:0",), "the page failed"),
]


def test_an_error_keeps_a_cameras_recording_and_the_last_line_says_where(tmp_path: Path, children: list[Child]) -> None:
    for number, (fault, outputs, _) in enumerate(ERRORS):
        child(children, tmp_path / f"{number}", fault, *outputs).start()
    for run, (fault, _, says) in zip(children, ERRORS, strict=True):
        assert run.ended() == 1, fault
        (line,) = run.said().splitlines()
        assert line.startswith(f"bgcam: {says}")
        assert line.endswith(f"; what was recorded is kept: {run.folder / 'a.mp4'}")
        assert run.whole() >= recording_child.FAULT_AT - 5


def test_interrupts_at_random_times_leave_the_recording_whole(tmp_path: Path, children: list[Child]) -> None:
    print(f"seed {SEED}; BGCAM_SEED changes it")
    chance = random.Random(SEED)
    runs = [child(children, tmp_path / f"{number}", "") for number in range(6)]
    for at in range(0, len(runs), 3):
        for run in runs[at : at + 3]:
            run.start()
        for run in runs[at : at + 3]:
            run.grown()
            time.sleep(chance.uniform(0, 0.1))
            for _ in range(chance.randint(2, 4)):
                run.signal(chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
                time.sleep(chance.uniform(0.002, 0.25) ** chance.choice((1, 2)))
                if run.process is not None and not run.process.is_alive():
                    break
        for run in runs[at : at + 3]:
            run.ended()
            assert run.whole() > 0


def test_a_backend_that_hangs_while_a_file_is_recorded_is_told_and_ctrl_c_ends_it_soon(
    tmp_path: Path, children: list[Child]
) -> None:
    once, twice = (child(children, tmp_path / name, "hangs-20") for name in ("once", "twice"))
    for run in (once, twice):
        run.start()
    for run in (once, twice):
        wait_until(lambda run=run: "no new picture for" in run.said("out"))
    started_s = time.monotonic()
    for run in (once, twice):
        run.signal(signal.SIGINT)
    time.sleep(0.3)
    twice.signal(signal.SIGINT)
    assert twice.ended() == 0
    assert time.monotonic() - started_s < 3
    assert once.ended() == 0
    assert time.monotonic() - started_s < 10
    for run in (once, twice):
        assert run.whole() >= recording_child.FAULT_AT - 5
        assert run.said() == ""


def wait_until(condition: object) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.02)


def test_a_log_that_nobody_reads_any_more_costs_no_recording(tmp_path: Path, children: list[Child]) -> None:
    """The reader goes away, the disk under the log is full, the log is closed, or its reader stops reading."""
    reader, writer = os.pipe()
    gone = child(children, tmp_path / "gone", "")
    gone.start(stdout=writer)
    os.close(writer)
    full = child(children, tmp_path / "full", "")
    with open("/dev/full", "wb") as disk:
        full.start(stdout=disk.fileno(), stderr=disk.fileno())
    closed = child(children, tmp_path / "closed", "")
    closed.start(stdout=None, stderr=None)
    stuck_reader, stuck_writer = os.pipe()
    stuck = child(children, tmp_path / "stuck", "")
    while True:  # full but for what is said at the start
        os.set_blocking(stuck_writer, False)
        try:
            os.write(stuck_writer, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(stuck_writer, True)
    os.read(stuck_reader, 4096)
    stuck.start(stdout=stuck_writer)
    gone.grown()
    os.close(reader)
    for run in (full, closed, stuck):
        run.grown()
    time.sleep(1)  # a status or two: this child says one each half second
    for run in (gone, full, closed, stuck):
        run.signal(signal.SIGTERM)
    for run in (gone, full, closed):
        run.ended()
        assert run.whole() > 100
    wait_until((stuck.folder / "a.mp4").exists)  # what it says at the end still waits
    assert stuck.whole() > 100
    os.close(stuck_reader)
    os.close(stuck_writer)
