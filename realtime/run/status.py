"""A run's status: one live line on a terminal, a plain line every five seconds elsewhere.

For a file, the terminal's line begins with a progress bar and shows the remaining time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from bgcam.realtime.cores import CpuMeter
from bgcam.realtime.run.stats import Summary

PLAIN_EVERY_S = 5.0
LIVE_EVERY_S = 0.25
BAR_CELLS = 20


def as_clock(seconds: float) -> str:
    """75.2 as "1:15", 3700 as "1:01:40"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Status:
    """Use with `with`; call it with each `Summary`.

    backend: what computes the mattes.
    outputs: the sinks' names.
    frames: how many there will be, if known.
    about_frames: an estimate of that.
    notice: returns what the user must know at once, "" for nothing; changes are shown without delay.
    has_end: whether the source is a file.
    hint: a line before the first, "" for none.
    """

    def __init__(
        self,
        *,
        backend: str,
        outputs: list[str],
        frames: int | None = None,
        to: TextIO | None = None,
        notice: Callable[[], str] = str,
        about_frames: int | None = None,
        has_end: bool = False,
        hint: str = "",
    ):
        self._to = to or sys.stdout
        self._tail = f"{backend} -> {', '.join(outputs)}"
        self._frames, self._notice, self._hint = frames, notice, hint
        self._total = (frames or about_frames) if has_end else None
        self._noticed = ""
        self._live: Any = None
        self._last_s = time.monotonic()
        self._cpu_share = CpuMeter()

    def __enter__(self) -> Status:
        if self._hint:
            print(self._hint, file=self._to, flush=True)
        if self._to.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._to), transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, summary: Summary) -> None:
        """Show, if it is time to."""
        now_s = time.monotonic()
        noticed, self._noticed = self._noticed, self._notice()
        # Messages of failures differ from frame to frame: only their appearance and disappearance count as changes.
        news = bool(noticed) != bool(self._noticed)
        if not news and now_s - self._last_s < (LIVE_EVERY_S if self._live is not None else PLAIN_EVERY_S):
            return
        self._last_s = now_s
        if self._live is None:
            print(self.line(summary), file=self._to, flush=True)
        else:
            self._live.update(self._shown(summary), refresh=True)

    def _shown(self, summary: Summary) -> Any:
        """What a terminal shows: the line, after a progress bar if the end is known."""
        from rich.table import Table
        from rich.text import Text

        line = Text(f"{self.left(summary)}{self.line(summary)}", no_wrap=True, overflow="ellipsis")
        if not self._total:
            return line
        from rich.progress_bar import ProgressBar

        shown = Table.grid(padding=(0, 1))
        done = min(summary.frames, self._total)
        shown.add_row(ProgressBar(total=self._total, completed=done, width=BAR_CELLS), line)
        return shown

    def left(self, summary: Summary) -> str:
        """A file's progress and remaining time; "" if unknown."""
        if not self._total:
            return ""
        share = min(1.0, summary.frames / self._total)
        if summary.recent_fps <= 0:
            return f"{share:.0%}, "
        return f"{share:.0%}, {as_clock(max(0, self._total - summary.frames) / summary.recent_fps)} left, "

    def line(self, summary: Summary) -> str:
        """The status in one line. cpu: this process's share of all cores since the last line."""
        count = f"{summary.frames}/{self._frames}" if self._frames else f"{summary.frames}"
        notice = f"[{self._noticed}] " if self._noticed else ""
        return (
            f"{notice}{count} frames, {summary.recent_fps:.1f} fps, latency {summary.latency_p50_ms:.0f} ms "
            f"(p95 {summary.latency_p95_ms:.0f} ms), {summary.drops} dropped, cpu {self._cpu_share():.0%}, {self._tail}"
        )
