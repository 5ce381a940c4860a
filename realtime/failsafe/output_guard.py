"""The last step before the sinks: a picture passes, or a placeholder (only the background) replaces it.

A live sink (a virtual camera, a web page) never shows a picture for longer than the watchdog's time without a new one,
and shows a placeholder first and last. A file gets one frame for each of the camera's. If all sinks are files, only a
refused matte becomes a placeholder: other errors end the run.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from bgcam.realtime.channel import GaveUp
from bgcam.realtime.errors import MatteRefused, SinkError, SourceWaits
from bgcam.realtime.failsafe.gate import Guarded, send
from bgcam.realtime.failsafe.last_shown import LastShown, Shown
from bgcam.realtime.failsafe.stall import FROZEN_S, GIVE_UP_S, hangs
from bgcam.realtime.frames import CameraFrame, OutputFrame

WATCHDOG_MS = 500.0
# A placeholder is due this long before the watchdog's time, so that it is there by then; and one that is due while its
# output is being written to is tried again after this long.
EARLY_S, RETRY_S = 0.02, 0.01
# A slow source must not count as stalled: this many of its frames may be missing, but only for this long.
PATIENCE_FRAMES = 2.5
MOST_PATIENCE_MS = 2000.0
# A placeholder is repeated, so that a new viewer sees one.
PLACEHOLDER_EVERY_S = 0.1
# Viewers of the web page need a moment to receive the last placeholder.
LAST_PLACEHOLDER_S = 0.1
LOCK_PATIENCE_S = 0.2


def patience_ms(watchdog_ms: float, fps: float) -> float:
    """The time without a new picture after which a source of `fps` frames per second counts as stalled."""
    return max(watchdog_ms, min(PATIENCE_FRAMES * 1000 / fps, MOST_PATIENCE_MS))


class Placeholders(Protocol):
    """Makes placeholders; see `placeholder.SafeBackground`."""

    def placeholder(self, number: int, *, time_s: float = 0.0, captured_s: float = 0.0) -> OutputFrame: ...


class _Output:
    """A sink, and what it shows.

    shows: is given what was written.

    wrote_s: when it was last written to.
    lock: held while it is written to.
    """

    def __init__(self, sink: Guarded, shows: LastShown | None = None):
        self.sink, self.live, self._shows = sink, sink.live, shows
        self.lock = threading.Lock()
        self.wrote_s, self.shows_placeholder = 0.0, False

    def write(self, frame: OutputFrame, *, is_placeholder: bool) -> None:
        # Set before the write, so that a write that hangs half-way counts as shown.
        self.shows_placeholder = is_placeholder
        send(self.sink, frame)
        self.wrote_s = time.monotonic()
        if self._shows is not None:
            self._shows.note(Shown(frame, is_placeholder, self.wrote_s))


class OutputGuard:
    """Guards the sinks of one run.

    watchdog_ms: after this long without a new picture, the live sinks get placeholders.
    give_up_s: without a picture fit to be shown for this long, the run ends, unless the source waits for its
        camera.
    panic: only placeholders while it is True; may be set from anywhere, including a signal handler.
    lost: what happened to files that could no longer be written, one line each.
    replaced: how many frames of the files show only the background because they failed.
    why: the error of the first of these.
    shows: what the first live sink, or else the first one, was given last.
    """

    def __init__(self, placeholders: Placeholders, *, watchdog_ms: float = WATCHDOG_MS, give_up_s: float = GIVE_UP_S):
        self._panic = self._resting = False
        self.placeholders_shown = self.replaced = 0
        self.why: Exception | None = None
        self.lost: list[str] = []
        self.give_up_s, self.shows = give_up_s, LastShown()
        self._placeholders, self._watchdog_s = placeholders, watchdog_ms / 1000
        self._outputs: list[_Output] = []
        self._keep = False
        self._error: Exception | None = None
        self._error_lock = threading.Lock()
        self._number = self._written = 0
        self._good_s = self._trouble_s = 0.0
        self._ended = False
        self._thread: threading.Thread | None = None
        # Wakes the thread, which otherwise sleeps until something is due. Unlike an Event, it may be used in a signal
        # handler that interrupts its own use.
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def panic(self) -> bool:
        return self._panic

    @panic.setter
    def panic(self, on: bool) -> None:
        self._panic = on
        self._wake()

    def set_panic(self, on: bool) -> None:
        """Show only placeholders, or pictures again. Idempotent; safe in a signal handler."""
        self.panic = on

    def toggle_panic(self) -> None:
        self.panic = not self.panic

    def rest(self, stopped: bool) -> None:
        """Show placeholders on the live sinks until `rest(False)`, and wait a moment for the first, before the process
        stops."""
        self._resting = stopped
        self._wake()
        if stopped and self.guards:
            time.sleep(LAST_PLACEHOLDER_S)

    def hide_older(self) -> None:
        """Show placeholders on the live sinks until a picture that was captured later than now.

        For a change after which those in progress must not be seen any more.
        """
        with self._error_lock:
            self._trouble_s = time.monotonic()

    def wait_written(self) -> None:
        """Return when what is being written to the live sinks now has been written, or hangs."""
        for output in list(self._outputs):
            if output.live and output.lock.acquire(timeout=LOCK_PATIENCE_S):
                output.lock.release()

    @property
    def error(self) -> Exception | None:
        """Why there is no picture now; None while there is one."""
        return self._error

    @property
    def guards(self) -> bool:
        """Whether there is a live sink: then placeholders bridge all errors."""
        return any(output.live for output in self._outputs)

    def bridges(self, error: Exception) -> bool:
        """Whether a placeholder replaces a frame that failed with this error; otherwise the error ends the run."""
        return self.guards or isinstance(error, MatteRefused)

    def nothing_shown(self) -> Exception | None:
        """The error because of which files have no picture at all, and so are useless; None if they have one."""
        return self.why if self._written == self.replaced and not self.guards else None

    @property
    def notice(self) -> str:
        """Why a placeholder is shown, as text for the user; "" while the picture is shown."""
        if self.panic:
            return "PANIC: background only, until p, SIGUSR2 or bgcam resume"
        if self._error is not None:
            shown = "background only: " if self.bridges(self._error) else ""
            return f"{shown}{' '.join(str(self._error).split())}"
        if any(output.live and output.shows_placeholder for output in self._outputs):
            return "background only: no new picture"
        return "; ".join(self.lost)

    def begin(
        self, sinks: Sequence[Guarded], *, on_failure: Callable[[BaseException], None], keep: bool = False
    ) -> None:
        """Show the first placeholder and start to watch. Raises what a sink raises.

        on_failure: called with the error when a sink fails, or when no good frame arrives for too long.
        keep: whether the recording cannot be repeated, so that a file that fails is closed, not removed.
        """
        looked_at = next((sink for sink in sinks if sink.live), sinks[0] if sinks else None)
        self._outputs = [_Output(sink, self.shows if sink is looked_at else None) for sink in sinks]
        self._keep = keep
        self._good_s = time.monotonic()
        if not self.guards:
            return
        for output in self._outputs:
            if output.live:
                output.write(self._placeholders.placeholder(0), is_placeholder=True)
        self._thread = threading.Thread(target=self._run, args=(on_failure,), name="bgcam-watch", daemon=True)
        self._thread.start()

    def trouble(self, error: Exception) -> None:
        """The source failed: show placeholders, before this returns, until a frame that was captured later."""
        with self._error_lock:
            self._error, self._trouble_s = error, time.monotonic()
        if isinstance(error, SourceWaits):
            self._good_s = self._trouble_s
        self._wake()
        self._show_placeholders(wait_s=LOCK_PATIENCE_S)

    def instead_of(self, frame: CameraFrame | OutputFrame) -> OutputFrame:
        """The placeholder that replaces a frame."""
        return self._placeholders.placeholder(frame.number, time_s=frame.time_s, captured_s=frame.captured_s)

    def write(self, frame: OutputFrame, failed: Exception | None) -> None:
        """Write to all sinks. failed: why the frame is a placeholder, if it is one. Raises GaveUp after `end`.

        A file that fails is abandoned (see `lost`) while other sinks remain; otherwise its error is raised.
        """
        self._number = frame.number
        with self._error_lock:
            if failed is not None or not self._is_stale(frame):
                self._error = failed
        self._written += 1
        if failed is not None and not all(output.live for output in self._outputs):
            self.replaced += 1
            self.why = self.why or failed
        replaced_by_placeholder = failed is not None
        for output in list(self._outputs):
            with output.lock:
                if self._ended:
                    raise GaveUp
                # Checked last, so that no picture is written after it was set.
                hidden = failed is None and (self.panic or (output.live and (self._resting or self._is_stale(frame))))
                replaced_by_placeholder = replaced_by_placeholder or hidden
                try:
                    output.write(
                        self.instead_of(frame) if hidden else frame, is_placeholder=hidden or failed is not None
                    )
                except Exception as error:
                    if output.live or not (self._keep or self.guards):
                        raise
                    self._give_up(output, error)
        self.placeholders_shown += replaced_by_placeholder
        if replaced_by_placeholder:  # it is repeated sooner than a picture is missed
            self._wake()
        if failed is None and not self._is_stale(frame):
            self._good_s = time.monotonic()

    def _is_stale(self, frame: OutputFrame) -> bool:
        """Whether it was in progress when its camera failed: it would appear after the placeholder."""
        return frame.captured_s < self._trouble_s

    def _give_up(self, output: _Output, error: Exception) -> None:
        """Close a file that failed, keeping the recording so far. Raises the error when no output is left."""
        self._outputs = [other for other in self._outputs if other is not output]
        try:
            output.sink.close()
            kept = "the recording so far is kept"
        except Exception:  # the first error is reported
            output.sink.abort()
            place = getattr(output.sink, "kept", "")
            kept = f"the recording so far is kept: {place}" if place else "it could not be kept"
        self.lost.append(f"{error}; {kept}")
        if not self._outputs:
            raise SinkError(self.lost[-1]) from error

    def end(self) -> None:
        """A last placeholder for the live sinks, and nothing after it. May be called twice."""
        if self._ended:
            return
        self._ended = True
        self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(LOCK_PATIENCE_S)
        for output in self._outputs:
            if output.live and output.lock.acquire(timeout=LOCK_PATIENCE_S):
                with contextlib.suppress(Exception):  # the error that led here is reported
                    output.write(self._placeholders.placeholder(self._number), is_placeholder=True)
                output.lock.release()
        if self.guards:
            time.sleep(LAST_PLACEHOLDER_S)

    def _run(self, on_failure: Callable[[BaseException], None]) -> None:
        try:
            while not self._ended:
                self._show_placeholders()
                if time.monotonic() - self._good_s > self.give_up_s:
                    raise self._error or hangs(self.give_up_s)
                self._sleep()
        except BaseException as error:
            on_failure(error)

    def _show_placeholders(self, *, wait_s: float = 0.0) -> None:
        """Write to the live outputs that are due one; skip those still being written to after `wait_s`."""
        for output in self._outputs:
            if output.live and output.lock.acquire(timeout=wait_s):
                try:
                    if self._due(output) and not self._ended:
                        output.write(self._placeholders.placeholder(self._number), is_placeholder=True)
                finally:
                    output.lock.release()

    def _wake(self) -> None:
        if self._thread is not None:
            self._news.put(None)

    def _sleep(self) -> None:
        """Until something may be due, or there is news. Time in which the process was suspended does not count."""
        begun_s = time.monotonic()
        due_s = min(self._due_s(output) for output in self._outputs if output.live)
        # No longer than FROZEN_S, or the process could be stopped within that time without a trace.
        asked_s = max(RETRY_S, min(due_s - begun_s, self._good_s + self.give_up_s - begun_s, FROZEN_S))
        with contextlib.suppress(queue.Empty):
            self._news.get(timeout=asked_s)
            while True:  # all of it, at once
                self._news.get_nowait()
        over_s = time.monotonic() - begun_s - asked_s
        if over_s > FROZEN_S:
            self._good_s += over_s

    def _due_s(self, output: _Output) -> float:
        """When a placeholder is due, by `time.monotonic`, if nothing changes until then."""
        if output.shows_placeholder:
            return output.wrote_s + PLACEHOLDER_EVERY_S
        if self.panic or self._resting or self._error is not None:
            return 0.0
        return output.wrote_s + self._watchdog_s - EARLY_S

    def _due(self, output: _Output) -> bool:
        return time.monotonic() >= self._due_s(output)
