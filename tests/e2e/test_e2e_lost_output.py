"""The virtual camera taken away while bgcam runs, and made again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import lab
import pytest
from programs import Program
from writers import write_grey

from bgcam.realtime.holders import find_holders

Start = Callable[..., Program]


@pytest.fixture
def loopback() -> Iterator[None]:
    """v4l2loopback as it was, afterwards. To be asked for first: what holds its devices has to end before."""
    lab.need_kernel()
    yield
    lab.load_loopback()


def test_a_virtual_camera_that_is_removed_and_made_again_is_taken_again(
    loopback: None, on_beach: Start, program: Start, output: str
) -> None:
    if lab.driver_version() >= (0, 14):
        pytest.skip("since 0.14 nobody can make bgcam let go of its device, and one that is open cannot be removed")
    run = on_beach()

    def is_held() -> bool:
        return any(holder.pid == run.pid for holder in find_holders(output).found)

    def sleeps_without_it() -> bool:
        os.kill(run.pid, signal.SIGSTOP)
        if is_held():
            os.kill(run.pid, signal.SIGCONT)
            return False
        return True

    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
    # A device that is open cannot be removed; bgcam closes it where another writer has changed the format.
    other = program(lambda: write_grey(output), "othercam")
    run.says("no picture gets there")
    lab.wait_until(sleeps_without_it, "bgcam to let go of the device")
    other.kill()
    lab.unload("v4l2loopback")
    os.kill(run.pid, signal.SIGCONT)
    run.says("no picture gets there: it is gone; opening it again, tried")
    lab.load_loopback("devices=1", "video_nr=30", "exclusive_caps=1", "card_label=bgcam")
    with lab.viewing("/dev/video30") as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach, under another number")
    assert run.stop() == 0
