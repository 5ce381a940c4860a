"""A backend that takes long to prepare, with another that serves frames until it is ready, so that no frame waits."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends import Backend

Say = Callable[[str], None]
# Called with the progress, in [0, 1].
Progress = Callable[[float], None]
TELL_EVERY_S = 2.0


class WarmingBackend:
    """See `Backend`. `infer` uses the fallback until the slow backend is ready, and the slow backend from then on.

    name: the slow backend's.
    make: returns the slow backend and reports its progress; it runs in a thread of its own.
    fallback: a backend that is ready. Both may be called from several threads.
    say: called with a line at the start, every two seconds during preparation, and at the switch.
    optional: if `make` fails, say so and stay with the fallback. Otherwise the next `infer` raises a BackendError.
    """

    at_once = 1

    def __init__(
        self,
        name: str,
        make: Callable[[Progress], Backend],
        fallback: Backend,
        *,
        say: Say,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.name = name
        self.optional = False
        self._make, self._say, self._clock = make, say, clock
        self._serving = fallback
        self._error: BackendError | None = None
        self._begun_s = self._said_s = clock()
        self._furthest = 0.0
        self._say(f"{name} is getting ready; until then {fallback.description} is used")
        # A daemon: a run that ends before the engine is built does not wait for it.
        self._thread = threading.Thread(target=self._work, name=f"{name} getting ready", daemon=True)
        self._thread.start()

    @property
    def serving(self) -> Backend:
        """The backend in use."""
        return self._serving

    @property
    def description(self) -> str:
        """The backend in use."""
        return self._serving.description

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.infer`."""
        if self._error is not None:
            if not self.optional:
                raise self._error
            self._say(f"{self._error}; {self.description} stays in use")
            self._error = None
        return self._serving.infer(bgr)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until the slow backend is ready or has failed. Returns whether that was in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            ready = self._make(self._tell)
        except BackendError as error:
            self._error = error
            return
        except Exception as error:  # from a library; it has to be passed to the thread that processes frames
            self._error = BackendError(f"{self.name} failed ({type(error).__name__}: {error})")
            return
        self._serving = ready
        self._say(f"{self.name} is ready after {self._clock() - self._begun_s:.0f} s: now on {ready.description}")

    def _tell(self, done: float) -> None:
        now_s = self._clock()
        if done <= self._furthest or now_s - self._said_s < TELL_EVERY_S:
            return
        self._furthest, self._said_s = done, now_s
        self._say(f"{self.name} is getting ready: {done:.0%}")


def say_to_terminal(line: str) -> None:
    """Prints a line to standard error."""
    print(f"bgcam: {line}", file=sys.stderr, flush=True)
