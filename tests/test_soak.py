"""The short form of `make soak`: no leak and no drift in a minute of a camera's frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from soak import Soaked, Use, soak

pytest.importorskip("openvino", reason="openvino is not installed on this machine")
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is counted by Linux's /proc")

FRAMES = 1200


def test_a_short_soak_leaks_nothing_and_does_not_drift(tmp_path: Path) -> None:
    found = soak(FRAMES, tmp_path)
    print(found)
    assert found.failures() == []


def test_it_would_tell() -> None:
    use = Use(100.0, 5, 10)
    fine = Soaked(10, 1.0, use, use, use, use, 0.0, 0, 1)
    assert fine.failures() == []
    more = Use(121.0, 6, 11)
    assert len(replace(fine, last=more).failures()) == 3
    assert len(replace(fine, after=more).failures()) == 2
    assert len(replace(fine, drift_ms=40.0, background_off=3, watched_bytes=0).failures()) == 3
