"""A file's chapters, as far as they still apply to the output made from it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container.core import Chapter

_MS = Fraction(1, 1000)


def kept_chapters(chapters: list[Chapter], *, origin_s: float, end_s: float) -> list[Chapter]:
    """With their titles, on the clock of an output whose 0 is the input's `origin_s`, and that ends at `end_s`."""
    kept: list[Chapter] = []
    for chapter in chapters:
        tick_s = chapter["time_base"] or _MS
        begin, end = (float(chapter[key] * tick_s) - origin_s for key in ("start", "end"))
        begin, end = max(0.0, begin), min(end, end_s)
        if begin < end:
            title = chapter["metadata"].get("title")
            kept.append(
                {
                    "id": len(kept) + 1,
                    "start": round(begin * 1000),
                    "end": round(end * 1000),
                    "time_base": _MS,
                    "metadata": {"title": title} if title else {},
                }
            )
    return kept
