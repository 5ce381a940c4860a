"""The process is killed at random moments while a reader stays attached: nothing that it got shows the room."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.errors import SourceError
from bgcam.realtime.sources.images import read_picture

pytest.importorskip("openvino", reason="openvino is not installed on this machine")
killed_child = pytest.importorskip("killed_child")

SEED = int(os.environ.get("BGCAM_SEED", "13"))
KILLS = 6
MOST_PICTURES = 60
LIMIT_S = 10.0
JPEG_BEGIN = b"\xff\xd8\xff"


def read_until_dead(url: str, *, after: int, wait_s: float, kill: Callable[[], None]) -> bytes:
    """All that the stream gives until its process is gone: killed `wait_s` after the begin of so many pictures."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    got = b""
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as client:
        client.sendall(f"GET {parts.path}stream HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        end_s = time.monotonic() + LIMIT_S
        killed = False
        with contextlib.suppress(ConnectionResetError):
            while True:
                if not killed and (got.count(JPEG_BEGIN) >= after or time.monotonic() >= end_s):
                    time.sleep(wait_s)
                    kill()
                    killed = True
                more = client.recv(1 << 16)
                if not more:
                    break
                got += more
    return got


def pictures(stream: bytes) -> list[NDArray[np.uint8]]:
    """Every JPEG in it, the last one as far as it came."""
    found = []
    for part in stream.split(JPEG_BEGIN)[1:]:
        bgr = cv2.imdecode(np.frombuffer(JPEG_BEGIN + part, np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None:
            found.append(np.asarray(bgr, np.uint8))
    return found


def written(folder: Path) -> list[NDArray[np.uint8]]:
    """Every picture in the folder, of which those with a name of their own must be whole."""
    found = []
    for path in folder.iterdir():
        with contextlib.suppress(SourceError):
            found.append(read_picture(path))
            continue
        assert path.name.startswith("."), f"{path.name} is half-written"
    return found


def test_the_search_finds_the_room_and_the_person() -> None:
    ok, data = cv2.imencode(".jpg", killed_child.secret_room(3), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert ok
    (room,) = pictures(b"--x\r\n\r\n" + data.tobytes() + b"\r\n")
    assert killed_child.shows_secret(room)
    assert killed_child.shows_person(room)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")
def test_a_run_that_is_stopped_shows_the_background_until_it_goes_on(tmp_path: Path, tiny_model: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_child"])
    ours, theirs = context.Pipe()
    process = context.Process(target=killed_child.run, args=(theirs, str(tiny_model), f"{tmp_path}/"), daemon=True)
    process.start()
    try:
        assert ours.poll(60), "the run did not begin"
        parts = urlsplit(ours.recv())
        with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as client:
            client.sendall(f"GET {parts.path}stream HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            for _ in range(2):
                assert killed_child.shows_person(read_until(client, killed_child.shows_person))
                assert process.pid is not None
                os.kill(process.pid, signal.SIGTSTP)
                wait_for_state(process.pid, "T")
                assert not killed_child.shows_person(read_until(client, lambda bgr: False))
                os.kill(process.pid, signal.SIGCONT)
    finally:
        process.kill()
        process.join(10)
        ours.close()
        theirs.close()


def read_until(client: socket.socket, wanted: Callable[[NDArray[np.uint8]], bool]) -> NDArray[np.uint8]:
    """The first picture of the stream that is wanted; the last one if none is, and nothing comes for a second."""
    client.settimeout(1)
    got = b""
    end_s = time.monotonic() + LIMIT_S
    last: NDArray[np.uint8] | None = None
    while time.monotonic() < end_s:
        try:
            got += client.recv(1 << 16)
        except TimeoutError:
            break
        whole, mark, rest = got.rpartition(JPEG_BEGIN)
        for bgr in pictures(whole):
            last = bgr
            if wanted(bgr):
                return bgr
        got = mark + rest
    found = pictures(got)
    last = found[-1] if found else last
    assert last is not None
    return last


def wait_for_state(pid: int, state: str) -> None:
    end_s = time.monotonic() + LIMIT_S
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != state:
        assert time.monotonic() < end_s, f"it did not come to state {state}"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such kill")
def test_a_reader_of_a_killed_run_never_sees_the_room(tmp_path: Path, tiny_model: Path) -> None:
    print(f"seed {SEED}; BGCAM_SEED changes it")
    chance = random.Random(SEED)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_child"])
    frames = persons = from_files = 0
    for round in range(KILLS):
        folder = tmp_path / f"{round}"
        ours, theirs = context.Pipe()
        process = context.Process(target=killed_child.run, args=(theirs, str(tiny_model), f"{folder}/"), daemon=True)
        process.start()
        try:
            assert ours.poll(60), "the run did not begin"
            after, wait_s = chance.randint(0, MOST_PICTURES) if round else 0, chance.uniform(0, 0.02)
            stream = read_until_dead(ours.recv(), after=after, wait_s=wait_s, kill=process.kill)
        finally:
            process.kill()
            process.join(10)
            ours.close()
            theirs.close()
        assert process.exitcode == -9
        process.close()
        shown = pictures(stream)
        kept = written(folder)
        for bgr in shown + kept:
            assert not killed_child.shows_secret(bgr), f"seed {SEED}, round {round}: the room"
        frames, from_files = frames + len(shown), from_files + len(kept)
        persons += sum(map(killed_child.shows_person, shown))
    print(f"{frames} frames seen, {persons} with the person, and {from_files} in files")
    assert frames > persons > KILLS
    assert from_files > KILLS
