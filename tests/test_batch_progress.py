"""How far a batch is, also while videos are done in parts."""

from __future__ import annotations

import io
from typing import Any

from bgcam.realtime.batch.jobs import Job, Outcome
from bgcam.realtime.batch.naming import Unit
from bgcam.realtime.batch.pool import Busy
from bgcam.realtime.batch.progress import Progress

LONG, SHORT = Unit("a.mp4", "a.mp4", "video", 300), Unit("b.mp4", "b.mp4", "video", 100)


def test_parts_count_as_shares_of_their_video() -> None:
    progress = Progress([Job(LONG), Job(SHORT)], to=io.StringIO(), clock=lambda: 0.0)

    def share(*busy: Busy) -> float:
        return progress._share(busy)

    def heard(unit: Unit, status: Any, **more: Any) -> None:
        progress.heard(Outcome(unit=unit, status=status, **more))

    heard(LONG, "cut", of_frames=100)
    assert share() == 0
    assert share(Busy(LONG, 20, 100)) == 0.15
    heard(LONG, "part", frames=40, of_frames=100)
    assert share() == 0.3
    heard(LONG, "part", frames=60, of_frames=100)
    heard(LONG, "done", of_frames=100)
    assert share() == 0.75
    assert "1/2 files, 100 frames" in progress.line([])
    heard(SHORT, "part", frames=10, of_frames=20)
    assert share() == 0.875
    heard(SHORT, "whole")
    assert share() == 0.75
