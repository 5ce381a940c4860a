"""No camera frame, and no camera frame's memory, gets to an output: whatever a part of the run gives instead."""

from __future__ import annotations

import ast
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import FaultyBackground, Injector, LookingSink, SecretCamera, make_run, room, watch_of
from numpy.typing import NDArray
from shown import File, shown
from test_pipeline import FakeSink, FakeSource, slow_matting
from waiting import wait_for

import bgcam
from bgcam.realtime import camera_memory
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.camera_memory import is_camera_memory
from bgcam.realtime.devices.viewers import Viewers
from bgcam.realtime.errors import BackgroundError
from bgcam.realtime.failsafe.gate import check_shown, send
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.picture.composed import composed, composed_i420, placeholder
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.sinks import open_sink

REALTIME = Path(bgcam.__file__).resolve().parent / "realtime"
SIZE_WH = (64, 32)


def camera_frame(number: int = 0) -> CameraFrame:
    return CameraFrame(number, room(number), number / 30, time.monotonic())


class Disguised:
    """What has all that a sink reads, and is no composed frame."""

    def __init__(self, frame: CameraFrame):
        self.number, self.time_s, self.captured_s = frame.number, frame.time_s, frame.captured_s
        self.bgr, self.i420, self.size_wh, self.pixels = frame.room_bgr, None, frame.size_wh, frame.room_bgr


def test_the_two_kinds_of_frame_have_no_pixels_in_common() -> None:
    camera, made = camera_frame(), shown(0, room(0))
    assert not hasattr(camera, "bgr")
    assert not hasattr(camera, "i420")
    assert not hasattr(made, "room_bgr")
    assert set(CameraFrame.__mro__) & set(ComposedFrame.__mro__) == {object}


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: composed(frame, frame.room_bgr),
        lambda frame: composed(frame, frame.room_bgr[:, ::-1]),
        lambda frame: composed(frame, frame.room_bgr.view()),
        lambda frame: composed(camera_frame(1), frame.room_bgr),
        lambda frame: placeholder(0, frame.room_bgr),
        lambda frame: placeholder(0, frame.room_bgr[4:9, 3:7]),
        lambda frame: placeholder(0, frame.room_bgr.reshape(-1)[192:].reshape(31, 64, 3)),
        lambda frame: composed_i420(frame, frame.room_bgr.reshape(-1)[: 48 * 64].reshape(48, 64)),
    ],
)
def test_no_frame_is_composed_of_a_cameras_own_pixels(make: Callable[[CameraFrame], ComposedFrame]) -> None:
    with pytest.raises(ValueError, match="cannot be made of a camera frame's own pixels"):
        make(camera_frame())


def test_only_the_compositor_makes_composed_frames() -> None:
    make: Any = ComposedFrame
    for options in ({}, {"made_by": None}, {"made_by": object()}):
        with pytest.raises(TypeError, match=r"only bgcam\.realtime\.picture\.composed makes"):
            make(0, 0.0, 0.0, bgr=room(0), **options)
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Mine", (ComposedFrame,), {})


def test_a_placeholder_is_a_copy() -> None:
    behind = np.full((32, 64, 3), 9, np.uint8)
    made = placeholder(3, behind)
    behind[:] = room(0)  # the background draws its next picture, or something else, in the same place
    assert (made.bgr == 9).all()


def test_a_background_in_a_cameras_memory_is_no_placeholder() -> None:
    class Thief(Still):
        stolen: NDArray[np.uint8] | None = None

        def picture(self, frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
            return super().picture(frame, coarse) if self.stolen is None else self.stolen

    thief = Thief("thief", np.full((1, 1, 3), 9, np.uint8))
    safe, first, second = SafeBackground(thief, SIZE_WH), camera_frame(0), camera_frame(1)
    thief.stolen = first.room_bgr
    with pytest.raises(BackgroundError, match="camera frame's memory"):
        safe.picture(second, CoarseMatte(1, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8)))
    assert (safe.placeholder(5).bgr == 9).all()


@pytest.mark.parametrize("spec", ["null", "out.png", "out.mp4", "out/", "web:0"])
@pytest.mark.parametrize("kind", [lambda frame: frame, Disguised, lambda frame: frame.room_bgr, lambda frame: None])
def test_no_output_gets_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, kind: Callable[[CameraFrame], Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = open_sink(spec, size_wh=SIZE_WH, fps=30)
    try:
        with pytest.raises(TypeError, match="is not shown"):
            send(sink, kind(camera_frame()))
        with pytest.raises(TypeError, match="is not shown"):
            sink.write(kind(camera_frame()))
    finally:
        sink.abort()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_frame_whose_pixels_were_exchanged_is_not_shown() -> None:
    camera, made = camera_frame(), shown(0, room(0))
    check_shown(made)
    made._bgr = camera.room_bgr
    with pytest.raises(TypeError, match="shares a camera frame's memory"):
        check_shown(made)


@pytest.mark.parametrize("kind", [lambda frame: frame, Disguised, lambda frame: frame.room_bgr, lambda frame: None])
@pytest.mark.parametrize("watched", [True, False])
def test_a_picture_stage_that_gives_something_else_shows_no_room(
    kind: Callable[[CameraFrame], Any], watched: bool
) -> None:
    faults = Injector()
    sinks = [LookingSink(live=watched), LookingSink(live=False)]
    watch = OutputGuard(SafeBackground(FaultyBackground(faults), SIZE_WH))
    camera = SecretCamera(faults, fps=0, frames=8, live=watched)
    pipeline = Pipeline(camera, slow_matting(), lambda frame, matte: kind(frame), watch=watch)
    if watched:
        pipeline.run(sinks)
        assert all(is_placeholder for sink in sinks for _, is_placeholder in sink.got)
        assert len(sinks[1].got) == 8
    else:
        with pytest.raises((TypeError, AttributeError)):
            pipeline.run(sinks)
        assert [sink.got for sink in sinks] == [[], []]


def test_without_a_watch_too() -> None:
    sink = FakeSink()
    with pytest.raises(TypeError, match="a CameraFrame is not shown"):
        Pipeline(FakeSource(4), slow_matting(), lambda frame, matte: frame).run([sink])  # type: ignore[arg-type,return-value]
    assert (sink.frames, sink.end) == ([], "aborted")


def test_a_sink_that_does_not_say_whether_it_is_live_is_no_sink() -> None:
    class Forgot:
        name, notice, written = "forgot", "", 0

        def write(self, frame: ComposedFrame) -> None:
            self.written += 1

        def viewers(self) -> Viewers:
            return Viewers.NONE

        def close(self) -> None: ...

        def abort(self) -> None: ...

    forgot: Any = Forgot()
    with pytest.raises(AttributeError, match="live"):
        pipeline = make_run(Injector(), frames=3)
        pipeline.run([forgot])
    assert forgot.written == 0


def test_every_write_to_a_sink_goes_through_the_gate() -> None:
    """In the code of a run, `.write(` of a frame is called in failsafe/gate.py alone."""
    for path in [*REALTIME.glob("*.py"), *(REALTIME / "picture").glob("*.py"), *(REALTIME / "gpu").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == "write" and "sink" in ast.unparse(called.value):
                assert path.name == "failsafe/gate.py", f"{path}: line {called.lineno}"


def test_where_a_camera_frame_lay_is_free_once_it_is_gone() -> None:
    frame = camera_frame()
    view = frame.room_bgr[3:9]
    assert is_camera_memory(view)
    del frame
    assert is_camera_memory(view), "the memory is still the camera's"
    address = view.ctypes.data
    del view
    gc.collect()
    assert not any(first <= address < last and owned_by() for (first, last), owned_by in camera_memory._places.items())


def test_what_is_remembered_of_camera_frames_stays_small() -> None:
    held = camera_frame()
    for number in range(2000):
        camera_frame(number)
        CameraFrame(number, held.room_bgr, 0.0, 0.0)  # a last picture that is given again and again
    assert len(camera_memory._places) < 600
    assert is_camera_memory(held.room_bgr)


def test_threads_remember_at_the_same_time() -> None:
    kept: list[CameraFrame] = []

    def work() -> None:
        for number in range(200):
            kept.append(camera_frame(number))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: not any(thread.is_alive() for thread in threads))
    assert all(is_camera_memory(frame.room_bgr) for frame in kept)


def test_a_whole_run_shares_no_memory_with_the_camera() -> None:
    faults, seen, shared = Injector(), list[CameraFrame](), list[int]()

    class Comparing(File):
        def write(self, frame: ComposedFrame) -> None:
            shared.extend(one.number for one in seen if np.shares_memory(one.room_bgr, frame.bgr))

    pipeline = make_run(faults, frames=30)
    source: Any = pipeline._source
    read = source.read

    def reading() -> CameraFrame | None:
        frame = read()
        seen.extend([frame] if frame is not None else [])
        return frame

    source.read = reading
    pipeline.run([LookingSink(), Comparing()])
    assert len(seen) >= 29
    assert shared == []
    assert watch_of(pipeline).replaced == 0
