"""A network camera on this machine: newest picture first, opened again after a loss, its recording kept."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import read_clip, write_clip
from command import Run
from waiting import wait_for

from bgcam.realtime.errors import SourceError, SourceWaits
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sources import Source, is_live_address, open_source
from bgcam.realtime.sources.network import NetworkCamera
from bgcam.realtime.sources.reopening import ReopeningSource

RATE = 50
SIZE_WH = (96, 64)


def jpeg(level: int, size_wh: tuple[int, int] = SIZE_WH) -> bytes:
    ok, data = cv2.imencode(".jpg", np.full((size_wh[1], size_wh[0], 3), level, np.uint8))
    assert ok
    return data.tobytes()


def transport_stream(frames: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream: Any = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for number in range(frames):
            bgr = np.full((SIZE_WH[1], SIZE_WH[0], 3), number % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def noise_mp4() -> bytes:
    """An MP4 of some hundred kilobytes, more than FFmpeg keeps of what it has read, with its index at the end."""
    file = io.BytesIO()
    random = np.random.default_rng(0)
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=25, options={"qmin": "1", "qmax": "2"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 50_000_000
        for _ in range(12):
            bgr = random.integers(0, 256, (240, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        container.mux(stream.encode(None))
    return file.getvalue()


class Server(ThreadingHTTPServer):
    """/camera: pictures that get brighter by one level each, `per_visit` of them a connection; /file.mp4: a file;
    /live.ts: a stream that ends."""

    daemon_threads = True

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.visits, self.sent, self.per_visit = folder, 0, 0, 10_000
        self.closing, self.up = threading.Event(), True

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        if self.path == "/file.mp4":
            data = (self.server.folder / "file.mp4").read_bytes()
            self.answer("video/mp4", len(data))
            self.wfile.write(data)
        elif self.path == "/live.ts":
            self.answer("video/mp2t")
            self.wfile.write(transport_stream(60))
        elif self.server.up:
            self.pictures()
        else:
            self.send_error(503)

    def answer(self, kind: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def pictures(self) -> None:
        self.server.visits += 1
        self.answer("multipart/x-mixed-replace; boundary=next")
        try:
            for _ in range(self.server.per_visit):
                data = jpeg(self.server.sent % 256)
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                self.server.sent += 1
                if self.server.closing.wait(1 / RATE):
                    return
        except OSError:  # nobody reads any more
            return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def next_frame(source: Source, *, limit_s: float = 10.0) -> CameraFrame:
    """The next frame, after however many waits."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        try:
            frame = source.read()
        except SourceWaits:
            continue
        assert frame is not None
        return frame
    raise AssertionError("no frame came")


def test_the_newest_picture_is_given_and_old_ones_are_dropped(server: Server) -> None:
    source = open_source(input=server.url("camera"))
    assert isinstance(source, ReopeningSource)
    assert (source.live, source.frames, source.size_wh) == (True, None, SIZE_WH)
    first = next_frame(source)
    begun = server.sent
    wait_for(lambda: server.sent > begun + 12)
    frame = next_frame(source)
    assert frame.room_bgr.mean() > first.room_bgr.mean() + 8
    assert frame.room_bgr.mean() == pytest.approx(server.sent, abs=6)
    assert frame.number == first.number + 1
    assert source.drops > 5
    assert frame.time_s > 12 / RATE * 0.8
    source.close()
    assert source.read() is None


def test_it_is_opened_again_after_a_loss(server: Server) -> None:
    server.per_visit = 15
    source = open_source(input=server.url("camera"))
    frames = []
    with pytest.raises(SourceWaits, match="the stream ended"):
        while True:
            frames.append(source.read())
    server.per_visit = 10_000
    frame = next_frame(source)
    assert server.visits == 2
    assert frame.number == len(frames) > 0
    assert frame.room_bgr.mean() > 13
    source.close()


def test_the_last_picture_is_given_after_its_stream_was_closed(server: Server) -> None:
    """It needs nothing of what the stream's thread has freed, which would crash the process now and then."""
    server.per_visit = 8
    source = open_source(input=server.url("camera"))
    assert isinstance(source, ReopeningSource)
    assert isinstance(source._camera, NetworkCamera)
    source._camera._thread.join(5)
    del source._camera._video._stream, source._camera._video._container
    frame = source.read()
    assert frame is not None
    assert frame.room_bgr.mean() == pytest.approx(7, abs=2)
    source.close()


def test_it_is_waited_for_while_its_server_is_down(server: Server) -> None:
    server.per_visit = 10
    source = open_source(input=server.url("camera"))
    server.up = False
    said: set[str] = set()

    def is_said() -> bool:
        said.add(waited(source))
        return "5XX" in str(said)

    wait_for(is_said)
    server.up = True
    assert next_frame(source) is not None
    source.close()


def waited(source: Source) -> str:
    try:
        source.read()
    except SourceWaits as waits:
        return str(waits)
    return ""


def test_a_camera_that_cannot_be_reached_at_the_start_is_an_error(server: Server) -> None:
    server.up = False
    with pytest.raises(SourceError, match=r"^http://127\.0\.0\.1:\d+/camera: cannot be opened .*check the address$"):
        open_source(input=server.url("camera"))


def test_size_fit_and_rate_are_kept(server: Server) -> None:
    source = open_source(input=server.url("camera"), size_wh=(64, 64), fps=10)
    assert (source.size_wh, source.fps) == ((64, 64), 10)
    frames = [next_frame(source) for _ in range(4)]
    assert {frame.size_wh for frame in frames} == {(64, 64)}
    assert np.diff([frame.captured_s for frame in frames]).min() > 0.07
    source.close()


def test_a_file_whose_index_the_server_cannot_go_back_from_is_to_be_downloaded(tmp_path: Path, server: Server) -> None:
    (tmp_path / "file.mp4").write_bytes(noise_mp4())
    with pytest.raises(SourceError, match=r"file\.mp4: no frame can be decoded; download it, and give the file$"):
        open_source(input=server.url("file.mp4"))


def test_a_file_on_a_server_is_a_file(server: Server, tmp_path: Path) -> None:
    write_clip(tmp_path / "file.mp4")
    source = open_source(input=server.url("file.mp4"))
    assert not source.live
    assert len(list(iter(source.read, None))) == 8
    source.close()


def test_a_stream_without_a_length_is_a_camera(server: Server) -> None:
    source = open_source(input=server.url("live.ts"))
    assert source.live
    assert next_frame(source).size_wh == SIZE_WH
    source.close()


def test_close_does_not_wait_for_the_network(server: Server) -> None:
    source = open_source(input=server.url("camera"))
    next_frame(source)
    server.up = False
    threading.Timer(0.1, source.close).start()
    begun_s = time.monotonic()
    while True:
        try:
            if source.read() is None:
                break
        except SourceWaits:
            pass
    assert time.monotonic() - begun_s < 3


@pytest.mark.parametrize(
    ("address", "live"),
    [("rtsp://cam/1", True), ("UDP://@:5000", True), ("srt://a:1", True), ("http://a/b", False), ("clip.mp4", False)],
)
def test_some_addresses_are_cameras_by_their_scheme(address: str, live: bool) -> None:
    assert is_live_address(address) is live


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="this system has no signals")
def test_its_recording_is_kept_when_it_ends(server: Server, in_tmp: Path, bgcam: Run) -> None:
    server.per_visit = 20

    def stop() -> None:
        wait_for(lambda: server.visits >= 2 and server.sent >= 30)
        os.kill(os.getpid(), signal.SIGINT)

    stopper = threading.Thread(target=stop)
    stopper.start()
    code, out, _ = bgcam("--input", server.url("camera"), "--background", "none", "--output", "talk.mp4")
    stopper.join()
    assert code == 0, out
    assert len(read_clip(in_tmp / "talk.mp4")) > 5
    assert not list(in_tmp.glob(".*.part"))
