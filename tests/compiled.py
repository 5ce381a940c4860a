"""For tests that compare the compiled stages with what runs without a C compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import strategies as st

from bgcam.realtime.picture import native

Made = TypeVar("Made")

needs_compiler = pytest.mark.skipif(native.LIBRARY is None, reason="bgcam was installed here without a C compiler")
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))
seeds = st.integers(0, 2**32 - 1)


def both(make: Callable[[], Made]) -> tuple[Made, Made]:
    """The result of the compiled stages, and that of OpenCV's arithmetic."""
    with pytest.MonkeyPatch.context() as patch:
        fast = make()
        patch.setattr(native, "LIBRARY", None)
        return fast, make()
