"""The control page: what must not come through, whatever other pages, users and programs try."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from fake_control import FakeControl
from page_client import ControlPage, PreviewStream
from waiting import wait_for
from web_client import raw_answer

from bgcam.realtime.control.front import Front
from bgcam.realtime.control.page import bodies, door, peer, server, stream
from bgcam.realtime.control.page.bodies import MAX_JSON_BYTES
from bgcam.realtime.control.page.door import MAX_KNOWN, MAX_STRANGERS
from bgcam.realtime.control.page.guard import Rate
from bgcam.realtime.control.requests import REQUESTS
from bgcam.realtime.sinks.web.sink import WebSink

POSTS = [name for name, request in REQUESTS.items() if request.changes and request.on_page]
DETAILS = {"set": {"values": {"mirror": True}}, "panic": {"on": True}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeControl, Front]]:
    """One page for all tests: without a rate, which each has to have for itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        patch.setattr(server, "CHANGES_PER_S", 1e6)
        control = FakeControl()
        with Front(control) as front:
            front.open()
            yield control, front


@pytest.fixture
def control(shared: tuple[FakeControl, Front]) -> FakeControl:
    shared[0].__init__()  # type: ignore[misc]
    return shared[0]


@pytest.fixture
def front(shared: tuple[FakeControl, Front]) -> Front:
    return shared[1]


@pytest.fixture
def page(front: Front, control: FakeControl) -> ControlPage:
    return ControlPage(front.open())


def is_untouched(control: FakeControl) -> bool:
    return not control.asked and not control.quits and not control.uploads


ALTERED = [
    {"Origin": None},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://{host}"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost:{port}"},  # ours, but not the page that asks
    {"X-Bgcam-Key": None},
    {"X-Bgcam-Key": ""},
    {"X-Bgcam-Key": "{key}x"},
    {"X-Bgcam-Key": "wrong"},
    {"Content-Type": None},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "text/plain; application/json"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Host": "evil.example:{port}"},
    {"Host": "127.0.0.1"},
]


@pytest.mark.parametrize("altered", ALTERED, ids=str)
def test_forged_requests(page: ControlPage, control: FakeControl, altered: dict[str, str | None]) -> None:
    for name in POSTS:
        headers = page.own_headers()
        for header, value in altered.items():
            if value is None:
                del headers[header]
            else:
                headers[header] = value.format(host=page.host, port=page.port, key=page.key)
        status, answer = page.post(f"api/{name}", DETAILS.get(name), headers=headers)
        assert status in (403, 415), (name, status)
        assert isinstance(answer, str)
        assert answer.count("\n") == 1
    headers = page.own_headers("application/octet-stream") | {
        header: (value or "").format(host=page.host, port=page.port, key=page.key) for header, value in altered.items()
    }
    assert page.post("api/upload?name=x.jpg", headers=headers, body=b"\xff\xd8")[0] in (403, 415)
    assert is_untouched(control)


def test_a_form_cannot_upload(page: ControlPage, control: FakeControl) -> None:
    assert page.post("api/upload?name=x.jpg", headers=page.own_headers(), body=b"\xff\xd8")[0] == 415
    assert page.post("api/set", headers=page.own_headers("application/octet-stream"), body=b"{}")[0] == 415
    assert is_untouched(control)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_other_methods(page: ControlPage, control: FakeControl, method: str) -> None:
    status, headers, _ = page.request(method, "api/set", headers=page.own_headers())
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]
    assert is_untouched(control)


def test_reading_changes_nothing(page: ControlPage, control: FakeControl) -> None:
    for name in POSTS:
        assert page.get(f"api/{name}?on=true")[0] == 405
    assert is_untouched(control)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1.evil:{port}"},
        {"Host": "[::]:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_dns_rebinding_and_other_sites_cannot_read(page: ControlPage, headers: dict[str, str]) -> None:
    sent = {name: value.format(port=page.port) for name, value in headers.items()}
    for route in ("", "main.js", "api/status", "api/preview", "api/thumbnail?spec=none"):
        status, answer, body = page.get(route, headers=sent)
        assert (status, body.count(b"\n")) == (403, 1)
        assert "access-control-allow-origin" not in answer


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site", "X-Bgcam-Key", "Content-Length"])
def test_a_header_that_comes_twice(page: ControlPage, control: FakeControl, name: str) -> None:
    lines = [f"POST {page.path}api/quit HTTP/1.1", f"Host: {page.host}", "Content-Length: 2"]
    lines += [f"{header}: {value}" for header, value in page.own_headers().items()]
    own = {"Host": page.host, "Content-Length": "3"}.get(name) or page.own_headers()[name]
    answer = raw_answer(page.port, "\r\n".join([*lines, f"{name}: {own}", "", "{}"]).encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert is_untouched(control)


def test_the_key_is_needed_and_is_another_each_time(page: ControlPage, control: FakeControl) -> None:
    key = page.key
    assert len(key) >= 20
    wrong = [
        "/",
        "/api/status",
        f"/{key[:-1]}/",
        f"/{key}x/",
        f"/{key}",
        f"/{key.swapcase()}/",
        f"/?{key}",
        f"//{key}/",
    ]
    for path in [*wrong, f"/x/{key}/", f"/%2f{key}/", "/api/preview", "/main.js", "/%00/", f"/{key}%2f", f"/.//{key}/"]:
        status, _, body = page.get(path=path)
        assert status == 403, path
        assert b"bgcam ui" in body
    with Front(FakeControl(), name="other") as other:
        assert key not in other.open()
        assert ControlPage(other.open()).get(path=f"/{key}/")[0] == 403


def test_it_is_not_the_key_of_the_web_output(page: ControlPage) -> None:
    output = WebSink("0", size_wh=(64, 48), fps=25)
    try:
        assert page.get(path=f"/{ControlPage(output.name).key}/api/status")[0] == 403
        assert ControlPage(output.name).get(path=page.path)[0] == 403
    finally:
        output.close()


def test_a_referer_with_the_key_opens_nothing(page: ControlPage, control: FakeControl) -> None:
    referer = {"Referer": f"http://{page.host}{page.path}"}
    assert page.get(path="/api/status", headers=referer)[0] == 403
    headers = page.own_headers() | referer
    del headers["X-Bgcam-Key"]
    assert page.post("api/quit", headers=headers)[0] == 403
    assert is_untouched(control)


@pytest.mark.parametrize(
    "path",
    [
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/__init__.py",
        "./main.js",
        "%6dain.js",
        "main.js/",
        "main.js%00",
        "api/../main.js",
        "..\\..\\x",
        "//etc/passwd",
        "web/main.js",
        "index.html",
    ],
)
def test_no_path_leads_out(page: ControlPage, path: str) -> None:
    status, _, body = page.get(path)
    assert status == 404
    assert b"root:" not in body


def test_another_user_with_the_key_is_refused(
    page: ControlPage, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "is_ours", lambda client, server: False)
    status, _, body = page.get("api/status")
    assert (status, body) == (403, b"the control page answers to its own user only\n")
    assert page.post("api/quit")[0] == 403
    assert is_untouched(control)


def test_whose_connection_it_is(page: ControlPage, monkeypatch: pytest.MonkeyPatch) -> None:
    if not peer.TABLES[0].exists():
        pytest.skip("this system does not say whose a connection is")
    own = ("127.0.0.1", page.port)
    with page.connect() as client:
        assert peer.is_ours(client.getsockname(), own)
        monkeypatch.setattr("os.geteuid", lambda: 12345)
        assert not peer.is_ours(client.getsockname(), own)
    assert not peer.is_ours(("127.0.0.1", 1), own)
    assert peer.is_ours(("127.0.0.1", 1), own, tables=())


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff\xff",
        b'{"values": 3}',
        b'{"values": {"mirror": {}}}',
        b'{"values": {}, "confirm_rooom": true}',
        b'{"values": ' + b'{"a":' * 5000,
        b'{"values": {"fps": 1e999}}',
    ],
    ids=range(8),
)
def test_details_that_are_none(page: ControlPage, control: FakeControl, body: bytes) -> None:
    status, answer = page.post("api/set", body=body)
    assert (status, answer["error"]["kind"]) == (400, "UsageError")
    assert is_untouched(control)


def test_bodies_that_are_too_large(page: ControlPage, control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_UPLOAD_BYTES", 1_000_000)
    status, answer = page.post("api/set", body=b" " * (MAX_JSON_BYTES + 1))
    assert status == 413
    assert "64 KB" in answer["error"]["message"]
    assert page.upload("x.jpg", b"\xff\xd8" * 500_001)[0] == 413
    # Announced as larger than what comes, and with no end.
    for length in ("1000000000000", "999999999999999999999999"):
        head = head_of(page, "api/upload?name=x.jpg", length)
        assert raw_answer(page.port, head + b"a").startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))
    assert is_untouched(control)
    assert page.get("api/status")[0] == 200


def head_of(page: ControlPage, route: str, length: str | None) -> bytes:
    kind = "application/octet-stream" if "upload" in route else "application/json"
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    own = [f"{header}: {value}" for header, value in page.own_headers(kind).items()]
    lines = [f"POST {page.path}{route} HTTP/1.1", f"Host: {page.host}", "Connection: close", size, *own]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_body_without_end(page: ControlPage, control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_UPLOAD_BYTES", 300_000)
    with page.connect() as client:
        client.sendall(head_of(page, "api/upload?name=x.jpg", None))
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 500_000_000:
                client.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
                sent += 65536
        assert sent < 500_000_000
    assert is_untouched(control)
    assert page.get("api/status")[0] == 200


@pytest.mark.parametrize(
    "name", ["", "..", "/", "a/..", "%00.jpg", ".hidden", "x" * 300, "a%0d%0ab", "a%e2%80%aeb.jpg"]
)
def test_names_of_uploads_that_are_none(page: ControlPage, control: FakeControl, name: str) -> None:
    assert page.upload(name, b"\xff\xd8")[0] == 400
    assert is_untouched(control)


@pytest.mark.parametrize("name", ["../../x.jpg", "%2fetc%2fx.jpg", "c:%5cx.jpg", "..%5c..%5cx.jpg"])
def test_only_the_last_part_of_a_name_counts(page: ControlPage, control: FakeControl, name: str) -> None:
    assert page.upload(name, b"\xff\xd8")[0] == 200
    assert control.uploads == [("x.jpg", 2)]


def test_one_upload_at_a_time_and_a_stalled_one_ends(
    page: ControlPage, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PAUSE_S", 0.5)
    with page.connect() as stalled:
        stalled.sendall(head_of(page, "api/upload?name=x.jpg", "1000") + b"a")
        wait_for(lambda: page.upload("y.jpg", b"\xff\xd8")[0] == 503)
        answer = stalled.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400 ")
    wait_for(lambda: page.upload("y.jpg", b"\xff\xd8")[0] == 200)
    assert {name for name, _ in control.uploads} == {"y.jpg"}


def test_changes_have_a_rate_and_panic_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CHANGES_PER_S", 5.0)
    with Front(FakeControl(), name="rated") as rated:
        page = ControlPage(rated.open())
        statuses = [page.post("api/set", {"values": {"mirror": True}})[0] for _ in range(40)]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses
        assert page.post("api/panic", {"on": True})[0] == 200
        assert page.get("api/status")[0] == 200


def test_a_rate_recovers() -> None:
    rate = Rate(5)
    assert [rate.takes_one() for _ in range(7)] == [True] * 5 + [False] * 2
    rate._at_s -= 0.5
    assert [rate.takes_one() for _ in range(3)] == [True, True, False]


def connect(page: ControlPage, count: int) -> list[socket.socket]:
    return [page.connect() for _ in range(count)]


def close(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


@pytest.mark.parametrize("says", [b"", b"GET / HT", b"GET /aaaaaaaaaaaaaaaaaaaaaaaa/ HTTP/1.1\r\nHost: "])
def test_a_hundred_strangers_keep_nobody_out(front: Front, page: ControlPage, says: bytes) -> None:
    watching = PreviewStream(page)
    assert watching.picture() is not None
    strangers = connect(page, 100)
    for client in strangers:
        with contextlib.suppress(OSError):
            client.sendall(says)
    assert [page.get("api/status")[0] for _ in range(10)] == [200] * 10
    assert watching.picture() is not None
    assert front._page is not None
    assert len(front._page.door) <= MAX_STRANGERS + 3
    watching.close()
    close(strangers)


def test_slow_requests_are_hung_up_on(page: ControlPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "REQUEST_S", 0.5)
    with page.connect() as client:
        begun_s = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011 -- a reset or a broken pipe, as it falls
            while time.monotonic() < begun_s + 10:
                client.sendall(b"G")
                time.sleep(0.05)
        assert 0.3 < time.monotonic() - begun_s < 8
    with page.connect() as silent:
        assert silent.recv(1) == b""
    assert page.get("api/status")[0] == 200


def test_a_slow_body_is_hung_up_on(page: ControlPage, control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "JSON_S", 0.3)
    with page.connect() as client:
        client.sendall(head_of(page, "api/quit", "100") + b"{")
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert is_untouched(control)


def test_a_viewer_that_reads_nothing_is_hung_up_on(
    front: Front, page: ControlPage, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_SEND_S", 0.5)
    monkeypatch.setattr(door, "REQUEST_S", 0.5)
    monkeypatch.setattr(FakeControl, "preview", lambda self, after, **_: _large(self, after))
    deaf = page.connect()
    deaf.sendall(f"GET {page.path}api/preview HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
    assert front._page is not None
    connections = front._page.door
    wait_for(lambda: control.previews > 0)
    assert len(connections) > 0
    wait_for(lambda: len(connections) == 0, limit_s=10)
    assert page.get("api/status")[0] == 200
    deaf.close()


def _large(control: FakeControl, after: int) -> object:
    from bgcam.realtime.control.protocol import Preview

    control.previews += 1
    return Preview(after + 1, bytes(500_000))


def test_connections_with_the_key_have_a_limit_too(page: ControlPage) -> None:
    known = connect(page, MAX_KNOWN)
    for client in known:
        client.sendall(f"GET {page.path} HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
    status, _, body = page.get("api/status")
    assert (status, body) == (503, f"{MAX_KNOWN} connections are open already; close some pages\n".encode())
    close(known)
    wait_for(lambda: page.get("api/status")[0] == 200)


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 99 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=range(9),
)
def test_what_is_no_request(page: ControlPage, capfd: pytest.CaptureFixture[str], data: bytes) -> None:
    assert b" 200 " not in raw_answer(page.port, data).partition(b"\r\n")[0]
    assert page.get("api/status")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_websocket_is_no_way_in(page: ControlPage, control: FakeControl, capfd: pytest.CaptureFixture[str]) -> None:
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA=="]
    lines = [f"GET {page.path}api/status HTTP/1.1", f"Host: {page.host}", "Origin: http://evil.example", *upgrade]
    assert raw_answer(page.port, "\r\n".join([*lines, "", ""]).encode()).startswith(b"HTTP/1.1 403 ")
    assert capfd.readouterr() == ("", "")


def test_a_flood_of_changes_from_many_threads_ends_nothing(page: ControlPage, control: FakeControl) -> None:
    statuses: list[int] = []

    def work() -> None:
        for count in range(10):
            statuses.append(page.post("api/set", {"values": {"mirror": bool(count % 2)}})[0])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 80
    assert page.get("api/status")[0] == 200
