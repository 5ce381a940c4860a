"""source -> matte -> picture -> sinks, each in its own thread, frames in order, a frame always with its own matte.

Only frames that went through `render` reach a sink. When anything fails, everything stops and nothing more is sent;
but with an `OutputGuard`, a placeholder replaces a frame that a live sink is waiting for, or whose matte was refused,
and the run continues.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from bgcam.realtime.channel import Channel, GaveUp
from bgcam.realtime.errors import SourceWaits, as_error
from bgcam.realtime.failsafe.gate import check_shown, send
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.stall import FILE_PATIENCE, GIVE_UP_S, Stall
from bgcam.realtime.frames import CameraFrame, OutputFrame
from bgcam.realtime.run.busy import Busy
from bgcam.realtime.run.ending import abort_all, close_all, say_where
from bgcam.realtime.run.stats import Stats, Summary
from bgcam.realtime.run.workers import Workers, run_here
from bgcam.realtime.sinks import Sink
from bgcam.realtime.sources.base import Source
from bgcam.realtime.trace import span, wait

# How often the run is looked at and `on_tick` called. Each look wakes a core; the status line changes as often.
TICK_S = 0.25
# A camera that gives no more frames is closed this long after `stop`.
STOP_PATIENCE_S = 0.5
# Frames in progress that are not finished this long after `stop` are abandoned, and the outputs are closed.
STOP_LIMIT_S = 3.0
JOIN_S = 3.0
# After an error, a stage that hangs gets little time; but a matte that returns while Python exits would abort it.
FAILED_JOIN_S = 1.0
# A live source that failed is read again after this long.
RETRY_S = 0.05


class _Stopped(BaseException):
    """A signal arrived while the status was being shown, which may wait for a terminal for ever."""


class _Numbered(Protocol):
    @property
    def number(self) -> int: ...


AnyMatte = TypeVar("AnyMatte", bound=_Numbered)


class Pipeline(Generic[AnyMatte]):
    """One run from a source to its sinks; constructed once, run once.

    A live source is read only when a worker is free, so that its frames do not age in a queue; a file is read ahead by
    `depth` frames. With a live source and one worker, the thread that reads is that worker: handing a frame to another
    thread, and waiting until that one is free again, would only wake the processor.

    matting: gives a frame's matte; called from `workers` threads, or from the one that reads.
    render: gives the composed frame of a frame and its matte; called from one thread, in order.
    depth: how many frames may wait between two stages, 1 or more.
    workers: how many threads call `matting` at once, 1 or more.
    watch: shows placeholders while something fails.
    at_end: called when everything is over.
    notes: returns what else the user should know, "" for nothing.
    give_up_s: without a live sink, a live source's run ends after this long without a frame, a file's later.
    """

    def __init__(
        self,
        source: Source,
        matting: Callable[[CameraFrame], AnyMatte],
        render: Callable[[CameraFrame, AnyMatte], OutputFrame],
        *,
        depth: int = 1,
        workers: int = 1,
        watch: OutputGuard | None = None,
        give_up_s: float = GIVE_UP_S,
        at_end: Callable[[], None] = lambda: None,
        notes: Callable[[], str] = str,
    ):
        if depth < 1 or workers < 1:
            raise ValueError(f"depth and workers must be 1 or more, found {depth} and {workers}")
        self.stats, self._busy = Stats(), Busy()
        self.stopped = False
        # Whether the source reached its own end, and every frame of it was written.
        self.whole = False
        self._sinks: tuple[Sink, ...] = ()
        self._source, self._matting, self._render = source, matting, render
        self._workers, self.watch, self._at_end, self._notes = workers, watch, at_end, notes
        self._reader_mattes = source.live and workers == 1
        self._may_read = threading.Semaphore(workers if source.live else workers + depth)
        self._mattes: Channel[tuple[CameraFrame, Future[AnyMatte]]] = Channel(depth)
        # Each with the reason why it is a placeholder, if it is one.
        self._composed: Channel[tuple[OutputFrame, Exception | None]] = Channel(depth)
        self._error: BaseException | None = None
        self._read_to_end = False
        self._error_lock = threading.Lock()
        self._stopped_s = 0.0
        self._hurried = self._showing = self._wrote = self._gave_up = False
        self._runs_in: int | None = None
        self._stall = Stall(give_up_s=give_up_s * (1 if source.live else FILE_PATIENCE))

    @property
    def sinks(self) -> Sequence[Sink]:
        """Those of `run`; none before it."""
        return self._sinks

    def stop(self) -> None:
        """End as if the source had ended: frames in progress are still written, within a time limit; a second call
        stops waiting for them. Safe in a signal handler.
        """
        if self.stopped:
            self._hurried = True
            return
        self._stopped_s = time.monotonic()
        self.stopped = True

    def interrupt(self) -> bool:
        """`stop`, for a signal: it also interrupts a status line that waits for its terminal. Returns whether a run
        is in progress: it ends by itself in bounded time, and killing it would cost a recording its end."""
        self.stop()
        if self._showing and self._runs_in == threading.get_ident():
            self._showing = False
            raise _Stopped
        return self._runs_in is not None

    def notice(self) -> str:
        """What the user must know at once: why a placeholder is shown, that an output is gone, that many frames are
        dropped."""
        notices = [self.watch.notice if self.watch is not None else ""]
        notices += [sink.notice for sink in self.sinks]
        notices += [self._stall.notice, self._busy.notice, self._notes()]
        if self.stopped and time.monotonic() - self._stopped_s > STOP_PATIENCE_S:
            notices.append("stopping: waiting for the last frames; press Ctrl-C again to stop waiting")
        return "; ".join(filter(None, notices))

    def run(self, sinks: Sequence[Sink], on_tick: Callable[[Summary], None] | None = None) -> Summary:
        """Run to the end of the source, or until `stop`; then close the sinks, so that their files are complete.

        on_tick is called in this thread about four times per second. If a stage fails, its error is raised here, after
        the sinks were aborted. With a live source, whose frames cannot be repeated, they are closed instead, and a note
        on the error says where the files are; without a single frame they are aborted. The source is always closed.
        """
        self._runs_in, self._sinks = threading.get_ident(), tuple(sinks)
        try:
            return self._run(on_tick)
        finally:
            self._runs_in = None
            self._at_end()

    def _run(self, on_tick: Callable[[Summary], None] | None) -> Summary:
        pool = Workers(0 if self._reader_mattes else self._workers, name="bgcam-matte")
        stages = {"read": self._read(pool), "picture": self._draw, "sinks": self._write}
        threads = [
            threading.Thread(target=self._guard, args=(stage,), name=f"bgcam-{name}", daemon=True)
            for name, stage in stages.items()
        ]
        try:
            if self.watch is not None:
                self.watch.begin(self.sinks, on_failure=self._fail, keep=self._source.live)
            for thread in threads:
                thread.start()
            self._wait(threads, on_tick)
        except BaseException as error:
            self._fail(error)
        if self._error is not None:
            self._last_placeholder()
        self._close_source()
        self._join(threads, pool)
        self._last_placeholder()
        self.whole = self._read_to_end and self._error is None
        with span("close the outputs"):
            self._end_sinks()
        if self._error is not None:
            say_where(self._error, self.sinks)
            raise self._error
        return self._tick()

    def _wait(self, threads: list[threading.Thread], on_tick: Callable[[Summary], None] | None) -> None:
        while self._error is None and any(thread.is_alive() for thread in threads):
            next((thread for thread in reversed(threads) if thread.is_alive()), threads[0]).join(TICK_S)
            if self.watch is None or not self.watch.guards:
                self._stall.look(self.stats.frames)
            if self.stopped:
                waited_s = time.monotonic() - self._stopped_s
                if waited_s > STOP_PATIENCE_S or self._hurried:
                    self._close_source()
                if waited_s > STOP_LIMIT_S or self._hurried:
                    self._give_up()
                    return
            if on_tick and self._error is None:
                self._show(on_tick)

    def _show(self, on_tick: Callable[[Summary], None]) -> None:
        try:
            try:
                self._showing = True
                on_tick(self._tick())
            finally:
                self._showing = False
        except _Stopped:
            return

    def _join(self, threads: list[threading.Thread], pool: Workers) -> None:
        """Wait for everything in progress, in bounded time overall; what still hangs ends with the process."""
        end_s = time.monotonic() + (FAILED_JOIN_S if self._gave_up else JOIN_S)
        for thread in threads:
            while thread.is_alive() and time.monotonic() < end_s and not self._hurried:
                thread.join(TICK_S)
        pool.end(wait_s=0.0 if self._hurried else max(0.0, end_s - time.monotonic()))

    def _close_source(self) -> None:
        try:
            self._source.close()
        except Exception as error:
            self._fail(error)

    def _tick(self) -> Summary:
        self.stats.drops = self._source.drops
        self._busy.see(self.stats.frames, self.stats.drops)
        return self.stats.summary()

    def _read(self, pool: Workers) -> Callable[[], None]:
        def stage() -> None:
            while True:
                with wait("a free worker"):
                    self._may_read.acquire()
                started_s = time.monotonic()
                with span("read") as reading:
                    frame = self._next_frame()
                    reading.frame = -1 if frame is None else frame.number
                if frame is None:
                    self._read_to_end = not self.stopped and self._error is None
                    break
                self.stats.stage("read", started_s)
                run = run_here if self._reader_mattes else pool.submit
                self._mattes.put((frame, run(self._matte, frame)))
            self._mattes.end()

        return stage

    def _next_frame(self) -> CameraFrame | None:
        failed: Exception | None = None
        while not self.stopped and self._error is None:
            try:
                frame = self._source.read()
            except Exception as error:
                if self.stopped:  # it was closed during the read, to wake it up
                    break
                # A camera may come back. A broken file would end at the next read, as if it were complete.
                goes_on = self.watch is not None and (self.watch.guards or isinstance(error, SourceWaits))
                if self.watch is None or not goes_on or not self._source.live:
                    raise
                failed = error
                if isinstance(error, SourceWaits):
                    self._stall.waits()
                self.watch.trouble(error)
                time.sleep(RETRY_S)
                continue
            if frame is None and failed is not None and not self.stopped:
                raise failed
            return frame
        return None

    def _matte(self, frame: CameraFrame) -> AnyMatte:
        try:
            started_s = time.monotonic()
            with span("matte", frame=frame.number):
                matte = self._matting(frame)
            self.stats.stage("matte", started_s)
            return matte
        finally:
            self._may_read.release()

    def _draw(self) -> None:
        # The mattes' futures are in the frames' order, whichever worker finishes first.
        for frame, future in self._mattes:
            failed: Exception | None = None
            try:
                composed = self._compose(frame, future)
            except Exception as error:
                if self.watch is None or not self.watch.bridges(error):
                    raise
                composed, failed = self.watch.instead_of(frame), error
            self._composed.put((composed, failed))
        self._composed.end()

    def _compose(self, frame: CameraFrame, future: Future[AnyMatte]) -> OutputFrame:
        with wait("the matte"):
            matte = future.result()
        started_s = time.monotonic()
        with span("picture", frame=frame.number):
            composed = self._render(frame, matte)
        check_shown(composed)
        if not frame.number == matte.number == composed.number:
            raise ValueError(f"{frame}, {matte} and {composed} do not belong to the same frame")
        self.stats.stage("picture", started_s)
        return composed

    def _write(self) -> None:
        for frame, failed in self._composed:
            started_s = time.monotonic()
            self._wrote = True
            with span("sinks", frame=frame.number):
                if self.watch is not None:
                    self.watch.write(frame, failed)
                else:
                    for sink in self.sinks:
                        send(sink, frame)
            self.stats.stage("sinks", started_s)
            self.stats.done(frame.captured_s)

    def _last_placeholder(self) -> None:
        if self.watch is not None:
            try:
                self.watch.end()
            except Exception as error:
                self._fail(error)

    def _guard(self, stage: Callable[[], None]) -> None:
        """Run a stage; an error in it stops all stages."""
        try:
            stage()
        except GaveUp:
            pass
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        # Ctrl-C reaches only the main thread, and is not an error of a stage.
        if threading.current_thread() is not threading.main_thread() or not isinstance(error, KeyboardInterrupt):
            error = as_error(error)
        with self._error_lock:
            self._error = self._error or error
        self._give_up()

    def _give_up(self) -> None:
        """End every stage as soon as its current call returns."""
        self._gave_up = True
        self._mattes.give_up()
        self._composed.give_up()
        self._may_read.release()

    def _end_sinks(self) -> None:
        """Independently: a full disk must not cost another output its recording. The first error is reported."""
        failed, nothing = self._error, None
        if failed is None and self.watch is not None:
            self._error = nothing = self.watch.nothing_shown()
        if self._wrote and nothing is None and (failed is None or self._source.live):
            for error in close_all(self.sinks):
                self._error = self._error or as_error(error)
        else:
            abort_all(self.sinks)
