"""The web page, through real sockets on 127.0.0.1."""

import contextlib
import http.client
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.frames import ComposedFrame
from bgcam.realtime.sinks import _web_server, open_sink
from bgcam.realtime.sinks._web_guard import Guard
from bgcam.realtime.sinks._web_server import MAX_CONNECTIONS, MAX_REQUEST_BYTES, MAX_WATCHERS


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
def page(sink):
    return Page(sink.name)


class Page:
    """A sink's address in parts."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.port, self.path, self.host = parts.port, parts.path, parts.netloc

    def get(self, route="", *, path=None, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request(method, self.path + route if path is None else path, body, headers or {})
        return connection.getresponse()


class Watcher:
    """One browser that reads the stream."""

    def __init__(self, page):
        self.socket = socket.create_connection(("127.0.0.1", page.port), timeout=5)
        self.socket.sendall(f"GET {page.path}stream HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
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


def test_page(sink, page):
    answer = page.get()
    body = answer.read().decode()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "<title>bgcam</title>" in body
    assert "object-fit: contain" in body
    assert 'fetch("stream"' in body
    assert page.get("alive").read() == b"yes\n"
    assert page.get(headers={"Host": f"localhost:{page.port}"}).status == 200
    assert page.get("etc/passwd").status == 404
    assert page.get("../../etc/passwd").status == 404


def test_head_is_get_without_the_body(sink, page):
    for route in ("", "alive", "nowhere", "stream"):
        answer = page.get(route, method="HEAD")
        assert answer.read() == b""
        assert answer.status == (404 if route == "nowhere" else 200)
        if route in ("", "alive"):
            assert int(answer.headers["Content-Length"]) == len(page.get(route).read())
    assert page.get(path="/", method="HEAD").status == 403


def one_line(answer):
    text = answer.read().decode()
    assert text.count("\n") == 1
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return text


# ---- attacks


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "", "127.0.0.1.evil:{port}", "[::]:80"]
)
def test_dns_rebinding(sink, page, host):
    sink.write(composed(1))
    for route in ("", "stream", "alive"):
        answer = page.get(route, headers={"Host": host.format(port=page.port)})
        assert answer.status == 403
        assert "127.0.0.1" in one_line(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_cross_site_requests(sink, page, headers):
    sink.write(composed(1))
    for route in ("", "stream"):
        answer = page.get(route, headers={name: value.format(port=page.port) for name, value in headers.items()})
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "other web pages" in one_line(answer)


@pytest.mark.parametrize("name", ["Host", "host", "Origin", "Sec-Fetch-Site"])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_that_comes_twice_is_refused(sink, page, name, first):
    own = {"host": page.host, "origin": f"http://{page.host}", "sec-fetch-site": "none"}[name.lower()]
    twice = [f"{name}: {own}", f"{name}: evil.example"]
    lines = [f"GET {page.path}alive HTTP/1.1", *(twice if first else reversed(twice))]
    lines += [] if name.lower() == "host" else [f"Host: {page.host}"]
    answer = say(page, "\r\n".join([*lines, "", ""]).encode())
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert answer.endswith(b"\r\n\r\na header that may come once came twice\n")
    assert say(page, "\r\n".join([*lines[:1], f"Host: {page.host}", "", ""]).encode()).endswith(b"\r\n\r\nyes\n")


def test_our_own_pages_requests_are_answered(sink, page):
    for site in ("same-origin", "none"):
        assert page.get("alive", headers={"Origin": f"http://{page.host}", "Sec-Fetch-Site": site}).status == 200


def test_the_key_is_needed_and_is_another_each_time(sink, page):
    key = page.path.strip("/")
    assert len(key) >= 20
    wrong = ["/", "/stream", "/alive", f"/{key[:-1]}/", f"/{key}x/stream", f"/{key}", f"/{key.swapcase()}/"]
    for path in [*wrong, f"/%20{key}/stream", "/%ff/stream", f"/?{key}", f"/x/{key}/stream"]:
        answer = page.get(path=path)
        assert answer.status == 403, path
        assert "open the address that bgcam printed" in one_line(answer)
    assert say(page, f"GET /\xff\xe9/ HTTP/1.0\r\nHost: {page.host}\r\n\r\n".encode("latin-1")).startswith(
        b"HTTP/1.0 403 "
    )
    other = open_sink("web:0", size_wh=(64, 48), fps=25)
    assert key not in other.name
    assert page.get(path=f"/{key}/stream?123", method="HEAD").status == 200
    assert Page(other.name).get(path=f"/{key}/stream").status == 403
    other.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "<script>"])
def test_other_methods_change_nothing_and_are_not_repeated(sink, page, method):
    answer = page.get(method=method)
    assert answer.status in (400, 501)
    assert "script" not in one_line(answer)


def test_a_body_is_refused_unread(sink, page):
    assert page.get(headers={"Content-Length": "1000000000"}).status == 413
    assert page.get(headers={"Transfer-Encoding": "chunked"}).status == 413


def say(page, data):
    """What comes back for these bytes, until the end."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=5) as client:
        with contextlib.suppress(OSError):
            client.sendall(data)
        out = b""
        with contextlib.suppress(ConnectionResetError):
            while more := client.recv(65536):
                out += more
        return out


def test_requests_that_are_too_large_or_no_requests(sink, page):
    for data in (
        b"GET /" + b"a" * MAX_REQUEST_BYTES,
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * MAX_REQUEST_BYTES,
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * (MAX_REQUEST_BYTES // 6 + 1),
    ):
        assert say(page, data).startswith(b"HTTP/1.0 431 ")
    for data in (b"\0" * 99 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\r\n"):
        assert b" 200 " not in say(page, data)
    assert page.get("alive").status == 200


def test_a_request_that_comes_drop_by_drop_is_hung_up_on(sink, page, monkeypatch):
    monkeypatch.setattr(_web_server, "REQUEST_S", 0.5)
    with socket.create_connection(("127.0.0.1", page.port), timeout=5) as client:
        started_s = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011 -- a reset or a broken pipe, as it falls
            while time.monotonic() < started_s + 10:
                client.sendall(b"G")
                time.sleep(0.05)
        assert 0.3 < time.monotonic() - started_s < 8
    sink.write(composed(1))
    watcher = Watcher(page)  # who has asked is left alone
    time.sleep(0.9)
    sink.write(composed(2))
    assert [watcher.picture(), watcher.picture()] == [1, 2]
    watcher.close()


def test_a_hundred_at_once_do_not_slow_write_and_leave_nothing(sink, page):
    before = threading.active_count()
    clients = [socket.create_connection(("127.0.0.1", page.port), timeout=5) for _ in range(100)]
    request = f"GET {page.path}stream HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode()
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(request)
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    took_s = []
    for number in range(30):
        started_s = time.monotonic()
        sink.write(ComposedFrame(number, noise, number / 25, 0.0))
        took_s.append(time.monotonic() - started_s)
        time.sleep(0.01)
    assert np.median(took_s) < 0.005
    assert max(took_s) < 1
    answers = []
    for client in clients:
        with contextlib.suppress(OSError):
            answers.append(client.recv(12)[9:])
    assert answers.count(b"200") == MAX_WATCHERS
    assert len(answers) > MAX_WATCHERS
    assert set(answers) <= {b"200", b"503", b""}  # the last: hung up on
    assert threading.active_count() <= before + MAX_CONNECTIONS
    for client in clients:
        client.close()

    def are_gone():
        sink.write(composed(1))
        return threading.active_count() <= before

    wait_for(are_gone, limit_s=15)
    assert page.get("alive").status == 200


def test_so_many_connections_and_no_more(sink, page, monkeypatch):
    silent = [socket.create_connection(("127.0.0.1", page.port), timeout=5) for _ in range(MAX_CONNECTIONS)]
    wait_for(lambda: len(sink._server._since_s) == MAX_CONNECTIONS)
    with contextlib.suppress(ConnectionResetError):
        assert say(page, b"") == b""
    monkeypatch.setattr(_web_server, "REQUEST_S", 0.0)
    wait_for(lambda: not sink._server._since_s)  # they said nothing
    monkeypatch.undo()
    assert page.get("alive").status == 200
    for client in silent:
        client.close()


def test_it_listens_on_loopback_only(sink):
    assert sink._server.server_address[0] == "127.0.0.1"
    assert sink.name.startswith("http://127.0.0.1:")
    for spec in ("web:0.0.0.0:0", "web:[::]:0", "web:192.168.1.5:8765", "web:::ffff:0.0.0.0:0", "web:8.8.8.8:1"):
        with pytest.raises(UsageError, match=r"could watch; give web:\d+, or add --allow-remote"):
            open_sink(spec, size_wh=(64, 48), fps=25)
    with pytest.raises(UsageError, match=r"'evil\.example' is no address"):
        open_sink("web:evil.example:1", size_wh=(64, 48), fps=25, allow_remote=True)


def test_allow_remote_listens_elsewhere_and_keeps_the_other_rules():
    sink = open_sink("web:0.0.0.0:0", size_wh=(64, 48), fps=25, allow_remote=True)
    page = Page(sink.name)
    assert sink._server.server_address[0] == "0.0.0.0"
    assert "0.0.0.0" not in sink.name
    assert page.get("alive").status == 200
    for name, status in [("192.168.1.5", 200), (socket.gethostname(), 200), ("evil.example", 403)]:
        assert page.get("alive", headers={"Host": f"{name}:{page.port}"}).status == status, name
    assert page.get(path="/stream").status == 403
    assert page.get("alive", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    sink.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being told")
def test_loopback_has_other_numbers_too():
    for spec in ("web:127.0.0.2:0", "web:localhost:0"):
        sink = open_sink(spec, size_wh=(64, 48), fps=25)
        assert urlsplit(sink.name).hostname == {"web:localhost:0": "127.0.0.1"}.get(spec, "127.0.0.2")
        host = urlsplit(sink.name).hostname
        connection = http.client.HTTPConnection(host, urlsplit(sink.name).port, timeout=5)
        connection.request("GET", urlsplit(sink.name).path)
        assert connection.getresponse().status == 200
        sink.close()
    assert Guard("::1", 80).url.startswith("http://[::1]:80/")


# ---- watchers


def test_watcher_gets_the_newest_frame_and_those_that_follow(sink, page):
    sink.write(composed(3))
    sink.write(composed(4))
    watcher = Watcher(page)
    assert watcher.picture() == 4
    sink.write(composed(5))
    assert watcher.picture() == 5
    watcher.close()


def test_nothing_is_encoded_unless_someone_watches_and_then_once(sink, page):
    for number in range(20):
        sink.write(composed(number))
    assert sink.encoded == 0
    watchers = [Watcher(page) for _ in range(3)]
    assert [watcher.picture() for watcher in watchers] == [19] * 3
    assert sink.encoded == 1
    for watcher in watchers:
        watcher.close()


def test_a_slow_watcher_never_slows_write(sink, page):
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    slow = Watcher(page)  # reads nothing more: its socket fills up and its thread blocks
    sink.write(ComposedFrame(0, noise, 0.0, 0.0))
    longest_s = 0.0
    for number in range(1, 40):
        start = time.monotonic()
        sink.write(ComposedFrame(number, noise, number / 25, 0.0))
        longest_s = max(longest_s, time.monotonic() - start)
        time.sleep(0.005)
    assert longest_s < 1
    quick = Watcher(page)
    assert quick.picture() is not None
    quick.close()
    slow.close()


def test_few_frames_wait_for_a_slow_watcher(sink, page):
    """What lies in its connection would be seen after the panic button was pressed."""
    noise = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        slow.connect(("127.0.0.1", page.port))
        slow.sendall(f"GET {page.path}stream HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        for number in range(80):
            sink.write(ComposedFrame(number, noise, number / 25, 0.0))
            time.sleep(0.005)
        assert 2 <= sink.encoded <= 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is on its way")
def test_two_small_pictures_at_most_wait_for_a_slow_watcher(sink, page):
    """And the third that it gets is the newest."""
    shades = np.random.default_rng(0).integers(60, 200, (22, 40, 3), np.uint8)
    smooth = cv2.resize(shades, (320, 180))  # JPEGs of 11 KB, of which a connection would hold a dozen
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", page.port))
        slow.sendall(f"GET {page.path}stream HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        for number in range(80):
            sink.write(ComposedFrame(number, smooth, number / 25, 0.0))
            time.sleep(0.005)
        assert 1 <= sink.encoded <= 2
        sink.write(ComposedFrame(80, np.full_like(smooth, 250), 3.2, 0.0))
        slow.settimeout(5)
        got = b""
        while got.count(b"\xff\xd9\r\n--") < sink.encoded or sink.encoded < 3:
            got += slow.recv(1 << 16)
        assert sink.encoded == 3
        assert len(got) < 40_000


def test_one_too_many_watchers_is_refused_and_places_come_back(sink, page):
    watchers = [Watcher(page) for _ in range(MAX_WATCHERS)]
    assert {watcher.status for watcher in watchers} == {b"200"}
    extra = Watcher(page)
    assert extra.status == b"503"
    extra.close()
    watchers[0].close()

    def place_is_free():
        sink.write(composed(1))  # a thread notices that its watcher has gone when it sends
        again = Watcher(page)
        again.close()
        return again.status == b"200"

    wait_for(place_is_free)
    for watcher in watchers[1:]:
        watcher.close()


def test_close_ends_watchers_and_frees_the_port(sink, page):
    sink.write(composed(1))
    watcher = Watcher(page)
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
        socket.create_connection(("127.0.0.1", page.port), timeout=1)
    with pytest.raises(SinkError, match="closed already"):
        sink.write(composed(2))
    open_sink(f"web:{page.port}", size_wh=(64, 48), fps=25).close()


def test_taken_port(sink, page):
    with pytest.raises(SinkError, match=f"port {page.port} is taken by another program; web:0 picks a free one"):
        open_sink(f"web:{page.port}", size_wh=(64, 48), fps=25)


@pytest.mark.parametrize("spec", ["web:abc", "web:65536", "web:-1", "web:8 0", "web:127.0.0.1:", "web:0.0.0.0"])
def test_ports_that_make_no_sense(spec):
    with pytest.raises(UsageError, match=f"{spec}: a port is a number"):
        open_sink(spec, size_wh=(64, 48), fps=25)
