"""How far a batch is: one live line on a terminal, a plain line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TextIO

from bgcam.realtime.batch.jobs import FINAL, Job, Outcome
from bgcam.realtime.batch.pool import Busy
from bgcam.realtime.run.status import BAR_CELLS, LIVE_EVERY_S, PLAIN_EVERY_S, as_clock

# The rate is over this long.
_RECENT_S = 30.0


class Progress:
    """Use with `with`. jobs: all that there is to do; before: how many files were done before this run."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        before: int = 0,
        to: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._to, self._clock = to or sys.stdout, clock
        self._files, self._before = len(jobs), before
        self._bytes = sum(max(1, job.unit.size_bytes) for job in jobs)
        self._done_bytes, self._done_frames = 0.0, 0
        self._part_bytes: dict[str, float] = {}  # of videos that are done in parts, by `Unit.ident`
        self.done = self.failed = 0
        self._begun_s = self._shown_s = clock()
        self._rates: list[tuple[float, int]] = [(self._begun_s, 0)]
        self._live: Any = None

    def __enter__(self) -> Progress:
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

    def heard(self, outcome: Outcome) -> None:
        """A unit is over, or a part of it."""
        size, ident = max(1, outcome.unit.size_bytes), outcome.unit.ident
        if outcome.status == "part":
            done = size * outcome.frames / max(1, outcome.of_frames)
            self._part_bytes[ident] = self._part_bytes.get(ident, 0.0) + done
            self._done_bytes += done
        elif outcome.status in (*FINAL, "whole"):
            self._done_bytes -= self._part_bytes.pop(ident, 0.0)
            self._done_bytes += size if outcome.status in FINAL else 0
        self._done_frames += outcome.frames
        self.done += outcome.status == "done"
        self.failed += outcome.status == "failed"

    def tick(self, busy: Sequence[Busy]) -> None:
        """Show, if it is time to."""
        now_s = self._clock()
        if now_s - self._shown_s < (LIVE_EVERY_S if self._live is not None else PLAIN_EVERY_S):
            return
        self._shown_s = now_s
        line = self.line(busy)
        if self._live is None:
            print(line, file=self._to, flush=True)
            return
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        shown = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1000, completed=round(1000 * self._share(busy)), width=BAR_CELLS)
        shown.add_row(bar, Text(line, no_wrap=True, overflow="ellipsis"))
        self._live.update(shown, refresh=True)

    def line(self, busy: Sequence[Busy]) -> str:
        """The progress in one line."""
        now_s = self._clock()
        frames = self._done_frames + sum(one.frames for one in busy)
        self._rates = [(at_s, count) for at_s, count in self._rates if now_s - at_s <= _RECENT_S] or self._rates[-1:]
        at_s, count = self._rates[0]
        rate = max(0, frames - count) / (now_s - at_s) if now_s > at_s else 0.0
        self._rates.append((now_s, frames))
        share = self._share(busy)
        left_s = (now_s - self._begun_s) / share * (1 - share) if share > 0 else None
        parts = [
            f"{self.done + self.failed}/{self._files} files",
            f"{frames} frames",
            f"{rate:.1f} frames/s",
            f"{as_clock(left_s)} left" if left_s is not None else "",
            f"{self.failed} set aside" if self.failed else "",
            f"{self._before} done before" if self._before else "",
        ]
        return ", ".join(filter(None, parts))

    def _share(self, busy: Sequence[Busy]) -> float:
        """How much of the work is done, 0 to 1, by the sizes of the files."""
        begun = sum(max(1, one.unit.size_bytes) * min(1.0, one.frames / one.total) for one in busy if one.total)
        return min(1.0, (self._done_bytes + begun) / max(1, self._bytes))
