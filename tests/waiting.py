"""Waiting for what another thread does."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    """Return once it holds; AssertionError when it does not in time."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.001)
