"""What a run says while it runs: one live line on a terminal, a plain line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from bgcam.realtime.cpu_budget import CpuMeter
from bgcam.realtime.stats import Summary

PLAIN_EVERY_S = 5.0
LIVE_EVERY_S = 0.25


class Status:
    """Use with `with`; call it with each `Summary`.

    backend: what computes the mattes; outputs: the sinks' names; frames: how many there will be, when known. notice:
    what people must know at once, "" for nothing; its changes are shown without waiting.
    """

    def __init__(
        self,
        *,
        backend: str,
        outputs: list[str],
        frames: int | None = None,
        to: TextIO | None = None,
        notice: Callable[[], str] = str,
    ):
        self._to = to or sys.stdout
        self._tail = f"{backend} -> {', '.join(outputs)}"
        self._frames, self._notice = frames, notice
        self._noticed = ""
        self._live: Any = None
        self._last_s = time.monotonic()
        self._cpu_share = CpuMeter()

    def __enter__(self) -> Status:
        if self._to is not None and self._to.isatty():  # None where it was closed: then print says nothing
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
        # Failures' messages differ from frame to frame: only that there is one, or none, is news.
        news = bool(noticed) != bool(self._noticed)
        if not news and now_s - self._last_s < (LIVE_EVERY_S if self._live is not None else PLAIN_EVERY_S):
            return
        self._last_s = now_s
        if self._live is None:
            print(self.line(summary), file=self._to, flush=True)
        else:
            from rich.text import Text

            self._live.update(Text(self.line(summary), no_wrap=True, overflow="ellipsis"), refresh=True)

    def line(self, summary: Summary) -> str:
        """All that is known, in one line. cpu: this process's share of all cores since the last line."""
        count = f"{summary.frames}/{self._frames}" if self._frames else f"{summary.frames}"
        notice = f"[{self._noticed}] " if self._noticed else ""
        return (
            f"{notice}{count} frames, {summary.recent_fps:.1f} fps, latency {summary.latency_p50_ms:.0f} ms "
            f"(p95 {summary.latency_p95_ms:.0f} ms), {summary.drops} dropped, cpu {self._cpu_share():.0%}, {self._tail}"
        )
