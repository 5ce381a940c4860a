"""What a run shows at one moment, and how a new background is opened beside the running one, in bounded time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bgcam.realtime.background import Background
from bgcam.realtime.errors import BgcamError
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.look import Look

CLOSE_S = 1.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class Scene:
    """All of it is replaced together.

    background: as it was opened. behind: the same, with its placeholder. mirror: whether the person is shown mirrored.
    far: whether people far away are looked for. half_rate: whether the model runs on every other frame, where it can.
    """

    background: Background
    behind: SafeBackground
    look: Look
    mirror: bool = False
    far: bool = False
    half_rate: bool = False

    @property
    def shows_room(self) -> bool:
        """Whether the room is shown as it is, because the user asked for that."""
        return self.background.same_room and not self.background.needs_matte

    @property
    def needs_matte(self) -> bool:
        """Whether the person has to be found."""
        return not self.shows_room or self.look.needs_matte


def open_safe(open_one: Callable[[], Background], size_wh: tuple[int, int], *, begins_s: float) -> SafeBackground:
    """The background, whose first picture is fit to be shown. Raises BackgroundError and what opening it raises.

    size_wh: of the frames. begins_s: see `SafeBackground`.
    """
    background = open_one()
    try:
        behind = SafeBackground(background, size_wh, begins_s=begins_s)
        behind.check_first()
    except BaseException:
        background.close()
        raise
    return behind


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


def close_aside(background: Background) -> None:
    """Close it in a thread of its own, and wait a moment: a drive that hangs must not stop the run."""
    thread = threading.Thread(target=background.close, name="bgcam-close-background", daemon=True)
    thread.start()
    thread.join(CLOSE_S)
