"""The web page: what it is, where it listens, and what watchers of it get."""

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
from shown import shown
from waiting import wait_for
from web_client import Page, Watcher, composed

from bgcam.realtime.errors import SinkError, UsageError
from bgcam.realtime.sinks import open_sink
from bgcam.realtime.sinks.web.guard import Guard
from bgcam.realtime.sinks.web.server import MAX_WATCHERS
from bgcam.realtime.sinks.web.sink import RemoteWebSink


def test_page(web_sink, page):
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


def test_head_is_get_without_the_body(web_sink, page):
    for route in ("", "alive", "nowhere", "stream"):
        answer = page.get(route, method="HEAD")
        assert answer.read() == b""
        assert answer.status == (404 if route == "nowhere" else 200)
        if route in ("", "alive"):
            assert int(answer.headers["Content-Length"]) == len(page.get(route).read())
    assert page.get(path="/", method="HEAD").status == 403


def test_it_listens_on_loopback_only(web_sink):
    assert web_sink._server.server_address[0] == "127.0.0.1"
    assert web_sink.name.startswith("http://127.0.0.1:")
    for spec in ("web:0.0.0.0:0", "web:[::]:0", "web:192.168.1.5:8765", "web:::ffff:0.0.0.0:0", "web:8.8.8.8:1"):
        with pytest.raises(UsageError, match=r"could watch; give web:\d+, or add --allow-remote"):
            open_sink(spec, size_wh=(64, 48), fps=25)
    with pytest.raises(UsageError, match=r"'evil\.example' is not an address"):
        open_sink("web:evil.example:1", size_wh=(64, 48), fps=25, allow_remote=True)


def test_allow_remote_listens_elsewhere_and_keeps_the_other_rules():
    web_sink = open_sink("web:0.0.0.0:0", size_wh=(64, 48), fps=25, allow_remote=True)
    page = Page(web_sink.name)
    assert isinstance(web_sink, RemoteWebSink)
    assert web_sink._server.server_address[0] == "0.0.0.0"
    assert "0.0.0.0" not in web_sink.name
    assert page.get("alive").status == 200
    for name, status in [("192.168.1.5", 200), (socket.gethostname(), 200), ("evil.example", 403)]:
        assert page.get("alive", headers={"Host": f"{name}:{page.port}"}).status == status, name
    assert page.get(path="/stream").status == 403
    assert page.get("alive", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    web_sink.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being told")
def test_loopback_has_other_numbers_too():
    for spec in ("web:127.0.0.2:0", "web:localhost:0"):
        web_sink = open_sink(spec, size_wh=(64, 48), fps=25)
        assert urlsplit(web_sink.name).hostname == {"web:localhost:0": "127.0.0.1"}.get(spec, "127.0.0.2")
        host = urlsplit(web_sink.name).hostname
        connection = http.client.HTTPConnection(str(host), urlsplit(web_sink.name).port, timeout=5)
        connection.request("GET", urlsplit(web_sink.name).path)
        assert connection.getresponse().status == 200
        web_sink.close()
    assert Guard("::1", 80).url.startswith("http://[::1]:80/")


def test_taken_port(web_sink, page):
    with pytest.raises(SinkError, match=f"port {page.port} is in use by another program; web:0 picks a free one"):
        open_sink(f"web:{page.port}", size_wh=(64, 48), fps=25)


@pytest.mark.parametrize("spec", ["web:abc", "web:65536", "web:-1", "web:8 0", "web:127.0.0.1:", "web:0.0.0.0"])
def test_ports_that_make_no_sense(spec):
    with pytest.raises(UsageError, match=f"{spec}: a port is a number"):
        open_sink(spec, size_wh=(64, 48), fps=25)


# ---- watchers


def test_watcher_gets_the_newest_frame_and_those_that_follow(web_sink, page):
    web_sink.write(composed(3))
    web_sink.write(composed(4))
    watcher = Watcher(page)
    assert watcher.picture() == 4
    web_sink.write(composed(5))
    assert watcher.picture() == 5
    watcher.close()


def test_nothing_is_encoded_unless_someone_watches_and_then_once(web_sink, page):
    for number in range(20):
        web_sink.write(composed(number))
    assert web_sink.encoded == 0
    watchers = [Watcher(page) for _ in range(3)]
    assert [watcher.picture() for watcher in watchers] == [19] * 3
    assert web_sink.encoded == 1
    for watcher in watchers:
        watcher.close()


def test_a_slow_watcher_never_slows_write(web_sink, page):
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    slow = Watcher(page)  # reads nothing more: its socket fills up and its thread blocks
    web_sink.write(shown(0, noise, 0.0, 0.0))
    longest_s = 0.0
    for number in range(1, 40):
        start = time.monotonic()
        web_sink.write(shown(number, noise, number / 25, 0.0))
        longest_s = max(longest_s, time.monotonic() - start)
        time.sleep(0.005)
    assert longest_s < 1
    quick = Watcher(page)
    assert quick.picture() is not None
    quick.close()
    slow.close()


@contextlib.contextmanager
def slow_watcher(page, *, holds_bytes):
    """A browser that asks for the stream and reads nothing by itself; so much fits into its end of the connection."""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, holds_bytes)
        slow.connect(("127.0.0.1", page.port))
        slow.sendall(f"GET {page.path}stream HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        yield slow


def test_few_frames_wait_for_a_slow_watcher(web_sink, page):
    """What lies in its connection would be seen after the panic button was pressed."""
    noise = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    with slow_watcher(page, holds_bytes=64 * 1024):
        for number in range(80):
            web_sink.write(shown(number, noise, number / 25, 0.0))
            time.sleep(0.005)
        assert 2 <= web_sink.encoded <= 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is on its way")
def test_two_small_pictures_at_most_wait_for_a_slow_watcher(web_sink, page):
    """And the third that it gets is the newest."""
    shades = np.random.default_rng(0).integers(60, 200, (22, 40, 3), np.uint8)
    smooth = cv2.resize(shades, (320, 180))  # JPEGs of 11 KB, of which a connection would hold a dozen
    with slow_watcher(page, holds_bytes=4096) as slow:
        for number in range(80):
            web_sink.write(shown(number, smooth, number / 25, 0.0))  # type: ignore[arg-type]
            time.sleep(0.005)
        assert 1 <= web_sink.encoded <= 2
        web_sink.write(shown(80, np.full_like(smooth, 250), 3.2, 0.0))
        slow.settimeout(5)
        got = b""
        while got.count(b"\xff\xd9\r\n--") < web_sink.encoded or web_sink.encoded < 3:
            got += slow.recv(1 << 16)
        assert web_sink.encoded == 3
        assert len(got) < 40_000


def test_one_too_many_watchers_is_refused_and_places_come_back(web_sink, page):
    watchers = [Watcher(page) for _ in range(MAX_WATCHERS)]
    assert {watcher.status for watcher in watchers} == {b"200"}
    extra = Watcher(page)
    assert extra.status == b"503"
    extra.close()
    watchers[0].close()

    def place_is_free():
        web_sink.write(composed(1))  # a thread notices that its watcher has gone when it sends
        again = Watcher(page)
        again.close()
        return again.status == b"200"

    wait_for(place_is_free)
    for watcher in watchers[1:]:
        watcher.close()


def test_close_ends_watchers_and_frees_the_port(web_sink, page):
    web_sink.write(composed(1))
    watcher = Watcher(page)
    assert watcher.picture() == 1
    seen = []
    reader = threading.Thread(target=lambda: seen.append(watcher.picture()))
    reader.start()
    web_sink.close()
    web_sink.close()
    web_sink.abort()
    reader.join(timeout=5)
    assert seen == [None]
    watcher.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", page.port), timeout=1)
    with pytest.raises(SinkError, match="closed already"):
        web_sink.write(composed(2))
    open_sink(f"web:{page.port}", size_wh=(64, 48), fps=25).close()
