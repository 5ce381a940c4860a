"""A part of a run that ends itself, as `sys.exit` does in a library, is an error: exit code 1, one line, no file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from command import one_line
from test_pipeline import FakeSink, FakeSource, render, slow_matting

from bgcam.realtime.command import cli, run
from bgcam.realtime.errors import BgcamError
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.run.pipeline import Pipeline

ENDINGS: list[BaseException] = [SystemExit(0), SystemExit("done"), KeyboardInterrupt(), asyncio.CancelledError()]


def raising(error: BaseException) -> Any:
    def call(*given: Any, **options: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize("error", ENDINGS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("part", ["read", "matte", "picture", "write"])
def test_a_stage_that_ends_itself_is_an_error(part: str, error: BaseException) -> None:
    source, sinks = FakeSource(5), [FakeSink(), FakeSink()]
    call = raising(error)
    if part == "read":
        source.read = call  # type: ignore[method-assign]
    if part == "write":
        sinks[0].write = call  # type: ignore[method-assign]
    matting: Any = call if part == "matte" else slow_matting()
    draw: Any = call if part == "picture" else render
    with pytest.raises(BgcamError, match=f"tried to end bgcam \\({type(error).__name__}"):
        Pipeline(source, matting, draw).run(sinks)
    assert [sink.end for sink in sinks] == ["aborted", "aborted"]


def test_an_output_that_ends_itself_at_its_close_costs_the_others_nothing() -> None:
    sinks = [FakeSink(), FakeSink()]
    sinks[0].close = raising(SystemExit(0))  # type: ignore[method-assign]
    with pytest.raises(BgcamError, match="tried to end bgcam"):
        Pipeline(FakeSource(5), slow_matting(), render).run(sinks)
    assert [sink.end for sink in sinks] == ["aborted", "closed"]


@pytest.mark.parametrize("part", ["infer", "open_sink", "open_background"])
def test_the_commands_exit_code_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny_model: Path, part: str
) -> None:
    def leaves(*given: Any, **options: Any) -> None:
        sys.exit(0)

    monkeypatch.setattr(Matting if part == "infer" else run, part, leaves)
    clip, out = write_clip(tmp_path / "clip.mp4", frames=5), tmp_path / "out.mp4"
    assert cli.main([f"--input={clip}", f"--output={out}", f"--model={tiny_model}", "--threads=1"]) == 1
    assert "tried to end bgcam (SystemExit: 0)" in one_line(capsys.readouterr().err)
    assert not out.exists()


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert cli.main(["demo", "--help"]) == 0
    assert cli.main(["--no-such-option"]) == 2
