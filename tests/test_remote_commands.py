"""bgcam set, get, status, next, panic, resume, quit and ui, as a terminal, a hotkey or a script meets them."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from command import one_line
from fake_control import FakeControl
from waiting import wait_for

from bgcam.realtime.command import cli, control_page
from bgcam.realtime.command.options import parse_arguments
from bgcam.realtime.command.remote import COMMANDS, absolute, as_text, parse_values
from bgcam.realtime.control.client import Client
from bgcam.realtime.control.front import Front
from bgcam.realtime.errors import UsageError
from bgcam.realtime.room_status import RoomStatus

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no UNIX sockets on Windows")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


@pytest.fixture
def control() -> Iterator[FakeControl]:
    made = FakeControl()
    with Front(made):
        yield made


class Command:
    def __init__(self, capsys: pytest.CaptureFixture[str]):
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = cli.main([*arguments])
        out, err = self._capsys.readouterr()
        return code, out, err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def test_set_changes_and_prints_what_it_changed(command: Command, control: FakeControl) -> None:
    assert command("set", "mirror=on", "light-wrap=2.5") == (0, "mirror = on\nlight_wrap = 2.5\n", "")
    assert control.asked == [("set", ({"mirror": "on", "light_wrap": "2.5"}, False))]
    assert control.now["mirror"] is True


def test_a_list_is_given_by_repeating_its_name(command: Command, control: FakeControl) -> None:
    assert command("set", "edge=shrink:2", "edge=sharp")[1] == "edge = shrink:2,sharp\n"
    assert control.now["edge"] == ["shrink:2", "sharp"]


def test_set_refuses_the_room_unless_confirmed(command: Command, control: FakeControl) -> None:
    code, _, err = command("set", "background=none")
    assert code == 2
    assert one_line(err) == "bgcam: this would show your room to the others: add --confirm-room\n"
    assert control.now["background"] == "blur"
    assert command("set", "--confirm-room", "background=none")[:2] == (0, "background = none\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mirror"], "'mirror' is not NAME=VALUE"),
        (["=on"], "'=on' is not NAME=VALUE"),
        (["mirror=maybe"], "'maybe' is neither on nor off"),
        (["miror=on"], "unknown setting 'miror'"),
        (["fps=20"], "cannot change while bgcam runs"),
        (["light_wrap=99"], "99 is not from 0 to 10"),
    ],
)
def test_what_set_refuses(command: Command, control: FakeControl, words: list[str], message: str) -> None:
    before = dict(control.now)
    code, out, err = command("set", *words)
    assert (code, out) == (2, "")
    assert message in one_line(err)
    assert control.now == before


def test_get_prints_all_one_or_some(command: Command, control: FakeControl) -> None:
    code, out, _ = command("get")
    assert code == 0
    assert out.splitlines()[:3] == ["background = blur", "edge = ", "light_wrap = 0"]
    assert command("get", "mirror")[1] == "off\n"
    assert command("get", "mirror", "fps")[1] == "mirror = off\nfps = 30\n"
    assert json.loads(command("get", "--json", "mirror")[1]) == {"mirror": False}
    assert json.loads(command("get", "--json")[1]) == control.now


def test_get_suggests_a_name(command: Command, control: FakeControl) -> None:
    code, out, err = command("get", "mirrr")
    assert (code, out) == (2, "")
    assert one_line(err) == "bgcam: unknown setting 'mirrr'; did you mean mirror?\n"


def test_status_for_people_and_for_programs(command: Command, control: FakeControl) -> None:
    control.notice = "the camera was lost; waiting for it"
    control.state = "placeholder"
    code, out, _ = command("status")
    assert code == 0
    assert out.splitlines()[:3] == [
        "placeholder: the camera was lost; waiting for it",
        "30.0 fps, 21 ms latency, 87 % CPU, 1234 frames, 2 dropped",
        "source: Integrated Camera; background: blur; model: small on OpenVINO on the processor",
    ]
    found = json.loads(command("status", "--json")[1])
    assert (found["state"], found["pid"], found["page"]) == ("placeholder", 4242, "")


def test_next_and_previous_name_the_slide(
    command: Command, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = replace(control.status(), slide="slide 3 of 12: x.png")
    monkeypatch.setattr(control, "status", lambda: status)
    for name in ("next", "previous"):
        assert command(name) == (0, "slide 3 of 12: x.png\n", "")
    assert "(slide 3 of 12: x.png); model: " in command("status")[1]


def test_next_previous_panic_resume_quit(command: Command, control: FakeControl) -> None:
    assert command("next")[:2] == (0, "background = beach\n")
    assert command("previous")[:2] == (0, "background = blur\n")
    for _ in range(2):
        assert command("panic")[0] == 0
        assert control.on
    for _ in range(2):
        assert command("resume")[0] == 0
        assert not control.on
    assert command("quit") == (0, "", "")
    assert control.quits == 1


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "ui"])
def test_where_none_runs(command: Command, name: str) -> None:
    words = ["mirror=on"] if name == "set" else []
    assert command(name, *words) == (1, "", "bgcam: no bgcam is running; start it with: bgcam\n")


def test_another_instance(command: Command, control: FakeControl) -> None:
    assert one_line(command("get", "--instance", "work")[2]).startswith("bgcam: no bgcam named work is running")
    assert command("get", "--instance", "a/b")[0] == 2
    other = FakeControl()
    with Front(other, name="work"):
        assert command("set", "--instance", "work", "mirror=on")[0] == 0
    assert (other.now["mirror"], control.now["mirror"]) == (True, False)


def test_every_command_has_its_help_and_is_one_of_the_clis(command: Command) -> None:
    assert set(COMMANDS) == set(cli.REMOTE)
    for name in COMMANDS:
        assert command(name, "--help")[0] == 0
    out = command("--help")[1]
    assert all(f"    {name} " in out for name in COMMANDS)


def test_options_of_the_run_are_refused(command: Command) -> None:
    assert "does not accept --camera" in one_line(command("--camera", "1", "panic")[2])
    assert "did you mean --confirm-room?" in one_line(command("set", "--confirm-rom", "background=none")[2])
    assert parse_arguments(["--debug", "get"]).debug


def test_relative_file_names_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    here = Path.cwd()
    (here / "office.jpg").write_bytes(b"")
    (here / "slides").mkdir()
    assert parse_values(["background=office.jpg"]) == {"background": str(here / "office.jpg")}
    for given, sent in {
        "slides": str(here / "slides"),
        "../x.png": str(here.parent / "x.png"),
        "gone.jpg": str(here / "gone.jpg"),
        "~/office.jpg": str(tmp_path / "office.jpg"),
        "/a/b.jpg": "/a/b.jpg",
        "beach": "beach",
        "beach.jpg": "beach",
        "Beach": "Beach",
        "./beach": str(here / "beach"),
        "blur:5": "blur:5",
        "none": "none",
        "#369": "#369",
        "rgb(0 128 0)": "rgb(0 128 0)",
        "rtsp://cam/x.mp4": "rtsp://cam/x.mp4",
        "ofice": "ofice",
        "": "",
    }.items():
        assert absolute(given) == sent
    assert parse_values(["model=slides"]) == {"model": "slides"}
    assert parse_values(["model=a/b.onnx"]) == {"model": str(here / "a/b.onnx")}
    assert parse_values(["camera=a/b.x"]) == {"camera": "a/b.x"}


def test_a_shipped_name_is_the_shipped_one_and_a_path_is_a_file() -> None:
    Path("beach.jpg").write_bytes(b"")
    Path("office").mkdir()
    assert absolute("beach.jpg") == os.path.abspath("beach.jpg")
    assert absolute("office") == "office"
    assert absolute("./office") == os.path.abspath("office")
    assert absolute("office/") == os.path.abspath("office")


def test_a_background_that_is_not_here_is_not_looked_for_elsewhere(command: Command, control: FakeControl) -> None:
    """The running bgcam's folder is another, and may have a file of that name."""
    assert command("set", "background=ofice")[::2] == (
        2,
        "bgcam: ofice: no such background; did you mean office? give a picture, a video, a folder, blur, a colour "
        "(green, #336699), none, or one of `bgcam backgrounds`\n",
    )
    assert "holidays: no such background" in one_line(command("set", "background=holidays")[2])
    assert control.asked == []


@pytest.mark.parametrize("words", [("background=beach", "background=blur"), ("mirror=on", "blur=8", "mirror=off")])
def test_what_is_no_list_is_given_once(command: Command, control: FakeControl, words: tuple[str, ...]) -> None:
    name = words[0].partition("=")[0]
    assert command("set", *words) == (2, "", f"bgcam: {name} is given twice; give it once\n")
    assert control.asked == []


@pytest.mark.parametrize("instance", [(), ("--instance", "work")])
def test_a_bgcam_that_ends_meanwhile_is_said_to_have_ended(command: Command, instance: tuple[str, ...]) -> None:
    made = FakeControl(gate=threading.Event())
    front = Front(made, name=instance[-1] if instance else "default")
    waiting = threading.Thread(target=lambda: got.append(command("set", *instance, "mirror=on")))
    got: list[tuple[int, str, str]] = []
    waiting.start()
    wait_for(lambda: any(front._socket._clients.values()))  # type: ignore[union-attr]
    closing = threading.Thread(target=front.close)
    closing.start()
    waiting.join(5)
    made.gate.set()  # type: ignore[union-attr]
    closing.join(5)
    start = " ".join(["bgcam", *instance])
    assert got == [(1, "", f"bgcam: bgcam ended before it answered; start it again with: {start}\n")]


def test_status_says_that_the_room_is_visible(command: Command, control: FakeControl) -> None:
    control.now["background"] = "none"
    assert command("status")[1].splitlines()[0] == "live, and your room is visible"
    control.on = True
    assert command("status")[1].splitlines()[0] == "panic"


@pytest.mark.parametrize("value", [True, False, 2.5, 3, "a b", ["shrink:2", "sharp"], [], None])
def test_what_get_prints_set_takes(value: object) -> None:
    text = as_text(value)
    assert parse_values([f"x={text}"]) == {"x": text}
    with pytest.raises(UsageError):
        parse_values([text])


def test_ui_prints_the_address_and_opens_it(
    command: Command, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    address = Client().page()
    assert command("ui") == (0, f"control page: {address}\n", "")
    assert opened == [address]
    assert command("ui", "--print")[1] == f"control page: {address}\n"
    assert opened == [address]
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        assert "there is no screen here" in command("ui")[1]
        assert opened == [address]


def test_ui_starts_a_bgcam_where_none_runs(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: Path
) -> None:
    code = """
import threading
from fake_control import FakeControl
from bgcam.realtime.control.front import Front
ended = threading.Event()
with Front(FakeControl(on_quit=ended.set)):
    ended.wait(30)
"""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    started = []
    real = control_page.start_detached

    def start(log: Path, options: list[str]) -> object:
        started.append(real(log, options, command=(sys.executable, "-c", code)))
        return started[-1]

    monkeypatch.setattr(control_page, "start_detached", start)
    code_, out, err = command("ui", "--print")
    assert (code_, err) == (0, "")
    assert out.splitlines()[0] == "no bgcam is running: starting one"
    assert out.splitlines()[1].startswith("control page: http://127.0.0.1:")
    assert os.getpgid(started[0].pid) != os.getpgid(0)
    assert (runtime / "bgcam/default.log").stat().st_mode & 0o777 == 0o600
    Client().quit()
    wait_for(lambda: started[0].poll() is not None, limit_s=15)


def test_ui_says_why_the_bgcam_that_it_started_has_ended(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; print('bgcam: no camera was found; plug one in', file=sys.stderr); sys.exit(1)"
    real = control_page.start_detached
    monkeypatch.setattr(
        control_page, "start_detached", lambda log, options: real(log, options, command=(sys.executable, "-c", code))
    )
    code_, _, err = command("ui", "--print")
    assert code_ == 1
    assert one_line(err) == "bgcam: bgcam ended at once: no camera was found; plug one in\n"


def test_ui_does_not_wait_for_ever(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_page, "START_S", 0.5)
    real = control_page.start_detached
    started = []

    def start(log: Path, options: list[str]) -> object:
        started.append(real(log, options, command=(sys.executable, "-c", "import time; time.sleep(60)")))
        return started[-1]

    monkeypatch.setattr(control_page, "start_detached", start)
    begun_s = time.monotonic()
    code, _, err = command("ui", "--print")
    assert code == 1
    assert "does not answer after 0.5 s" in one_line(err)
    assert time.monotonic() - begun_s < 5
    started[0].kill()
    started[0].wait(10)


def test_learn_room_waits_until_the_room_is_learnt(command: Command, control: FakeControl) -> None:
    control.rooms = [RoomStatus("learning"), RoomStatus("known")]
    out = "step out of the picture: the room is learnt once nobody is in it for two seconds\nthe room is learnt\n"
    assert command("learn-room") == (0, out, "")
    assert control.asked == [("learn_room", False)]


def test_learn_room_says_why_it_was_not(command: Command, control: FakeControl) -> None:
    control.rooms = [RoomStatus("learning"), RoomStatus("unknown", "the room was not learnt: someone is there")]
    code, _, err = command("learn-room")
    assert (code, one_line(err)) == (1, "bgcam: the room was not learnt: someone is there\n")


def test_learn_room_can_be_refused_and_forgets(command: Command, control: FakeControl) -> None:
    assert command("learn-room", "--forget")[:2] == (0, "the room is forgotten\n")
    assert control.asked == [("learn_room", True)]
    control.fails = UsageError("empty_room is off")
    assert command("learn-room")[0] == 2


def test_status_says_what_is_known_of_the_room_and_the_matte(command: Command, control: FakeControl) -> None:
    control.room = RoomStatus("known")
    assert "empty room: known; doubt about the matte 4%\n" in command("status")[1]
    told = json.loads(command("status", "--json")[1])
    assert (told["room"], told["matte_doubt"]) == ({"state": "known", "failed": ""}, 0.04)
