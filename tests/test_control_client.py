"""A running bgcam from another process: typed answers, typed errors, and one line where none runs."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_control import SETTINGS, FakeControl

from bgcam.realtime.control import client as client_module
from bgcam.realtime.control.client import Client, NotRunning
from bgcam.realtime.control.front import Front
from bgcam.realtime.control.instance import socket_path
from bgcam.realtime.control.protocol import BackgroundInfo, ConfirmationNeeded, LiveStatus
from bgcam.realtime.control.wire import KINDS, packed, unpacked
from bgcam.realtime.errors import BackgroundError, BgcamError, GpuFailed, SinkError, UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no UNIX sockets on Windows")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def control() -> Iterator[FakeControl]:
    made = FakeControl()
    with Front(made):
        yield made


def test_answers_have_their_types(control: FakeControl) -> None:
    client = Client()
    assert tuple(client.settings()) == SETTINGS
    assert client.values() == control.now
    status = client.status()
    assert isinstance(status, LiveStatus)
    assert (status.state, status.outputs, status.page) == ("live", ("virtual camera /dev/video10",), "")
    assert client.backgrounds()[0] == BackgroundInfo("blur", "blur", "blur")
    assert client.change({"mirror": True})["mirror"] is True
    assert client.next_background()["background"] == "beach"
    client.panic(True)
    assert control.on
    client.panic(False)
    assert not control.on
    client.quit()
    assert control.quits == 1


def test_errors_are_raised_as_they_were(control: FakeControl) -> None:
    client = Client()
    with pytest.raises(UsageError, match="unknown setting 'miror'"):
        client.change({"miror": True})
    with pytest.raises(ConfirmationNeeded, match="show your room"):
        client.change({"background": "none"})
    control.fails = BackgroundError("office.jpg: cannot be read")
    with pytest.raises(BackgroundError, match=r"office\.jpg"):
        client.change({"mirror": True})
    assert client.change({"background": "none"}, confirm_room=True)["background"] == "none"


def test_a_file_whose_name_is_no_text_does_not_end_the_status(control: FakeControl) -> None:
    name = os.fsdecode(b"/home/me/caf\xe9.jpg")
    control.now["background"] = name
    client = Client()
    assert client.values()["background"] == r"/home/me/caf\xe9.jpg"
    with pytest.raises(UsageError, match=r"has bytes that are no text; rename the file"):
        client.change({"background": name})


def test_where_none_runs() -> None:
    with pytest.raises(NotRunning, match=r"^no bgcam is running; start it with: bgcam$"):
        Client().values()
    with Front(FakeControl()), pytest.raises(NotRunning, match="bgcam --instance work"):
        Client("work").values()
    with pytest.raises(NotRunning):  # the folder is there now
        Client().values()


def test_a_socket_that_nobody_listens_at_is_no_bgcam(runtime: Path) -> None:
    Front(FakeControl()).close()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(socket_path("default")))
    with pytest.raises(NotRunning):
        Client().values()


def test_a_folder_of_another_kind_is_refused(runtime: Path) -> None:
    folder = runtime / "bgcam"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(SinkError, match="open to other users"):
        Client().values()


@pytest.fixture
def liar(runtime: Path) -> Iterator[Callable[[bytes | None], None]]:
    """Something else at the socket: it gives this answer to one request; None: nothing, and stays connected."""
    (runtime / "bgcam").mkdir(mode=0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(socket_path("default")))
    listener.listen()
    listener.settimeout(10)
    ended = threading.Event()
    threads = []

    def answer_with(answer: bytes | None) -> None:
        def work() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:  # nobody asks it any more
                return
            with connection:
                if not connection.recv(65536):  # it has only looked
                    return
                if answer is None:
                    ended.wait(10)
                else:
                    connection.sendall(answer)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield answer_with
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)
    listener.close()


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"[]\n", b'{"ok": 1}\n', b'{"error": 3}\n', b'{"ok": true}\n'])
def test_answers_that_are_none(liar: Callable[[bytes | None], None], answer: bytes) -> None:
    liar(answer)
    with pytest.raises(BgcamError, match="the running bgcam"):
        Client().status()


def test_no_answer_within_the_time(liar: Callable[[bytes | None], None]) -> None:
    liar(None)
    with pytest.raises(BgcamError, match=r"did not answer within 0\.2 s"):
        Client().ask("status", 0.2)


def test_another_users_socket_is_not_asked(
    liar: Callable[[bytes | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        liar(b'{"ok": true, "page": "http://127.0.0.1:1/x/"}\n')
    monkeypatch.setattr(client_module, "peer_uid", lambda connection: os.geteuid() + 1)
    with pytest.raises(BgcamError, match="another user's program"):
        Client().page()
    monkeypatch.setattr(client_module, "peer_uid", lambda connection: os.geteuid())
    assert Client().page() == "http://127.0.0.1:1/x/"  # so that it ends


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_error_comes_through(kind: str) -> None:
    error = KINDS[kind](f"{kind}: what happened; what to do")
    found = unpacked(packed(error))
    assert (type(found), str(found)) == (type(error), str(error))


def test_kinds_that_are_not_listed_become_their_nearest() -> None:
    assert packed(GpuFailed("lost\n it")) == {"kind": "BackendError", "message": "lost it"}
    assert packed(KeyError("x"))["kind"] == "BgcamError"
    assert type(unpacked({"kind": "Newer", "message": "x"})) is BgcamError


def test_the_page_is_opened_once_and_for_all(control: FakeControl) -> None:
    client = Client()
    address = client.page()
    assert address.startswith("http://127.0.0.1:")
    assert client.page() == address
    assert client.status().page == address[: address.rindex("/", 0, -1) + 1]
