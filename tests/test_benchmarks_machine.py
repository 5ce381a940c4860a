"""benchmarks/machine.py: what it tells of a machine, and what it does not."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bgcam.benchmarks import machine


def test_machine_from_proc_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = "processor\t: 0\nmodel name\t: Fast CPU 3000\nflags\t\t: fpu amx_int8 avx2\n\nmodel name\t: Other\n"
    (tmp_path / "cpuinfo").write_text(cpuinfo, encoding="utf-8")
    (tmp_path / "meminfo").write_text("MemTotal:       16777216 kB\nMemFree: 1 kB\n", encoding="utf-8")
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(platform, "release", lambda: "6.18-anna")
    found = machine.machine()
    assert (found["cpu"], found["flags"], found["memory_gib"]) == ("Fast CPU 3000", ["amx_int8", "avx2"], 16.0)
    assert found["system"].split()[1:] == ["6.18"]
    assert found["cores"] >= 1


def test_machine_without_proc_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "none")
    found = machine.machine()
    assert (found["flags"], found["memory_gib"]) == ([], None)


def test_description_names_nobody_and_no_place() -> None:
    text = json.dumps(machine.describe())
    assert f'"{platform.node()}"' not in text
    assert str(Path.home()) not in text
    assert str(machine.ROOT) not in text
    assert machine.describe()["versions"]["numpy"] == np.__version__


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(("git", *identity, *arguments), cwd=folder, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_commit_says_when_files_differ_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert machine.commit() is None
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1", encoding="utf-8")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    assert re.fullmatch(r"[0-9a-f]{12}", machine.commit() or "")
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert re.fullmatch(r"[0-9a-f]{12}\+changes", machine.commit() or "")
    (tmp_path / "deep").mkdir()
    monkeypatch.setattr(machine, "ROOT", tmp_path / "deep")  # as if installed inside that checkout
    assert machine.commit() is None
