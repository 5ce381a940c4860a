"""The name that was most likely meant by a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was most likely meant by a word, in any case; None where none is near."""
    folded = {one.casefold(): one for one in reversed([*known])}
    found = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else None
