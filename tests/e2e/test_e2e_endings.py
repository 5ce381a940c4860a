"""What viewers are left with when bgcam is told to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import lab
import pytest
from programs import Program

Start = Callable[..., Program]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_background_alone_in_sight(on_beach: Start, output: str, ending: signal.Signals) -> None:
    run = on_beach()
    with lab.viewing(output) as viewer:
        viewer.reads_until(lab.shows_person, "the person on the beach")
        os.kill(run.pid, ending)
        last = None
        while run.code is None and (bgr := viewer.read()) is not None:
            last = bgr
        while last is not None and not lab.is_placeholder(last) and (bgr := viewer.read()) is not None:
            last = bgr
    assert last is not None
    assert lab.is_placeholder(last)
    assert run.ends() == 0
