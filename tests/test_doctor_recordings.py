"""What `bgcam doctor` says of recordings that killed runs have left behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from clips import write_clip
from fake_system import FakeSystem, mint

from bgcam.realtime.atomic_write import NewFile
from bgcam.realtime.command import cli
from bgcam.realtime.command.doctor.checks import examine
from bgcam.realtime.command.doctor.finding import WARNING
from bgcam.realtime.command.doctor.recording_checks import check_left_behind
from bgcam.realtime.command.machine import Machine
from bgcam.realtime.command.system import System
from bgcam.realtime.sinks.claims import Claim, left_lines

pytestmark = pytest.mark.usefixtures("empty_cache")


def left(path: Path, data: bytes = b"a recording") -> Path:
    file = NewFile(path)
    file.write(data)
    file.close()
    return file.part


def test_a_recording_that_was_left_is_named_with_the_command_that_keeps_it(tmp_path: Path) -> None:
    system = mint(tmp_path / "machine")
    part = left(tmp_path / "my talk.mp4")
    system.left = [(part, 12_345_678)]
    (finding,) = check_left_behind(Machine(system))
    assert (finding.what, finding.verdict) == ("recording", WARNING)
    assert finding.found == f"a run that was killed left {part} (12.3 MB)"
    for name in ("my talk-rescued.mp4", "my talk-rescued-2.mp4"):
        subprocess.run(["sh", "-c", check_left_behind(Machine(system))[0].command], check=True, timeout=10)
        assert (tmp_path / name).read_bytes() == b"a recording"
        part.write_bytes(b"a recording")


def test_it_is_found_wherever_it_lies_and_no_other_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    here = left(tmp_path / "here" / "a.mp4")
    left(tmp_path / "here" / "empty.mp4", b"")
    (tmp_path / "here" / ".b.mp4.part").write_text("of another program")
    noted, alive = (Claim(tmp_path / "there" / name, noted=True) for name in ("c.mp4", "d.mp4"))
    for claim in (noted, alive):
        claim.file.write(b"a recording")
    noted.leave()
    found = {part for part, _ in System().left_behind()}
    assert found == {here.resolve(), noted.file.part.resolve()}
    alive.drop()


def test_without_any_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert "recordings" not in examine(Machine(FakeSystem(tmp_path))).sections


def test_the_next_run_to_that_name_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:

    part = left(tmp_path / "a.mp4")
    clip = write_clip(tmp_path / "clip.mp4", frames=2)
    assert cli.main(["--input", str(clip), "--background", "none", "--output", str(tmp_path / "a.mp4")]) == 0
    assert "".join(left_lines([part])) in capsys.readouterr().out
    assert part.read_bytes() == b"a recording"
