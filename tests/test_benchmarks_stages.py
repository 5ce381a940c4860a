"""`benchmarks stages`: processor time of each stage of the picture, compiled and not."""

from __future__ import annotations

import json

from bgcam.benchmarks import __main__ as benchmarks
from bgcam.benchmarks.stages import KINDS, table
from bgcam.realtime.picture import native
from bgcam.realtime.picture.stages import STAGES


def test_every_stage_is_timed_before_a_learnt_room_and_the_library_is_as_before(capsys) -> None:
    library = native.LIBRARY
    assert benchmarks.main(["stages", "--frames", "16", "--size", "160x90", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert native.LIBRARY is library
    assert found["learnt_room_is_known"]
    assert list(found["cpu_ms"]) == [kind for kind in KINDS if kind != KINDS[0] or library]
    for times in found["cpu_ms"].values():
        assert list(times) == [*STAGES, "draw"]
        assert times["room_plate"] > 0


def test_the_table_leaves_out_what_takes_nothing() -> None:
    rows = table({"compiled": {"edge": 0.001, "draw": 0.5}, "OpenCV": {"edge": 0.001, "draw": 1.5}}).splitlines()
    assert rows[2:] == ["| draw | 0.50 | 1.50 |", "| all | 0.50 | 1.50 |"]


def test_too_few_frames_are_refused(capsys) -> None:
    assert benchmarks.main(["stages", "--frames", "4"]) == 2
    assert "give at least 16" in capsys.readouterr().err
