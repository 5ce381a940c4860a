"""The socket of a running bgcam: who may ask, what is answered, and that nobody can keep others out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_control import FakeControl
from waiting import wait_for

from bgcam.realtime.control import instance
from bgcam.realtime.control import socket as control_socket
from bgcam.realtime.control.front import Front
from bgcam.realtime.control.instance import AlreadyRuns, check_name, runs_already, socket_path
from bgcam.realtime.control.socket import MAX_CLIENTS, MAX_REQUEST_BYTES
from bgcam.realtime.errors import BackgroundError, SinkError, UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no UNIX sockets on Windows")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def front(control: FakeControl) -> Iterator[Front]:
    with Front(control) as made:
        yield made


class Line:
    """One connection to the socket."""

    def __init__(self, name: str = "default"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(str(socket_path(name)))
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> Any:
        """The next answer; None at the end."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def ask(self, **request: Any) -> Any:
        self.send(json.dumps(request).encode() + b"\n")
        return self.read()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def answers(name: str = "default") -> bool:
    """Whether a new client is answered."""
    one = Line(name)
    try:
        return bool(one.ask(do="status")["ok"])
    finally:
        one.close()


@pytest.fixture
def line(front: Front) -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


def test_everything_that_can_be_asked(line: Line, control: FakeControl) -> None:
    assert [one["name"] for one in line.ask(do="settings")["settings"]][:2] == ["background", "edge"]
    assert line.ask(do="values") == {"ok": True, "values": control.now}
    assert line.ask(do="set", values={"mirror": True, "light_wrap": 2.5})["values"]["light_wrap"] == 2.5
    assert line.ask(do="status")["status"]["state"] == "live"
    assert line.ask(do="status")["values"]["mirror"] is True
    assert line.ask(do="backgrounds")["backgrounds"][0]["spec"] == "blur"
    assert line.ask(do="next")["values"]["background"] == "beach"
    assert line.ask(do="panic", on=True) == {"ok": True, "on": True}
    assert line.ask(do="status")["status"]["state"] == "panic"
    assert line.ask(do="quit") == {"ok": True}
    assert (control.on, control.quits) == (True, 1)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UsageError("no such"), "UsageError"),
        (BackgroundError("x.jpg: gone"), "BackgroundError"),
        (ZeroDivisionError("oops"), "BgcamError"),
    ],
)
def test_errors_have_their_kind_and_one_line(line: Line, control: FakeControl, error: Exception, kind: str) -> None:
    control.fails = error
    answer = line.ask(do="set", values={"mirror": True})
    assert answer["error"]["kind"] == kind
    assert str(error) in answer["error"]["message"]
    assert "\n" not in answer["error"]["message"]
    assert "ok" not in answer


def test_the_room_needs_a_confirmation(line: Line, control: FakeControl) -> None:
    assert line.ask(do="set", values={"background": "none"})["error"]["kind"] == "ConfirmationNeeded"
    assert control.now["background"] == "blur"
    assert line.ask(do="set", values={"background": "none"}, confirm_room=True)["values"]["background"] == "none"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"{\n",
        b"\xff\xfe\x00\n",
        b"GET / HTTP/1.1\n",
        b"[]\n",
        b'{"do": 3}\n',
        b'{"do": "sett"}\n',
        b'{"do": "panic"}\n',
        b'{"do": "panic", "on": "yes"}\n',
        b'{"do": "set", "values": {"a": {"b": 1}}}\n',
        b'{"do": "set", "values": {}, "confirm": true}\n',
        b'{"do": "set", "values": {"fps": NaN}}\n',
        b'{"do": "status", "x": ' + b"[" * 30_000 + b"\n",
    ],
)
def test_garbage_is_answered_in_one_line_and_changes_nothing(line: Line, control: FakeControl, garbage: bytes) -> None:
    line.send(garbage)
    assert line.read()["error"]["kind"] == "UsageError"
    assert line.ask(do="status")["ok"]
    assert control.asked == []


def test_a_misspelt_request_gets_a_suggestion(line: Line) -> None:
    assert line.ask(do="sttaus")["error"]["message"] == "unknown request 'sttaus'; did you mean status?"


def test_a_request_that_is_too_long_ends_the_connection(line: Line, front: Front) -> None:
    line.send(b"a" * (MAX_REQUEST_BYTES + 100))
    assert "at most" in line.read()["error"]["message"]
    assert line.read() is None
    assert answers()


def test_a_slow_change_does_not_delay_others(front: Front, line: Line, control: FakeControl) -> None:
    control.gate = threading.Event()
    line.send(b'{"do": "set", "values": {"mirror": true}}\n')
    other = Line()
    assert other.ask(do="status")["ok"]
    assert other.ask(do="panic", on=True)["on"]
    assert not control.now["mirror"]
    control.gate.set()
    assert line.read()["values"]["mirror"] is True
    other.close()


def test_those_who_stay_silent_keep_nobody_out(front: Front) -> None:
    silent = [Line() for _ in range(3 * MAX_CLIENTS)]
    silent[-1].send(b'{"do": "stat')
    assert [answers() for _ in range(5)] == [True] * 5
    for one in silent:
        one.close()


def test_who_stays_silent_is_hung_up_on(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "REQUEST_S", 0.2)
    silent = Line()
    assert silent.read() is None
    silent.close()


def test_a_client_that_leaves_in_the_middle_harms_nobody(front: Front, control: FakeControl) -> None:
    control.wait_s = 0.1
    for _ in range(5):
        left = Line()
        left.send(b'{"do": "set", "values": {"mirror": true}}\n')
        left.close()
    assert answers()
    wait_for(lambda: len(control.asked) == 5)


def test_a_client_that_reads_nothing_is_hung_up_on(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_SEND_S", 0.3)
    deaf = Line()
    deaf.socket.settimeout(0.5)
    with pytest.raises(OSError):  # noqa: PT011 -- a time-out, a reset or a broken pipe, as it falls
        for _ in range(5_000):
            deaf.send(b'{"do": "settings"}\n' * 100)
    assert answers()
    deaf.close()


def test_another_user_is_refused(front: Front, monkeypatch: pytest.MonkeyPatch, control: FakeControl) -> None:
    monkeypatch.setattr(control_socket, "peer_uid", lambda connection: os.geteuid() + 1)
    stranger = Line()
    with contextlib.suppress(OSError):  # it may be closed already
        stranger.send(b'{"do": "quit"}\n')
    assert stranger.read()["error"]["message"] == "this socket answers to its own user only"
    assert stranger.read() is None
    assert control.quits == 0
    stranger.close()


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="only Linux says who is at the other end")
def test_the_kernel_says_who_asks() -> None:
    ours, theirs = socket.socketpair()
    assert control_socket.peer_uid(ours) == os.geteuid()
    ours.close()
    theirs.close()


def test_folder_and_socket_are_closed_to_others(front: Front, runtime: Path) -> None:
    assert (runtime / "bgcam").stat().st_mode & 0o777 == 0o700
    assert (runtime / "bgcam/default.sock").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_safe_is_refused(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runtime / "bgcam"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(SinkError, match=r"open to other users \(mode 755\); run: chmod 700"):
        Front(FakeControl())
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(SinkError, match="belongs to another user"):
        Front(FakeControl())
    monkeypatch.undo()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    folder.rmdir()
    folder.symlink_to(runtime)
    with pytest.raises(SinkError, match="is not a folder"):
        Front(FakeControl())


def test_a_folder_that_cannot_be_made_is_one_line(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (runtime / "file").write_text("")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / "file"))
    with pytest.raises(SinkError, match="cannot be made"):
        Front(FakeControl())


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 33, "é"])
def test_names_that_an_instance_cannot_have(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)


def test_without_xdg_runtime_dir_there_is_a_place_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", unset)
        path = instance.folder_path()
        assert path.is_absolute()
        assert path.name == "bgcam"


def test_a_path_too_long_for_a_socket(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / ("x" * 100)))
    with pytest.raises(SinkError, match="too long for a socket"):
        socket_path("default")


def test_one_instance_a_name(front: Front) -> None:
    pattern = (
        rf"bgcam is already running \(process {os.getpid()}, since \d\d:\d\d\): bgcam set ..., bgcam ui, bgcam quit"
    )
    with pytest.raises(AlreadyRuns, match=pattern):
        Front(FakeControl())
    assert runs_already() != ""
    assert runs_already("work") == ""
    with Front(FakeControl(), name="work"):
        assert "bgcam quit --instance work" in runs_already("work")
        assert answers("work")
    assert runs_already("work") == ""
    assert answers()


def test_the_day_is_named_when_it_was_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert instance._clock(0).startswith(("1970-01-01 ", "1969-12-31 "))


def test_after_the_end_nothing_is_left(control: FakeControl, runtime: Path) -> None:
    before = threading.active_count()
    front = Front(control)
    talking = Line()
    assert talking.ask(do="status")["ok"]
    front.close()
    front.close()
    assert talking.read() is None
    talking.close()
    assert [path.name for path in (runtime / "bgcam").iterdir()] == ["default.lock"]
    assert runs_already() == ""
    wait_for(lambda: threading.active_count() <= before)
    Front(control).close()


def test_what_a_killed_one_left_is_removed(runtime: Path) -> None:
    code = """
import signal, sys
from fake_control import FakeControl
from bgcam.realtime.control.front import Front
front = Front(FakeControl())
print("up", flush=True)
signal.pause()
"""
    killed = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"up\n"
    assert f"process {killed.pid}," in runs_already()
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    killed.stdout.close()
    assert socket_path("default").exists()
    assert runs_already() == ""
    with Front(FakeControl()):
        assert answers()


def test_many_commands_at_once_are_all_answered(front: Front, control: FakeControl) -> None:
    answered: list[bool] = []

    def work(at: int) -> None:
        mine = Line()
        for count in range(40):
            mirror = bool((at + count) % 2)
            answered.append(mine.ask(do="set", values={"mirror": mirror})["ok"])
            answered.append(mine.ask(do="status")["ok"])
        mine.close()

    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answered == [True] * 640
