"""When to try something again that has failed: soon at first, then ever later, up to a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_S, LONGEST_S, GROWS = 0.25, 2.0, 1.5


class Backoff:
    """Waits between tries: `first_s`, then `GROWS` times as long each, `longest_s` at most. Of one thread.

    tries: how many have failed since the last success. clock: seconds, never backwards.
    """

    def __init__(
        self, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S, clock: Callable[[], float] = time.monotonic
    ):
        self.tries = 0
        self._first_s, self._longest_s, self._clock = first_s, longest_s, clock
        self._due_s = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time for the next try; at once after a success."""
        return not self.tries or self._clock() >= self._due_s

    def failed(self) -> None:
        """A try has failed: wait, longer than before."""
        self._due_s = self._clock() + min(self._longest_s, self._first_s * GROWS ** min(self.tries, 50))
        self.tries += 1

    def succeeded(self) -> None:
        self.tries = 0
