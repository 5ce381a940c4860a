"""The status line: rare in a log, at once when a card goes up or down."""

from __future__ import annotations

import io
import re

from bgcam.realtime.stats import Stats
from bgcam.realtime.status import Status


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
