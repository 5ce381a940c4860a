"""Faults to inject into a run, a room with a secret, and a sink that looks for it.

`python tests/faults.py` prints the tables of docs/reliability.md, measured on this machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tiny_model import SPEC

from bgcam.realtime.backgrounds import Still
from bgcam.realtime.build import build_run
from bgcam.realtime.errors import BackendError, BackgroundError, SinkError, SourceError
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.look import Look
from bgcam.realtime.matting import Matting
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.pipeline import Pipeline
from bgcam.realtime.safety import SafeBackground
from bgcam.realtime.sources import Source
from bgcam.realtime.sources.reopening import ReopeningSource
from bgcam.realtime.watch import Watch

SIZE_WH = (64, 32)
SMALL_WH = (32, 16)
# The person stands in the left third and is green, the background is blue, and only the secret room has red.
PERSON_SHARE = 3
RED, GREEN = 2, 1
# The soft edge, where a little of the room may be in the mixture, ends before the frame's right half.
ROOM_FROM_PX = SIZE_WH[0] // 2
SECRET_LEVEL = 12


def room(number: int) -> NDArray[np.uint8]:
    """(H, W, 3) BGR: the person before a red pattern that moves."""
    width, height = SIZE_WH
    bgr = np.zeros((height, width, 3), np.uint8)
    down, across = np.indices((height, width))
    bgr[..., RED] = np.where((down + across + number) % 4 < 2, 255, 170)
    bgr[:, : width // PERSON_SHARE] = (0, 220, 0)
    return bgr


def right_matte(frame: CameraFrame) -> CoarseMatte:
    alpha = np.zeros((SMALL_WH[1], SMALL_WH[0]), np.float32)
    alpha[:, : SMALL_WH[0] // PERSON_SHARE] = 1
    return CoarseMatte(frame.number, alpha, np.ascontiguousarray(frame.bgr[::2, ::2]))


def shows_secret(bgr: NDArray[np.uint8]) -> bool:
    return bool((bgr[:, ROOM_FROM_PX:, RED] > SECRET_LEVEL).any())


def is_card(bgr: NDArray[np.uint8]) -> bool:
    """Whether there is neither person nor room: the background alone."""
    return not bgr[..., GREEN:].any()


class Injector:
    """Which fault is on. The stages ask it; `hang` waits until it is off."""

    def __init__(self) -> None:
        self.name = ""

    def set(self, name: str) -> None:
        self.name = name

    def hang(self) -> None:
        end_s = time.monotonic() + 5
        while self.name.endswith("hangs") and time.monotonic() < end_s:
            time.sleep(0.002)


UNPLUGGED = "camera is unplugged"


class SecretCamera:
    """A live source at `fps` frames a second, or as fast as it is read for 0. on_read: called with each number.

    stands_for: so many frames the room does not move, and the network need not be asked.
    """

    name, size_wh, drops = "secret", SIZE_WH, 0

    def __init__(
        self,
        faults: Injector,
        *,
        fps: float,
        frames: int | None = None,
        on_read: Callable[[int], None] | None = None,
        live: bool = True,
        stands_for: int = 1,
    ):
        self.fps, self.frames, self.live = fps or 1000.0, frames, live
        self._faults, self._wait_s, self.on_read = faults, 1 / fps if fps else 0.0, on_read
        self._stands_for = stands_for
        self._number = 0

    def read(self) -> CameraFrame | None:
        if self._number == self.frames:
            return None
        if self.on_read:
            self.on_read(self._number)
        time.sleep(self._wait_s)
        if self._faults.name in ("camera fails", UNPLUGGED):
            raise SourceError("the camera failed")
        if self._faults.name == "camera hangs":
            self._faults.hang()
        number, self._number = self._number, self._number + 1
        bgr = room(number // self._stands_for)
        if self._faults.name == "camera changes its size":
            bgr = bgr[:-4, :-6]
        if self._faults.name == "camera turns grey":
            bgr = bgr[..., RED]
        return CameraFrame(number, bgr, number / 30, time.monotonic())

    def close(self) -> None:
        self._faults.set("")


class KeptCamera:
    """One opening of a camera. Raises SourceError while it is unplugged."""

    live, frames = True, None

    def __init__(self, camera: Source, faults: Injector):
        if faults.name == UNPLUGGED:
            raise SourceError("the camera is gone")
        self.name, self.size_wh, self.fps, self.drops = camera.name, camera.size_wh, camera.fps, 0
        self.read = camera.read

    def close(self) -> None:
        """The camera stays for the next opening."""


MATTE_VALUES = {"matte is NaN": np.nan, "matte is all one": 1.0, "matte is one half": 0.5, "matte is out of range": 7.0}


class FaultyMatting(Matting):
    """A network that knows where the person stands, on no backend."""

    path, at_once, spec = Path("none.onnx"), 1, SPEC

    def __init__(self, faults: Injector):
        self._faults = faults

    def prepare(self, frame_wh: tuple[int, int]) -> Any:
        return self

    def see(self, frame: CameraFrame) -> NDArray[np.uint8]:
        return np.ascontiguousarray(frame.bgr[::2, ::2])

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        matte = right_matte(frame)
        name = self._faults.name
        if name == "inference fails":
            raise BackendError("the model failed")
        if name == "inference hangs":
            self._faults.hang()
        if name == "matte of another frame":
            return replace(matte, number=frame.number - 1)
        if name == "matte of another size":
            return replace(matte, alpha=matte.alpha[:-1])
        if name in MATTE_VALUES:
            return replace(matte, alpha=np.full_like(matte.alpha, MATTE_VALUES[name]))
        return matte


class FaultyBackground(Still):
    def __init__(self, faults: Injector):
        super().__init__("blue", np.full((1, 1, 3), (200, 0, 0), np.uint8))
        self._faults = faults

    def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
        if self._faults.name == "background vanishes":
            raise BackgroundError("the background is gone")
        bgr = super().picture(frame, coarse)
        return bgr[1:] if self._faults.name == "background of another size" else bgr


class FaultyPicture(Chain):
    faults: Injector

    def __call__(self, frame: CameraFrame, coarse: CoarseMatte) -> ComposedFrame:
        if self.faults.name == "picture fails":
            raise RuntimeError("the picture failed")
        if self.faults.name == "picture hangs":
            self.faults.hang()
        return super().__call__(frame, coarse)


class LookingSink:
    """A live sink that keeps when it got what: (seconds, whether a card), and whether it ever saw the secret."""

    name = "looking"

    def __init__(self, faults: Injector | None = None, *, live: bool = True):
        self.live, self.end = live, ""
        self.got: list[tuple[float, bool]] = []
        self.leaks: list[int] = []
        self._faults = faults or Injector()

    def write(self, frame: ComposedFrame) -> None:
        self.got.append((time.monotonic(), is_card(frame.bgr)))
        if shows_secret(frame.bgr):
            self.leaks.append(frame.number)
        if self._faults.name == "output fails":
            self._faults.set("")
            raise SinkError("the output failed")
        if self._faults.name == "other output hangs" and not self.live:
            self._faults.hang()

    def close(self) -> None:
        self.end += "closed"

    def abort(self) -> None:
        self.end += "aborted"


@dataclass(frozen=True)
class Fault:
    """name: what the injector is set to. how: it is injected. sees: what who watches sees.

    back_ms: the longest that the person may stay away after it.
    """

    name: str
    how: str
    sees: str = "background alone, then the person again"
    back_ms: float = 250


FAULTS = [
    Fault("camera fails", "`read` raises"),
    Fault(UNPLUGGED, "`read` raises, and so does opening it again", back_ms=2250),  # it is looked for ever later
    Fault("camera hangs", "`read` does not return"),
    Fault("camera changes its size", "a smaller frame in mid-stream"),
    Fault("camera turns grey", "frames of one channel in mid-stream"),
    Fault("inference fails", "the backend raises"),
    Fault("inference hangs", "the backend does not return"),
    Fault("matte is NaN", "alpha of NaN"),
    Fault("matte is all one", "alpha of 1 everywhere, suddenly"),
    Fault("matte is one half", "alpha of 0.5 everywhere, suddenly"),
    Fault("matte is out of range", "alpha of 7"),
    Fault("matte of another frame", "the frame's number is wrong"),
    Fault("matte of another size", "a row is missing"),
    Fault("background vanishes", "the background raises"),
    Fault("background of another size", "a row is missing"),
    Fault("picture fails", "the picture's stage raises"),
    Fault("picture hangs", "the picture's stage does not return"),
    Fault("other output hangs", "a second output's `write` does not return"),
]


@dataclass(frozen=True)
class Otherwise:
    """A fault without a card. test: FILE::FUNCTION in this folder, which injects it."""

    name: str
    how: str
    sees: str
    test: str


OTHERS = [
    Otherwise(
        "disk is full",
        "the recording's writer raises ENOSPC; a small file system that another program fills",
        "the picture goes on; the recording plays up to there",
        "test_disk_full.py::test_a_real_full_disk_from_the_command",
    ),
    Otherwise(
        "disk is nearly full at the start",
        "a file system with 17 MB",
        "one line, exit code 1",
        "test_disk_full.py::test_a_disk_that_is_nearly_full_at_the_start_is_said_before_anything_is_written",
    ),
    Otherwise(
        "recording process is killed",
        "its file is read while it grows",
        "the hidden file plays but for its end",
        "test_disk_full.py::test_what_a_killed_run_leaves_plays_but_for_its_end",
    ),
    Otherwise(
        "process is killed",
        "`kill -9` at random moments",
        "the web page ends, after nothing but pictures and cards",
        "test_killed.py::test_a_reader_of_a_killed_run_never_sees_the_room",
    ),
    Otherwise(
        "process is stopped",
        "Ctrl-Z",
        "background alone until it goes on",
        "test_killed.py::test_a_run_that_is_stopped_shows_the_background_until_it_goes_on",
    ),
    Otherwise(
        "no more pictures reach the browser",
        "no picture is written, then the server ends",
        "an empty page within 500 ms, then the picture again",
        "test_page.py::test_a_picture_that_is_old_is_taken_away_and_comes_back",
    ),
    Otherwise(
        "mattes are refused while files are made",
        "alpha of 1 everywhere, suddenly",
        "background alone in those frames; the last line says in how many; exit code 1",
        "test_whole_command.py::test_a_network_that_takes_all_for_a_person_shows_no_room_anywhere",
    ),
    Otherwise(
        "every matte is refused while files are made",
        "alpha of 1 everywhere, from the first frame on",
        "no file; one line, exit code 1",
        "test_whole_command.py::test_files_are_not_kept_where_every_matte_is_refused",
    ),
    Otherwise(
        "model file is cut, written over or removed",
        "the file of a model that runs is changed",
        "the picture goes on",
        "test_matting.py::test_a_model_file_that_changes_in_mid_run_changes_nothing",
    ),
    Otherwise(
        "another backend takes over in mid-stream",
        "it becomes ready while frames are under way",
        "the picture goes on",
        "test_warming.py::test_the_fallback_serves_until_the_other_is_ready",
    ),
    Otherwise(
        "graphics card fails in mid-stream",
        "its calls raise",
        "the processor goes on; no frame is lost",
        "test_drawing.py::test_the_processor_goes_on_where_the_card_fails",
    ),
    Otherwise(
        "backend fails while another is made ready",
        "the new one's constructor raises",
        "the picture goes on with the old one",
        "test_warming.py::test_where_it_is_optional_the_fallback_goes_on",
    ),
    Otherwise(
        "background's video breaks",
        "the file is cut off while it plays",
        "its last good picture",
        "test_backgrounds.py::test_a_video_that_breaks_leaves_its_last_good_picture",
    ),
    Otherwise(
        "a picture of the slideshow is damaged",
        "no picture in the file",
        "the one before it",
        "test_backgrounds.py::test_a_slideshow_passes_over_what_cannot_be_read",
    ),
    Otherwise(
        "machine is too busy",
        "a stage slower than the camera",
        "frames dropped evenly; the status line says so",
        "test_busy.py::test_frames_are_dropped_evenly_and_latency_stays_bounded",
    ),
    Otherwise(
        "nobody there",
        "empty rooms, noise, light switched off and on",
        "background alone",
        "test_nobody_there.py::test_who_leaves_leaves_the_background_alone",
    ),
    Otherwise(
        "web page asked by a foreign name",
        "DNS rebinding: another Host",
        "403 and one line",
        "test_web.py::test_dns_rebinding",
    ),
    Otherwise(
        "web page asked by another site",
        "Origin and Sec-Fetch-Site of another page",
        "403 and one line",
        "test_web.py::test_cross_site_requests",
    ),
    Otherwise(
        "web page asked with two answers",
        "Host, Origin or Sec-Fetch-Site twice",
        "400 and one line",
        "test_web.py::test_a_header_that_comes_twice_is_refused",
    ),
    Otherwise(
        "web page asked without the key",
        "paths with a wrong key or none",
        "403 and one line",
        "test_web.py::test_the_key_is_needed_and_is_another_each_time",
    ),
    Otherwise(
        "a hundred watchers at once, slow ones",
        "sockets that do not read",
        "8 watch, the others are told; the camera is not slowed",
        "test_web.py::test_a_hundred_at_once_do_not_slow_write_and_leave_nothing",
    ),
    Otherwise(
        "file is damaged or lies",
        "bytes changed at random; bombs of 144 megapixels",
        "one line, exit code 1",
        "test_lying_videos.py::test_damaged_videos",
    ),
    Otherwise(
        "shipped model is damaged",
        "a byte changed; the table of checksums gone",
        "one line, exit code 1",
        "test_spec.py::test_a_shipped_model_is_checked_against_the_table",
    ),
]


def make_run(
    faults: Injector,
    sinks: list[LookingSink],
    *,
    fps: float = 0.0,
    frames: int | None = None,
    on_read: Callable[[int], None] | None = None,
    watchdog_ms: float = 500,
    give_up_s: float = 20.0,
    checked: bool = True,
    live: bool = True,
    stands_for: int = 1,
    reopened: bool = False,
) -> Pipeline[Any]:
    """A pipeline as `bgcam` builds it, of parts that can fail. reopened: a lost camera is looked for again."""
    background = FaultyBackground(faults)
    background.needs_matte = checked  # who asks for the room gets it, so that nothing is checked

    def drawn_by(behind: SafeBackground, look: Look) -> FaultyPicture:
        chain = FaultyPicture(behind, look)
        chain.faults = faults
        return chain

    source: Source = SecretCamera(faults, fps=fps, frames=frames, on_read=on_read, live=live, stands_for=stands_for)
    if reopened:
        source = ReopeningSource(KeptCamera(source, faults), partial(KeptCamera, source, faults))
    pipeline = build_run(
        source,
        background,
        FaultyMatting(faults),
        Look(),
        watchdog_ms=watchdog_ms,
        give_up_s=give_up_s,
        drawn_by=drawn_by,
    )
    pipeline.sinks = list(sinks)
    return pipeline


def watch_of(pipeline: Pipeline[Any]) -> Watch:
    assert pipeline.watch is not None
    return pipeline.watch


@dataclass(frozen=True)
class Measured:
    """card_ms: from the fault's beginning to the first card; back_ms: from its end to the first picture."""

    card_ms: float
    back_ms: float
    leaks: int
    longest_picture_ms: float


def measure(fault: Fault, *, watchdog_ms: float, lasts_s: float, fps: float = 60) -> Measured:
    """Run a fault that begins, lasts and heals. Raises AssertionError when no card or no picture came."""
    faults = Injector()
    sink, other = LookingSink(faults), LookingSink(faults, live=False)
    pipeline = make_run(faults, [sink, other], fps=fps, watchdog_ms=watchdog_ms, reopened=fault.name == UNPLUGGED)
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    _until(lambda: sum(not card for _, card in sink.got) > 5)
    began_s = time.monotonic()
    faults.set(fault.name)
    time.sleep(lasts_s)
    healed_s = time.monotonic()
    faults.set("")
    _until(lambda: not sink.got[-1][1] and sink.got[-1][0] > healed_s)
    pipeline.stop()
    thread.join(10)
    # Frames that were under way when it began still come through.
    cards_s = [at_s for at_s, card in sink.got if card and began_s <= at_s]
    pictures_s = [at_s for at_s, card in sink.got if not card and at_s >= healed_s]
    shown = [end[0] - begin[0] for begin, end in zip(sink.got, sink.got[1:], strict=False) if not begin[1]]
    assert min(cards_s) < healed_s, f"no card while {fault.name}"
    return Measured(
        card_ms=(cards_s[0] - began_s) * 1000,
        back_ms=(pictures_s[0] - healed_s) * 1000,
        leaks=len(sink.leaks) + len(other.leaks),
        longest_picture_ms=max(shown) * 1000,
    )


def table(*, watchdog_ms: float = 500, lasts_s: float = 1.0) -> str:
    """The Markdown table of docs/reliability.md."""
    titles = "card after, ms | back after, ms | longest picture, ms"
    lines = [f"| fault | how it is injected | what you see | {titles} |", "|---|---|---|---|---|---|"]
    for fault in FAULTS:
        found = measure(fault, watchdog_ms=watchdog_ms, lasts_s=lasts_s)
        times = f"{found.card_ms:.0f} | {found.back_ms:.0f} | {found.longest_picture_ms:.0f}"
        lines.append(f"| {fault.name} | {fault.how} | {fault.sees} | {times} |")
    return "\n".join(lines)


def others_table() -> str:
    """The second table of docs/reliability.md, which has no times."""
    lines = ["| fault | how it is injected | what you see | test |", "|---|---|---|---|"]
    lines += [f"| {one.name} | {one.how} | {one.sees} | `{one.test}` |" for one in OTHERS]
    return "\n".join(lines)


def _until(condition: Callable[[], bool], *, limit_s: float = 5.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.001)


if __name__ == "__main__":
    print(others_table(), end="\n\n")
    print(table())
