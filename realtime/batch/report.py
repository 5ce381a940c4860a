"""What a batch says at its end: a table, and the files that were set aside."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TextIO

from bgcam.realtime.batch.jobs import Outcome
from bgcam.realtime.batch.naming import PRIVATE_FOLDER
from bgcam.realtime.run.status import as_clock

# More are in their records.
MOST_LISTED = 20


def print_report(
    outcomes: Sequence[Outcome],
    *,
    before: int,
    left: int,
    took_s: float,
    target: str,
    to: TextIO | None = None,
) -> None:
    """before: how many files were done before this run; left: how many were not begun."""
    to = to or sys.stdout
    done = [one for one in outcomes if one.status == "done"]
    failed = [one for one in outcomes if one.status == "failed"]
    hidden = [one for one in done if one.background_only]
    workers: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        if one.status in ("done", "part"):
            workers[one.worker].append(one)
    if len(workers) > 1:
        _print_workers(workers, took_s, to)
    for one in failed[:MOST_LISTED]:
        print(f"set aside: {one.unit.source}: {one.reason}", file=to)
    if len(failed) > MOST_LISTED:
        print(f"... and {len(failed) - MOST_LISTED} more: {target}/{PRIVATE_FOLDER}/failed/", file=to)
    for one in hidden[:MOST_LISTED]:
        said = f"{one.background_only} of {one.of_frames or one.frames} frames show the background alone: {one.reason}"
        print(f"to look at: {one.unit.output}: {said}", file=to)
    for one in [one for one in done if one.in_one_piece][:MOST_LISTED]:
        print(f"not cut into parts: {one.unit.source}: {one.in_one_piece}", file=to)
    frames = sum(one.frames for one in outcomes)
    parts = [
        f"{len(done)} files done",
        f"{frames} frames in {as_clock(took_s)} ({frames / took_s if took_s > 0 else 0:.1f} frames/s)"
        if done or frames
        else "",
        f"{before} done before" if before else "",
        f"{len(failed)} set aside" if failed else "",
        f"{left} left" if left else "",
    ]
    print("; ".join(filter(None, parts)), file=to, flush=True)


def _print_workers(workers: dict[str, list[Outcome]], took_s: float, to: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("worker", box=None, pad_edge=False)
    for name in ("files", "frames", "frames/s"):
        table.add_column(name, justify="right")
    for name, outcomes in sorted(workers.items()):
        frames = sum(one.frames for one in outcomes)
        table.add_row(
            name,
            str(sum(one.status == "done" for one in outcomes)),
            str(frames),
            f"{frames / took_s:.1f}" if took_s > 0 else "",
        )
    Console(file=to, highlight=False).print(table)
