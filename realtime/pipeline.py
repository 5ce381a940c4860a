"""source -> matte -> picture -> sinks, each in its own thread, frames in order, a frame always with its own matte.

Only frames that went through `render` reach a sink. When anything fails, everything stops and nothing more is sent;
but with a `Watch`, a card goes out in the place of a frame that a live sink waits for, or whose matte was refused, and
the run goes on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from bgcam.realtime.busy import Busy
from bgcam.realtime.channel import Channel, GaveUp
from bgcam.realtime.errors import SourceWaits, as_error
from bgcam.realtime.frames import CameraFrame, OutputFrame
from bgcam.realtime.sinks import Sink, hand_over
from bgcam.realtime.sources import Source
from bgcam.realtime.stats import Stats, Summary
from bgcam.realtime.watch import Watch
from bgcam.realtime.workers import Workers

TICK_S = 0.1
# A camera that gives no more frames is closed this long after `stop`.
STOP_PATIENCE_S = 0.5
JOIN_S = 3.0
# After an error, whatever hangs is not waited for long; but a matte that comes back while Python ends would abort it.
FAILED_JOIN_S = 1.0
# A live source that failed is asked again after this long.
RETRY_S = 0.05


class _Numbered(Protocol):
    @property
    def number(self) -> int: ...


AnyMatte = TypeVar("AnyMatte", bound=_Numbered)


class Pipeline(Generic[AnyMatte]):
    """One run from a source to its sinks; made once, run once. `sinks` may be set until it runs.

    matting: a frame's matte, called from `workers` threads. render: the composed frame of a frame and its matte, called
    from one thread in order. depth: how many frames may wait between two stages, 1 or more. A live source is read only
    when a worker is free, so that its frames do not age in a queue; a file is read ahead by `depth` frames.
    watch: shows cards while something fails.
    """

    def __init__(
        self,
        source: Source,
        matting: Callable[[CameraFrame], AnyMatte],
        render: Callable[[CameraFrame, AnyMatte], OutputFrame],
        sinks: Sequence[Sink],
        *,
        depth: int = 1,
        workers: int = 1,
        watch: Watch | None = None,
    ):
        if depth < 1 or workers < 1:
            raise ValueError(f"depth and workers must be 1 or more, found {depth} and {workers}")
        self.stats, self._busy = Stats(), Busy()
        self.stopped = False
        # Whether the source has come to its own end, and every frame of it was written.
        self.whole = False
        self.sinks = list(sinks)
        self._source, self._matting, self._render = source, matting, render
        self._workers, self.watch = workers, watch
        self._may_read = threading.Semaphore(workers if source.live else workers + depth)
        self._mattes: Channel[tuple[CameraFrame, Future[AnyMatte]]] = Channel(depth)
        # With why it is a card, if it is one.
        self._composed: Channel[tuple[OutputFrame, Exception | None]] = Channel(depth)
        self._error: BaseException | None = None
        self._read_to_end = False
        self._error_lock = threading.Lock()
        self._stopped_s = 0.0

    def stop(self) -> None:
        """End as if the source had ended: frames under way are still written. Safe in a signal handler."""
        self._stopped_s = time.monotonic()
        self.stopped = True

    def notice(self) -> str:
        """What people must know at once: why a card is up, that an output is gone, that many frames are dropped."""
        notices = [self.watch.notice if self.watch is not None else ""]
        notices += [getattr(sink, "notice", "") for sink in self.sinks]
        notices.append(self._busy.notice)
        return "; ".join(filter(None, notices))

    def run(self, on_tick: Callable[[Summary], None] | None = None) -> Summary:
        """Run to the end of the source, or until `stop`; then the sinks are closed: what they hold is whole.

        on_tick is called here about ten times a second. When a stage fails, its error is raised here, after the sinks
        were aborted; without a single frame they are aborted too. The source is closed in any case.
        """
        pool = Workers(self._workers, name="bgcam-matte")
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
        finally:
            if self._error is not None:
                self._last_card()
            self._source.close()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(JOIN_S)
            pool.end(wait_s=JOIN_S if self._error is None else FAILED_JOIN_S)
            self._last_card()
        if self._error is None and self.watch is not None:
            self._error = self.watch.nothing_shown()
        self.whole = self._read_to_end and self._error is None
        if self._error is None and self.stats.frames:
            self._close_sinks()
        else:
            self._abort_sinks()
        if self._error is not None:
            raise self._error
        return self._tick()

    def _wait(self, threads: list[threading.Thread], on_tick: Callable[[Summary], None] | None) -> None:
        while self._error is None and any(thread.is_alive() for thread in threads):
            next((thread for thread in reversed(threads) if thread.is_alive()), threads[0]).join(TICK_S)
            if self.stopped and time.monotonic() - self._stopped_s > STOP_PATIENCE_S:
                self._source.close()
            if on_tick and self._error is None:
                on_tick(self._tick())

    def _tick(self) -> Summary:
        self.stats.drops = self._source.drops
        self._busy.see(self.stats.frames, self.stats.drops)
        return self.stats.summary()

    def _read(self, pool: Workers) -> Callable[[], None]:
        def stage() -> None:
            while True:
                self._may_read.acquire()
                started_s = time.monotonic()
                frame = self._next_frame()
                if frame is None:
                    self._read_to_end = not self.stopped and self._error is None
                    break
                self.stats.stage("read", started_s)
                self._mattes.put((frame, pool.submit(self._matte, frame)))
            self._mattes.end()

        return stage

    def _next_frame(self) -> CameraFrame | None:
        failed: Exception | None = None
        while not self.stopped and self._error is None:
            try:
                frame = self._source.read()
            except Exception as error:
                if self.stopped:  # it was closed under our hands to wake it up
                    break
                # A camera may come back. A file that broke would end at the next read, as if it were whole.
                goes_on = self.watch is not None and (self.watch.guards or isinstance(error, SourceWaits))
                if self.watch is None or not goes_on or not self._source.live:
                    raise
                failed = error
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
            matte = self._matting(frame)
            self.stats.stage("matte", started_s)
            return matte
        finally:
            self._may_read.release()

    def _draw(self) -> None:
        # The mattes' futures lie in the frames' order, whichever worker ends first.
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
        matte = future.result()
        started_s = time.monotonic()
        composed = self._render(frame, matte)
        if not frame.number == matte.number == composed.number:
            raise ValueError(f"{frame}, {matte} and {composed} are not of one frame")
        self.stats.stage("picture", started_s)
        return composed

    def _write(self) -> None:
        for frame, failed in self._composed:
            started_s = time.monotonic()
            if self.watch is not None:
                self.watch.write(frame, failed)
            else:
                for sink in self.sinks:
                    hand_over(sink, frame)
            self.stats.stage("sinks", started_s)
            self.stats.done(frame.captured_s)

    def _last_card(self) -> None:
        if self.watch is not None:
            self.watch.end()

    def _guard(self, stage: Callable[[], None]) -> None:
        """Run a stage; its error stops all."""
        try:
            stage()
        except GaveUp:
            pass
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        # A stop by Ctrl-C reaches the main thread alone, and is no error of a stage.
        if threading.current_thread() is not threading.main_thread() or not isinstance(error, KeyboardInterrupt):
            error = as_error(error)
        with self._error_lock:
            self._error = self._error or error
        self._mattes.give_up()
        self._composed.give_up()
        self._may_read.release()

    def _close_sinks(self) -> None:
        """Each for itself: a picture without room costs no recording. The first error is the one to tell."""
        for sink in self.sinks:
            try:
                sink.close()
            except (Exception, SystemExit) as error:
                self._error = self._error or as_error(error)
                with contextlib.suppress(Exception):
                    sink.abort()

    def _abort_sinks(self) -> None:
        for sink in self.sinks:
            with contextlib.suppress(Exception):
                sink.abort()
