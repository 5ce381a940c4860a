"""A few threads that run what is submitted, in the order of submission."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def run_here(work: Callable[[Argument], Result], argument: Argument) -> Future[Result]:
    """Run `work(argument)` in the calling thread; the future holds its result or the exception it raised."""
    future: Future[Result] = Future()
    _fulfil(future, work, argument)
    return future


def _fulfil(future: Future[Result], work: Callable[[Argument], Result], argument: Argument) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work(argument))
    except BaseException as error:
        future.set_exception(error)


class Workers:
    """Like `ThreadPoolExecutor`, but with daemon threads: one that hangs does not keep the process from exiting."""

    def __init__(self, count: int, *, name: str):
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{at}", daemon=True) for at in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Argument], Result], argument: Argument) -> Future[Result]:
        """Run `work(argument)` in one of the threads; the future holds its result or the exception it raised."""
        future: Future[Any] = Future()
        self._jobs.put(lambda: _fulfil(future, work, argument))
        return future

    def end(self, *, wait_s: float) -> None:
        """Accept no more work; the threads end after what was submitted. Waits at most `wait_s` for all of them."""
        end_s = time.monotonic() + wait_s
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
