"""The web page, through real sockets on 127.0.0.1."""

import http.client
import socket
import threading
import time

import cv2
import numpy as np
import pytest

from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks import open_sink
from bgcam.realtime.sinks.web import MAX_CLIENTS


def composed(number, size_wh=(64, 48)):
    bgr = np.full((size_wh[1], size_wh[0], 3), number * 10 % 256, np.uint8)
    return ComposedFrame(number, bgr, number / 25, 0.0)


def wait_for(condition, limit_s=5.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@pytest.fixture
def sink():
    made = open_sink("web:0", size_wh=(64, 48), fps=25)
    yield made
    made.close()


@pytest.fixture
def port(sink):
    return int(sink.name.rstrip("/").rpartition(":")[2])


def get(port, path="/", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Host": host} if host is not None else {})
    return connection.getresponse()


class Watcher:
    """One browser that reads the stream."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.sendall(f"GET /stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = self.file.readline().split()[1]
        self.headers = self.lines()

    def lines(self):
        out = {}
        while line := self.file.readline().strip():
            key, _, value = line.partition(b": ")
            out[key.lower()] = value
        return out

    def picture(self):
        """The next frame's level, None at the end."""
        boundary = b""
        while boundary == b"":
            line = self.file.readline()
            if not line:
                return None
            boundary = line.strip()
        assert boundary == b"--" + self.headers[b"content-type"].partition(b"boundary=")[2]
        head = self.lines()
        if b"content-length" not in head:
            return None
        assert head[b"content-type"] == b"image/jpeg"
        data = self.file.read(int(head[b"content-length"]))
        return round(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).mean() / 10)

    def close(self):
        self.file.close()
        self.socket.close()


def test_page(sink, port):
    answer = get(port)
    body = answer.read().decode()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "<title>bgcam</title>" in body
    assert "object-fit: contain" in body
    assert 'src="/stream"' in body
    assert get(port, host=f"localhost:{port}").status == 200
    assert get(port, "/alive").status == 200
    assert get(port, "/etc/passwd").status == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "", "127.0.0.1.evil:{port}"]
)
@pytest.mark.parametrize("path", ["/", "/stream"])
def test_other_hosts_are_refused(sink, port, host, path):
    sink.write(composed(1))
    answer = get(port, path, host=host.format(port=port))
    assert answer.status == 403
    assert b"127.0.0.1" in answer.read()


def test_it_listens_on_loopback_only(sink):
    assert sink._server.server_address[0] == "127.0.0.1"
    assert sink.name.startswith("http://127.0.0.1:")


def test_watcher_gets_the_newest_frame_and_those_that_follow(sink, port):
    sink.write(composed(3))
    sink.write(composed(4))
    watcher = Watcher(port)
    assert watcher.picture() == 4
    sink.write(composed(5))
    assert watcher.picture() == 5
    watcher.close()


def test_nothing_is_encoded_unless_someone_watches_and_then_once(sink, port):
    for number in range(20):
        sink.write(composed(number))
    assert sink.encoded == 0
    watchers = [Watcher(port) for _ in range(3)]
    assert [watcher.picture() for watcher in watchers] == [19] * 3
    assert sink.encoded == 1
    for watcher in watchers:
        watcher.close()


def test_a_slow_watcher_never_slows_write(sink, port):
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    slow = Watcher(port)  # reads nothing more: its socket fills up and its thread blocks
    sink.write(ComposedFrame(0, noise, 0.0, 0.0))
    longest_s = 0.0
    for number in range(1, 40):
        start = time.monotonic()
        sink.write(ComposedFrame(number, noise, number / 25, 0.0))
        longest_s = max(longest_s, time.monotonic() - start)
        time.sleep(0.005)
    assert longest_s < 1
    quick = Watcher(port)
    assert quick.picture() is not None
    quick.close()
    slow.close()


def test_one_too_many_watchers_is_refused_and_places_come_back(sink, port):
    watchers = [Watcher(port) for _ in range(MAX_CLIENTS)]
    assert {watcher.status for watcher in watchers} == {b"200"}
    extra = Watcher(port)
    assert extra.status == b"503"
    extra.close()
    watchers[0].close()

    def place_is_free():
        sink.write(composed(1))  # a thread notices that its watcher has gone when it sends
        again = Watcher(port)
        again.close()
        return again.status == b"200"

    wait_for(place_is_free)
    for watcher in watchers[1:]:
        watcher.close()


def test_close_ends_watchers_and_frees_the_port(sink, port):
    sink.write(composed(1))
    watcher = Watcher(port)
    assert watcher.picture() == 1
    seen = []
    reader = threading.Thread(target=lambda: seen.append(watcher.picture()))
    reader.start()
    sink.close()
    sink.close()
    sink.abort()
    reader.join(timeout=5)
    assert seen == [None]
    watcher.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with pytest.raises(SinkError, match="closed already"):
        sink.write(composed(2))
    open_sink(f"web:{port}", size_wh=(64, 48), fps=25).close()


def test_taken_port(sink, port):
    with pytest.raises(SinkError, match=f"port {port} is taken by another program; web:0 picks a free one"):
        open_sink(f"web:{port}", size_wh=(64, 48), fps=25)


@pytest.mark.parametrize("spec", ["web:abc", "web:65536", "web:-1", "web:8 0"])
def test_ports_that_make_no_sense(spec):
    with pytest.raises(UsageError, match=f"{spec}: a port is a number"):
        open_sink(spec, size_wh=(64, 48), fps=25)
