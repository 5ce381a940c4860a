"""The short form of `make soak`: no leak and no drift in a minute of a camera's frames."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from soak import Soaked, Use

pytest.importorskip("openvino", reason="openvino is not installed on this machine")
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is counted by Linux's /proc")

FRAMES = 1200


def test_a_short_soak_leaks_nothing_and_does_not_drift() -> None:
    # By itself, with C's allocator as it is: a test process that keeps what it freed (`make test`) would hide a leak.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, str(Path(__file__).with_name("soak.py")), "--frames", str(FRAMES)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    print(ran.stdout)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_would_tell() -> None:
    use = Use(100.0, 5, 10)
    fine = Soaked(10, 1.0, use, use, use, use, 0.0, 0, 1)
    assert fine.failures() == []
    more = Use(121.0, 6, 11)
    assert len(replace(fine, last=more).failures()) == 3
    assert len(replace(fine, after=more).failures()) == 2
    assert len(replace(fine, drift_ms=40.0, background_off=3, watched_bytes=0).failures()) == 3
