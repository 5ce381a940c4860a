"""The control page's server: what it answers, and that it starts and ends cleanly."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from urllib.parse import quote

import pytest
from fake_control import BACKGROUNDS, SETTINGS, FakeControl
from page_client import ControlPage, PreviewStream
from waiting import wait_for

from bgcam.realtime.control.calls import Calls
from bgcam.realtime.control.front import Front
from bgcam.realtime.control.page.assets import FILES
from bgcam.realtime.control.page.server import PageServer
from bgcam.realtime.control.page.stream import MAX_STREAMS
from bgcam.realtime.control.requests import Served
from bgcam.realtime.errors import BackgroundError, SinkError


class NoPages:
    address = "http://127.0.0.1:1/"

    def open(self) -> str:
        raise AssertionError


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[FakeControl, PageServer]]:
    control, calls = FakeControl(), Calls()
    made = PageServer(Served(control, NoPages()), calls)
    yield control, made
    made.close()
    calls.close()


@pytest.fixture
def control(shared: tuple[FakeControl, PageServer]) -> FakeControl:
    shared[0].__init__()  # type: ignore[misc]
    return shared[0]


@pytest.fixture
def server(shared: tuple[FakeControl, PageServer]) -> PageServer:
    return shared[1]


@pytest.fixture
def page(server: PageServer, control: FakeControl) -> ControlPage:
    return ControlPage(server.url)


def test_every_file_of_the_page_is_served_with_its_type(page: ControlPage) -> None:
    folder = files("bgcam.realtime") / "assets" / "web"
    assert {one.name for one in folder.iterdir()} == {name for name, _ in FILES.values()}
    for route, (name, kind) in FILES.items():
        status, headers, body = page.get(route)
        assert (status, headers["content-type"].partition(";")[0]) == (200, kind.partition(";")[0])
        assert body == (folder / name).read_bytes()


def test_headers_of_every_answer(page: ControlPage) -> None:
    for route in ("", "main.js", "api/status", "api/thumbnail?spec=beach", "gone"):
        _, headers, _ = page.get(route)
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_nothing_in_the_page_comes_from_elsewhere() -> None:
    folder = files("bgcam.realtime") / "assets" / "web"
    for name, _ in FILES.values():
        text = (folder / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text.replace("https://", "http://") or "://" not in text, name
        assert "innerHTML" not in text
        assert "style=" not in text


def test_what_can_be_read(page: ControlPage, control: FakeControl) -> None:
    control.notice = "the camera was lost"
    assert [one["name"] for one in page.json("api/settings")["settings"]] == [one.name for one in SETTINGS]
    assert page.json("api/values") == {"values": control.now}
    assert page.json("api/backgrounds")["backgrounds"][0]["spec"] == BACKGROUNDS[0].spec
    found = page.json("api/status")
    assert found["values"] == control.now
    assert (found["status"]["notice"], found["status"]["page"]) == ("the camera was lost", NoPages.address)


def test_what_can_be_changed(page: ControlPage, control: FakeControl) -> None:
    assert page.post("api/set", {"values": {"mirror": True}})[0] == 200
    assert control.now["mirror"] is True
    assert page.post("api/next")[1]["values"]["background"] == "beach"
    assert page.post("api/previous")[1]["values"]["background"] == "blur"
    for on in (True, True, False):
        assert page.post("api/panic", {"on": on}) == (200, {"on": on})
        assert control.on is on
    assert page.post("api/quit") == (200, {})
    assert control.quits == 1


def test_errors_are_one_line_with_their_kind(page: ControlPage, control: FakeControl) -> None:
    status, answer = page.post("api/set", {"values": {"light_wrap": 99}})
    assert (status, answer["error"]["kind"]) == (400, "UsageError")
    status, answer = page.post("api/set", {"values": {"background": "none"}})
    assert (status, answer["error"]["kind"]) == (409, "ConfirmationNeeded")
    assert page.post("api/set", {"values": {"background": "none"}, "confirm_room": True})[0] == 200
    control.fails = BackgroundError("x.jpg cannot be read")
    status, answer = page.post("api/set", {"values": {"mirror": True}})
    assert (status, answer) == (422, {"error": {"kind": "BackgroundError", "message": "x.jpg cannot be read"}})
    control.fails = ZeroDivisionError("oops")
    status, answer = page.post("api/set", {"values": {"mirror": True}})
    assert status == 500
    assert answer["error"]["message"] == "unexpected error in the running bgcam: ZeroDivisionError: oops"


def test_thumbnails_of_what_can_be_chosen_alone(page: ControlPage, control: FakeControl) -> None:
    for background in BACKGROUNDS:
        if background.kind in ("camera", "room"):
            continue
        status, headers, body = page.get(f"api/thumbnail?spec={quote(background.spec, safe='')}")
        assert (status, headers["content-type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    for spec in ("none", "camera:/dev/video2"):
        assert b"has no thumbnail" in page.get(f"api/thumbnail?spec={spec}")[2]
    for spec in ("/etc/passwd", "", "../x", "beach2"):
        status, _, body = page.get(f"api/thumbnail?spec={quote(spec, safe='')}")
        assert (status, b"not among the backgrounds" in body) == (422, True)
    control.now["background"] = "/elsewhere/mine.png"  # by the command
    assert page.get("api/thumbnail?spec=/elsewhere/mine.png")[0] == 200


def test_an_upload_becomes_a_background(page: ControlPage, control: FakeControl) -> None:
    data = b"\xff\xd8" + bytes(300_000)
    status, answer = page.upload(quote("Büro 2.jpg"), data)
    assert (status, answer["background"]["name"]) == (200, "Büro 2.jpg")
    assert control.uploads == [("Büro 2.jpg", len(data))]
    status, answer = page.upload("x.jpg", b"hello")
    assert (status, answer["error"]["kind"]) == (422, "BackgroundError")


def test_the_preview_is_a_stream_of_pictures(page: ControlPage, control: FakeControl) -> None:
    stream = PreviewStream(page, "matte")
    assert stream.status == 200
    assert stream.headers[b"content-type"].startswith(b"multipart/x-mixed-replace")
    assert all(jpeg is not None and jpeg[:2] == b"\xff\xd8" for jpeg in (stream.picture(), stream.picture()))
    stream.close()
    wait_for(lambda: _is_still(control))
    assert page.get("api/preview?view=room")[0] == 400


def test_a_preview_that_there_is_not_is_refused_and_one_that_ends_is_ended(
    page: ControlPage, control: FakeControl
) -> None:
    stream = PreviewStream(page, "cutout")
    assert stream.picture() is not None
    control.only_composite = True
    while stream.picture() is not None:
        pass
    stream.close()
    status, _, body = page.get("api/preview?view=cutout")
    assert (status, b"is not drawn now; give composite" in body) == (400, True)


def _is_still(control: FakeControl) -> bool:
    """Whether nobody asks for previews any more."""
    before = control.previews
    time.sleep(0.3)
    return control.previews == before


def test_so_many_may_watch_and_a_place_becomes_free(page: ControlPage) -> None:
    streams = [PreviewStream(page) for _ in range(MAX_STREAMS)]
    assert {stream.status for stream in streams} == {200}
    status, _, body = page.get("api/preview")
    assert (status, b"pages watch already" in body) == (503, True)
    streams.pop().close()
    wait_for(lambda: _watches(page))
    for stream in streams:
        stream.close()


def _watches(page: ControlPage) -> bool:
    stream = PreviewStream(page)
    stream.close()
    return stream.status == 200


def test_a_slow_change_does_not_delay_status_and_panic(page: ControlPage, control: FakeControl) -> None:
    control.gate = threading.Event()
    slow = threading.Thread(target=page.post, args=("api/set", {"values": {"mirror": True}}))
    slow.start()
    assert page.get("api/status")[0] == 200
    assert page.post("api/panic", {"on": True})[0] == 200
    assert not control.now["mirror"]
    control.gate.set()
    slow.join(10)
    assert control.now["mirror"]


def test_slow_thumbnails_do_not_delay_status(page: ControlPage, control: FakeControl) -> None:
    control.gate = threading.Event()
    slow = [threading.Thread(target=page.get, args=("api/thumbnail?spec=beach",)) for _ in range(4)]
    for thread in slow:
        thread.start()
    assert page.get("api/status")[0] == 200
    assert all(thread.is_alive() for thread in slow)
    control.gate.set()
    for thread in slow:
        thread.join(10)


def test_unknown_routes_and_wrong_methods(page: ControlPage) -> None:
    assert page.get("nothing")[0] == 404
    assert page.get("api/page")[0] == 404  # the socket's alone
    assert page.get("api/set")[0] == 405
    assert page.post("api/status")[0] == 405
    assert page.get("api/status/")[0] == 404


def test_a_port_in_use_is_one_line(server: PageServer, control: FakeControl) -> None:
    with pytest.raises(SinkError, match=r"the control page's port \d+ cannot be opened"):
        PageServer(Served(control, NoPages()), Calls(), port=int(server.address.split(":")[2].strip("/")))


def test_at_the_end_connections_and_threads_are_gone(control: FakeControl) -> None:
    before = threading.active_count()
    front = Front(control)
    assert front.address == ""
    page = ControlPage(front.open())
    assert front.address == f"http://{page.host}/"
    stream = PreviewStream(page)
    assert stream.picture() is not None
    begun_s = time.monotonic()
    front.close()
    assert time.monotonic() - begun_s < 3
    while stream.picture() is not None:
        pass
    stream.close()
    wait_for(lambda: threading.active_count() <= before)
    with pytest.raises(OSError):  # noqa: PT011 -- nobody listens
        page.connect()
    with pytest.raises(SinkError, match="is ending"):
        front.open()


def test_its_libraries_are_not_loaded_before_the_page_is_wanted() -> None:
    code = """
import os, sys, tempfile
os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
from fake_control import FakeControl
from bgcam.realtime.control.front import Front
with Front(FakeControl()) as front:
    assert "starlette" not in sys.modules and "uvicorn" not in sys.modules
    front.open()
    assert "starlette" in sys.modules
"""
    folder = str(files("bgcam") / "tests")
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "")
