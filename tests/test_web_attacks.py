"""The web page: what must not come through."""

import contextlib
import socket
import threading
import time
from collections import deque

import numpy as np
import pytest
from shown import shown
from waiting import wait_for
from web_client import Page, Watcher, composed, one_line, raw_answer

from bgcam.realtime.sinks import open_sink
from bgcam.realtime.sinks._web_door import Door
from bgcam.realtime.sinks.web import server
from bgcam.realtime.sinks.web.server import MAX_CONNECTIONS, MAX_KNOWN, MAX_REQUEST_BYTES, MAX_STRANGERS, MAX_WATCHERS


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "", "127.0.0.1.evil:{port}", "[::]:80"]
)
def test_dns_rebinding(web_sink, page, host):
    web_sink.write(composed(1))
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
def test_cross_site_requests(web_sink, page, headers):
    web_sink.write(composed(1))
    for route in ("", "stream"):
        answer = page.get(route, headers={name: value.format(port=page.port) for name, value in headers.items()})
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "other web pages" in one_line(answer)


@pytest.mark.parametrize("name", ["Host", "host", "Origin", "Sec-Fetch-Site"])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_that_comes_twice_is_refused(web_sink, page, name, first):
    own = {"host": page.host, "origin": f"http://{page.host}", "sec-fetch-site": "none"}[name.lower()]
    twice = [f"{name}: {own}", f"{name}: evil.example"]
    lines = [f"GET {page.path}alive HTTP/1.1", *(twice if first else reversed(twice))]
    lines += [] if name.lower() == "host" else [f"Host: {page.host}"]
    answer = raw_answer(page.port, "\r\n".join([*lines, "", ""]).encode())
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert answer.endswith(b"\r\n\r\na header that may appear only once was repeated\n")
    assert raw_answer(page.port, "\r\n".join([*lines[:1], f"Host: {page.host}", "", ""]).encode()).endswith(
        b"\r\n\r\nyes\n"
    )


def test_our_own_pages_requests_are_answered(web_sink, page):
    for site in ("same-origin", "none"):
        assert page.get("alive", headers={"Origin": f"http://{page.host}", "Sec-Fetch-Site": site}).status == 200


def test_the_key_is_needed_and_is_another_each_time(web_sink, page):
    key = page.path.strip("/")
    assert len(key) >= 20
    wrong = ["/", "/stream", "/alive", f"/{key[:-1]}/", f"/{key}x/stream", f"/{key}", f"/{key.swapcase()}/"]
    for path in [*wrong, f"/%20{key}/stream", "/%ff/stream", f"/?{key}", f"/x/{key}/stream"]:
        answer = page.get(path=path)
        assert answer.status == 403, path
        assert "open the address that bgcam printed" in one_line(answer)
    assert raw_answer(page.port, f"GET /\xff\xe9/ HTTP/1.0\r\nHost: {page.host}\r\n\r\n".encode("latin-1")).startswith(
        b"HTTP/1.0 403 "
    )
    other = open_sink("web:0", size_wh=(64, 48), fps=25)
    assert key not in other.name
    assert page.get(path=f"/{key}/stream?123", method="HEAD").status == 200
    assert Page(other.name).get(path=f"/{key}/stream").status == 403
    other.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "<script>"])
def test_other_methods_change_nothing_and_are_not_repeated(web_sink, page, method):
    answer = page.get(method=method)
    assert answer.status in (400, 501)
    assert "script" not in one_line(answer)


def test_a_body_is_refused_unread(web_sink, page):
    assert page.get(headers={"Content-Length": "1000000000"}).status == 413
    assert page.get(headers={"Transfer-Encoding": "chunked"}).status == 413


def test_requests_that_are_too_large_or_no_requests(web_sink, page):
    for data in (
        b"GET /" + b"a" * MAX_REQUEST_BYTES,
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * MAX_REQUEST_BYTES,
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * (MAX_REQUEST_BYTES // 6 + 1),
    ):
        assert raw_answer(page.port, data).startswith(b"HTTP/1.0 431 ")
    for data in (b"\0" * 99 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\r\n"):
        assert b" 200 " not in raw_answer(page.port, data)
    assert page.get("alive").status == 200


def test_a_request_that_comes_drop_by_drop_is_hung_up_on(web_sink, page, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_S", 0.5)
    with socket.create_connection(("127.0.0.1", page.port), timeout=5) as client:
        started_s = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011 -- a reset or a broken pipe, as it falls
            while time.monotonic() < started_s + 10:
                client.sendall(b"G")
                time.sleep(0.05)
        assert 0.3 < time.monotonic() - started_s < 8
    web_sink.write(composed(1))
    watcher = Watcher(page)  # who has asked is left alone
    time.sleep(0.9)
    web_sink.write(composed(2))
    assert [watcher.picture(), watcher.picture()] == [1, 2]
    watcher.close()


def test_a_hundred_at_once_do_not_slow_write_and_leave_nothing(web_sink, page):
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
        web_sink.write(shown(number, noise, number / 25, 0.0))
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
        web_sink.write(composed(1))
        return threading.active_count() <= before

    wait_for(are_gone, limit_s=15)
    assert page.get("alive").status == 200


def connect(page, count):
    return [socket.create_connection(("127.0.0.1", page.port), timeout=5) for _ in range(count)]


def close(clients):
    for client in clients:
        client.close()


@pytest.mark.parametrize("says", [b"", b"GET / HT", b"GET /aaaaaaaaaaaaaaaaaaaaaa/stream HTTP/1.1\r\nHost: "])
@pytest.mark.parametrize("count", [64, 200])
def test_strangers_who_stay_connected_keep_nobody_out(web_sink, page, count, says):
    web_sink.write(composed(1))
    watcher = Watcher(page)
    assert watcher.picture() == 1
    strangers = connect(page, count)
    for client in strangers:
        with contextlib.suppress(OSError):
            client.sendall(says)
    assert [page.get("alive").status for _ in range(99)] == [200] * 99
    web_sink.write(composed(2))
    assert watcher.picture() == 2  # who watched before is not hung up on
    second = Watcher(page)
    assert second.picture() == 2
    assert len(web_sink._server.door) <= MAX_STRANGERS + 3
    close([*strangers, watcher, second])


def test_a_flood_of_strangers_keeps_nobody_out(web_sink, page):
    """As many connections as two threads can make, silent ones and such that ask for something."""
    ended = threading.Event()
    made = [0, 0]

    def flood(at):
        open_ones = deque()
        while not ended.is_set():
            with contextlib.suppress(OSError):
                client = socket.create_connection(("127.0.0.1", page.port), timeout=1)
                open_ones.append(client)
                made[at] += 1
                if at:
                    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if len(open_ones) > 120:
                open_ones.popleft().close()
        close(open_ones)

    web_sink.write(composed(1))
    watcher = Watcher(page)
    threads = [threading.Thread(target=flood, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: sum(made) > 200)
        statuses = [page.get("alive").status for _ in range(20)]
        web_sink.write(composed(2))
        assert [watcher.picture(), watcher.picture()] == [1, 2]
    finally:
        ended.set()
        for thread in threads:
            thread.join(10)
        watcher.close()
    assert statuses == [200] * 20


def test_those_with_the_key_are_so_many_and_no_more_and_are_told(web_sink, page):
    known = connect(page, MAX_KNOWN)
    for client in known:
        client.sendall(f"GET {page.path}stream HTTP/1.1\r\n".encode())  # and does not go on
    wait_for(lambda: len(web_sink._server.door._known) == MAX_KNOWN)
    answer = page.get("alive")
    assert answer.status == 503
    assert one_line(answer) == f"{MAX_KNOWN} connections are open already; close some pages\n"
    close(known)
    wait_for(lambda: page.get("alive").status == 200)


def test_who_says_nothing_is_hung_up_on(web_sink, page, monkeypatch):
    silent = connect(page, 5)
    wait_for(lambda: len(web_sink._server.door) == 5)
    monkeypatch.setattr(server, "REQUEST_S", 0.0)
    wait_for(lambda: not len(web_sink._server.door))
    close(silent)


def test_the_door_never_looks_at_a_request_that_is_being_read():
    """Its bytes may be gone between "there are some" and the look, which would then wait with the door locked."""
    door = Door(2, 2)
    pairs = [socket.socketpair() for _ in range(4)]
    clients = [ours for ours, _ in pairs]
    looked: list[socket.socket] = []

    def shows_key(client: socket.socket) -> bool:
        looked.append(client)
        return False

    for client in clients[:2]:
        assert door.enter(client, lambda other: False)
    door.begin(clients[0], has_key=False)
    assert door.enter(clients[2], shows_key)
    assert looked == []
    assert door.begin(clients[1], has_key=True)
    assert door.enter(clients[3], shows_key)
    assert door.enter(clients[0], shows_key)
    assert looked == [clients[2]]
    close([end for pair in pairs for end in pair])


def test_a_stranger_is_only_hung_up_on_for_another_and_never_one_who_shows_the_key():
    door = Door(2, 3)
    pairs = [socket.socketpair() for _ in range(6)]
    clients = [ours for ours, _ in pairs]
    for client in clients[:3]:
        assert door.enter(client, lambda other: False)
    assert door.enter(clients[3], lambda other: other is clients[0])
    assert pairs[1][1].recv(1) == b""
    assert not door.enter(clients[4], lambda other: True)
    assert door.know(clients[0])
    assert not door.know(clients[1])  # it was hung up on
    assert door.enter(clients[4], lambda other: True)
    assert door.arrived(clients[2])
    assert not door.arrived(clients[3])
    assert len(door) == 4
    for client in clients:
        door.leave(client)
    assert not len(door)
    close([end for pair in pairs for end in pair])
