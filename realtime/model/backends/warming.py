"""A backend that takes long to get ready, and another that serves frames until it is: frames never wait for it."""

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
    """See `Backend`. `infer` is the fallback's until the slow one is ready, and the slow one's from the next frame on.

    name: the slow one's. make: gives the slow backend, telling how far it is; it runs in a thread of its own. fallback:
    ready now. Both may be called from several threads. say: told one line at the start, every two seconds while it goes
    on, and at the swap. When `make` raises, so does the next `infer`, as a BackendError; with `optional` set, it says
    so and stays with the fallback.
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
        self._begun_s = self._told_s = clock()
        self._furthest = 0.0
        self._say(f"{name} is getting ready; until then {fallback.description} is used")
        # A daemon: a run that ends before the engine is built does not wait for it.
        self._thread = threading.Thread(target=self._work, name=f"{name} getting ready", daemon=True)
        self._thread.start()

    @property
    def serving(self) -> Backend:
        """Whose turn it is."""
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
        """Wait until the slow backend is ready or has failed; whether that came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            ready = self._make(self._tell)
        except BackendError as error:
            self._error = error
            return
        except Exception as error:  # of a library; it has to reach the thread that the frames come from
            self._error = BackendError(f"{self.name} failed ({type(error).__name__}: {error})")
            return
        self._serving = ready
        self._say(f"{self.name} is ready after {self._clock() - self._begun_s:.0f} s: now on {ready.description}")

    def _tell(self, done: float) -> None:
        now_s = self._clock()
        if done <= self._furthest or now_s - self._told_s < TELL_EVERY_S:
            return
        self._furthest, self._told_s = done, now_s
        self._say(f"{self.name} is getting ready: {done:.0%}")


def say_to_terminal(line: str) -> None:
    """One line, beside what a run prints."""
    print(f"bgcam: {line}", file=sys.stderr, flush=True)
