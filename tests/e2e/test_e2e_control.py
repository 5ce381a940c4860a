"""A running bgcam is changed by commands, and viewers of the virtual camera see that and never the room."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import lab
import numpy as np
import pytest
from numpy.typing import NDArray
from programs import Program
from writers import feed_webcam

from bgcam.realtime.control.client import Client
from bgcam.realtime.control.protocol import ConfirmationNeeded
from bgcam.realtime.errors import UsageError

Start = Callable[..., Program]
COLOURS = {"#0000c8": (200, 0, 0), "#00c800": (0, 200, 0), "#c80000": (0, 0, 200)}  # CSS and BGR
COMMANDS = 60


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Of the bgcam that is started after this."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return Client()


def shows_room(bgr: NDArray[np.uint8]) -> bool:
    return lab.near(bgr[:20, :40], (lab.ROOM_GREY,) * 3)


def test_viewers_see_what_commands_change_and_never_the_room(
    client: Client, bgcam: Start, program: Start, beach: Path, tiny_model: Path, output: str
) -> None:
    webcam = lab.virtual_camera(lab.WEBCAM_LABEL)
    program(lambda: feed_webcam(webcam, moves=True), "webcam")
    lab.wait_until(lambda: lab.is_written(webcam), "the webcam")
    matte = ("--background", beach, "--model", tiny_model, "--threads", 1)
    run = bgcam("--camera", webcam, "--output", "virtual:bgcam", *matte)
    chance = random.Random(3)
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        for css, bgr in COLOURS.items():
            client.change({"background": css})
            viewer.reads_until(lambda seen, bgr=bgr: lab.near(seen[:20, :40], bgr), f"the background {css}")
        for _ in range(COMMANDS):
            match chance.randrange(5):
                case 0:
                    client.change({"background": chance.choice([*COLOURS])})
                case 1:
                    client.change({"mirror": chance.random() < 0.5, "light_wrap": chance.choice([0, 4])})
                case 2:
                    client.panic(chance.random() < 0.5)
                case 3:
                    with pytest.raises(ConfirmationNeeded):
                        client.change({"background": "none"})
                case _:
                    with pytest.raises(UsageError):
                        client.change({"backgroud": "blur"})
            # On an emulated processor that others keep busy, one read may time out.
            assert not shows_room(viewer.reads_until(lambda seen: True, "the next picture"))
        client.panic(True)
        client.change({"background": "#0000c8"})
        viewer.reads_until(lambda seen: lab.near(seen, COLOURS["#0000c8"]), "the background alone")
        client.panic(False)
    client.quit()
    assert run.ends() == 0
