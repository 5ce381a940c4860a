"""The status line: rare in a log, at once when a placeholder goes up or down."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from clips import write_clip

from bgcam.realtime.run.stats import Stats, Summary
from bgcam.realtime.run.status import Status, as_clock
from bgcam.realtime.sources import open_source


def test_a_notice_is_shown_at_once_and_its_end_too() -> None:
    to, notices = io.StringIO(), ["", "PANIC: one", "PANIC: two", "", ""]
    status = Status(backend="fake", outputs=["web"], to=to, notice=lambda: notices.pop(0))
    summary = Stats().summary()
    with status:
        for _ in range(5):
            status(summary)
    lines = to.getvalue().splitlines()
    assert [line.partition(" frames")[0] for line in lines] == ["[PANIC: one] 0", "0"]
    assert re.search(r"0 dropped, cpu \d+%, fake -> web$", lines[1])


def test_a_hint_goes_before_the_first_line() -> None:
    to = io.StringIO()
    status = Status(backend="fake", outputs=["web"], to=to, hint="press p", notice=lambda: "news")
    with status:
        status(Stats().summary())
    assert to.getvalue().startswith("press p\n[news] 0 frames")


def summary_of(frames: int, fps: float) -> Summary:
    return Summary(frames=frames, fps=fps, recent_fps=fps, drops=0, latencies_ms=[])


def terminal_shows(status: Status, to: io.StringIO, *summaries: Summary) -> list[str]:
    with status:
        for summary in summaries:
            status._last_s = -1e9  # it is time to
            status(summary)
    return [
        line.strip() for line in re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "\n", to.getvalue()).splitlines() if line.strip()
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_much_of_a_file_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    to = Terminal()
    status = Status(backend="fake", outputs=["out.mp4"], frames=3000, has_end=True, to=to)
    shown = " ".join(terminal_shows(status, to, summary_of(600, 25.0), summary_of(2975, 25.0)))
    assert "20%, 1:36 left, 600/3000 frames, 25.0 fps" in shown
    assert "99%, 0:01 left, 2975/3000 frames, 25.0 fps" in shown
    assert "\u2501" * 4 in shown  # the bar


def test_a_guess_at_the_frames_will_do_and_may_be_too_low() -> None:
    status = Status(backend="fake", outputs=["out.mp4"], about_frames=100, has_end=True, to=io.StringIO())
    assert status.left(summary_of(50, 25.0)) == "50%, 0:02 left, "
    assert status.left(summary_of(120, 25.0)) == "100%, 0:00 left, "
    assert status.left(summary_of(0, 0.0)) == "0%, "
    assert status.line(summary_of(50, 25.0)).startswith("50 frames, ")


@pytest.mark.parametrize(("frames", "has_end"), [(None, True), (100, False)])
def test_without_a_known_end_nothing_is_left(frames: int | None, has_end: bool) -> None:
    to = Terminal()
    status = Status(backend="fake", outputs=["web"], frames=frames, has_end=has_end, to=to)
    assert status.left(summary_of(50, 25.0)) == ""
    shown = terminal_shows(status, to, summary_of(50, 25.0))
    assert "left" not in " ".join(shown)
    assert "\u2501" not in " ".join(shown)


def test_a_log_has_no_bar() -> None:
    to = io.StringIO()
    status = Status(backend="fake", outputs=["out.mp4"], frames=100, has_end=True, to=to)
    (line,) = terminal_shows(status, to, summary_of(50, 25.0))
    assert line.startswith("50/100 frames, 25.0 fps")


@pytest.mark.parametrize(("seconds", "clock"), [(0.4, "0:00"), (75.2, "1:15"), (3599.9, "1:00:00"), (3700, "1:01:40")])
def test_a_clock(seconds: float, clock: str) -> None:
    assert as_clock(seconds) == clock


def test_how_many_frames_a_file_without_a_count_holds(tmp_path: Path) -> None:
    source = open_source(input=str(write_clip(tmp_path / "clip.mkv", frames=20)))
    assert (source.frames, getattr(source, "about_frames")) == (None, 20)  # noqa: B009
    source.close()
