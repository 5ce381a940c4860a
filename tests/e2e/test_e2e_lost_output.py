"""The virtual camera's driver, taken away and loaded again: while bgcam writes that cannot be done."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import lab
import pytest
from programs import Program

Start = Callable[..., Program]


@pytest.fixture
def loopback() -> Iterator[None]:
    """v4l2loopback as it was, afterwards. To be asked for first: what holds its devices has to end before."""
    lab.need_kernel()
    yield
    lab.load_loopback()


def test_the_driver_cannot_be_unloaded_under_it_and_another_number_is_found_by_name(
    loopback: None, on_beach: Start, output: str
) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        unload = subprocess.run(["modprobe", "-r", "v4l2loopback"], capture_output=True, text=True)
        assert "in use" in unload.stderr
        viewer.reads_until(lab.shows_person, "the person on the beach, still")
    assert run.stop() == 0
    lab.load_loopback("devices=1", "video_nr=30", "exclusive_caps=1", "card_label=bgcam")
    run = on_beach()
    run.says("output: /dev/video30 (bgcam)")
    with lab.viewing("/dev/video30") as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach, under another number")
    assert run.stop() == 0
