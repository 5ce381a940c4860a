"""Calls that may hang for ever, such as those to a network drive or a camera, in bounded time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from bgcam.realtime.errors import BgcamError

Result = TypeVar("Result")


def within(
    do: Callable[[], Result], *, limit_s: float, late: BgcamError, drop: Callable[[Result], object] | None = None
) -> Result:
    """What `do` returns or raises, from a thread of its own. Raises `late` after `limit_s`: it may hang for ever.

    drop: called with a result that comes too late.
    """
    results: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()
    lock, given_up = threading.Lock(), threading.Event()

    def work() -> None:
        result, error = None, None
        try:
            result = do()
        except BaseException as failed:
            error = failed
        with lock:
            if not given_up.is_set():
                results.put((result, error))
                return
        if result is not None and drop is not None:
            drop(result)

    threading.Thread(target=work, name="bgcam-open", daemon=True).start()
    try:
        result, error = results.get(timeout=limit_s)
    except queue.Empty:
        with lock:
            given_up.set()
        if results.empty():
            raise late from None
        result, error = results.get()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
