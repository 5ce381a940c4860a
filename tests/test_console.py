"""A run whose standard output is closed or full goes on; a command whose result it was says so."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import one_line

from bgcam.realtime.command import cli
from bgcam.realtime.command.console import LastingStream

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="by the shell's redirections")


class Full(io.StringIO):
    """Takes text and has no space for it."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_cannot_be_written_is_dropped() -> None:
    stream = LastingStream(Full())
    assert stream.write("lost") == 4
    assert isinstance(stream.failed, OSError)
    closed = io.StringIO()
    closed.close()
    stream = LastingStream(closed)
    stream.write("lost")
    stream.flush()
    assert isinstance(stream.failed, ValueError)
    assert not stream.isatty()


def run(redirection: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = " ".join([f"{sys.executable} -m bgcam", *arguments, redirection])
    return subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_a_run_goes_on_without_its_status_lines(in_tmp: Path, tiny_model: Path, redirection: str) -> None:
    if "/dev/full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    model = ("--model", str(tiny_model), "--threads", "1")
    ran = run(redirection, "-i", "photo.png", "-b", "green", "-o", "out.png", *model, folder=in_tmp)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert (in_tmp / "out.png").stat().st_size > 0


def test_an_error_without_a_place_to_say_it_is_its_exit_code(in_tmp: Path) -> None:
    assert run("2>&-", "-i", "gone.png", "-o", "out.png", folder=in_tmp).returncode == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_list_that_could_not_be_written_is_an_error(tmp_path: Path) -> None:
    ran = run(">/dev/full", "backgrounds", folder=tmp_path)
    assert ran.returncode == 1
    assert "cannot write to standard output (No space left on device)" in one_line(ran.stderr)


def test_a_reader_that_has_gone_is_no_error_to_tell(tmp_path: Path) -> None:
    ran = run("| true", "backgrounds", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_streams_are_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    assert cli.main(["--version"]) == 0
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out.startswith("bgcam ")
