"""The socket and the control page over a run whose frames flow, from a room that has a secret."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from live_run import LEVELS, LiveRun
from page_client import ControlPage, PreviewStream
from waiting import wait_for

from bgcam.realtime.control.client import Client
from bgcam.realtime.control.controller import LiveControl
from bgcam.realtime.control.front import Front
from bgcam.realtime.control.protocol import BackgroundInfo, ConfirmationNeeded
from bgcam.realtime.errors import BackgroundError, UsageError
from bgcam.realtime.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no UNIX sockets on Windows")


class Names:
    """A library of the backgrounds that `LiveRun` opens."""

    def entries(self) -> tuple[BackgroundInfo, ...]:
        return tuple(BackgroundInfo(name, name, "yours") for name in ("blue", "gone", "navy"))


class Together:
    def __init__(self) -> None:
        self.run = LiveRun()
        library: Any = Names()
        self.control = LiveControl(
            self.run.run,
            self.run.camera,
            Settings(background="blue"),
            library=library,
            keep_choice=lambda background: None,
        )


@pytest.fixture
def together() -> Iterator[Together]:
    made = Together()
    with made.run, Front(made.control):
        yield made


def test_random_commands_while_frames_flow_never_show_the_room(together: Together) -> None:
    client, chance = Client(), random.Random(7)
    refused = 0

    def command() -> None:
        match chance.randrange(10):
            case 0 | 1:
                client.change({"background": chance.choice(["blue", "navy", "moving", "gone", "none"])})
            case 2:
                client.change({"light_wrap": chance.choice([0, 2.5, 10, 11]), "mirror": chance.random() < 0.5})
            case 3:
                client.change({"edge": chance.choice([[], ["shrink:2"], ["grow", "sharp:1"], ["wide"]])})
            case 4:
                chance.choice([client.next_background, client.previous_background])()
            case 8:
                place = chance.choice(["off", "bottom-right", "top", "0.3,0.6", "botom"])
                client.change({"presenter": place, "presenter_size": chance.choice([10, 33, 57.5, 100])})
            case 9:
                client.change({"crossfade_s": chance.choice([0, 0.1, 2, 6]), "slide_interval_s": 3})
            case 5:
                client.panic(chance.random() < 0.5)
            case 6:
                assert client.status().state in ("live", "panic", "placeholder")
            case _:
                client.change({chance.choice(["x", "frame", "far"]): chance.choice(["follow", True, "whole", 3])})

    for _ in range(1000):
        try:
            command()
        except (ConfirmationNeeded, BackgroundError, UsageError):
            refused += 1
    client.panic(False)
    client.change({"background": "navy", "edge": [], "light_wrap": 0, "frame": "whole", "mirror": False})
    client.change({"presenter": "off", "crossfade_s": 0})
    together.run.frames()
    assert 100 < refused < 700
    assert together.run.sink.leaks == []
    assert together.run.file.leaks == []
    assert together.run.sink.blue == LEVELS["navy"]
    assert sorted(set(together.run.file.numbers)) == together.run.file.numbers


def test_the_room_only_with_a_confirmation(together: Together) -> None:
    client = Client()
    with pytest.raises(ConfirmationNeeded):
        client.change({"background": "none"})
    together.run.frames()
    assert together.run.sink.leaks == []
    assert client.change({"background": "none"}, confirm_room=True)["background"] == "none"
    wait_for(lambda: together.run.sink.leaks != [])


def test_page_and_socket_see_each_others_changes_and_the_picture(together: Together) -> None:
    client = Client()
    page = ControlPage(client.page())
    stream = PreviewStream(page)
    jpeg = stream.picture()
    assert jpeg is not None
    assert jpeg[:2] == b"\xff\xd8"
    assert page.post("api/set", {"values": {"background": "navy"}})[0] == 200
    assert client.values()["background"] == "navy"
    client.panic(True)
    together.run.placeholder()
    assert page.json("api/status")["status"]["state"] == "panic"
    assert page.post("api/panic", {"on": False})[0] == 200
    wait_for(lambda: client.status().state == "live")
    stream.close()
    client.quit()
    wait_for(lambda: not together.run.thread.is_alive())
