"""A change while whole frames go through a GPU: they come back, the processor draws, then the GPU serves again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faults import FaultyMatting, Injector, right_matte
from live_run import LEVELS, LiveRun
from numpy.typing import NDArray
from waiting import wait_for

from bgcam.realtime.errors import BackendError, GpuFailed, UsageError
from bgcam.realtime.frames import CameraFrame, CoarseMatte, ComposedFrame
from bgcam.realtime.gpu.select import Asked
from bgcam.realtime.picture.composed import composed
from bgcam.realtime.run import build
from bgcam.realtime.run.finding import Finding
from bgcam.realtime.run.renderer import Rescue


class Device:
    """One network, which frames on the GPU and the processor's path share; it can serve only one of them at a time.

    opened: the scenes that the GPU was opened for. both: how often it was asked to serve both.
    """

    def __init__(self) -> None:
        self.on_gpu = self.finding = self.both = self.finds = 0
        self.opened: list[Asked] = []
        self.fails = False
        self._lock = threading.Lock()

    def use(self, *, gpu: int = 0, finding: int = 0) -> None:
        with self._lock:
            self.on_gpu += gpu
            self.finding += finding
            self.finds += finding > 0
            self.both += bool(self.on_gpu and self.finding)

    def opener(self, backend: object, spec: object, asked: Asked) -> Callable[[], PretendGpu]:
        def open_gpu() -> PretendGpu:
            if asked.look.wrap:
                raise BackendError("the GPU path does not support --light-wrap; leave it out to use the GPU")
            self.use()
            assert not self.on_gpu + self.finding  # its known picture would come out wrong
            self.opened.append(asked)
            return PretendGpu(self, asked)

        return open_gpu


class PretendGpu:
    description = "a pretended GPU"

    def __init__(self, device: Device, asked: Asked):
        self._device, self._asked = device, asked
        self._on_way: deque[tuple[CameraFrame, NDArray[np.uint8]]] = deque()

    def submit(self, frame: CameraFrame) -> CameraFrame:
        if self._device.fails:
            raise GpuFailed("the GPU failed; start again")
        self._device.use(gpu=1)
        nobody = CoarseMatte(frame.number, np.zeros((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
        self._on_way.append((frame, self._asked.safe_background.picture(frame, nobody)))
        return frame

    def collect(self, frame: CameraFrame, sent: CameraFrame) -> ComposedFrame:
        first, behind = self._on_way.popleft()
        assert first is sent
        assert first.number == frame.number
        self._device.use(gpu=-1)
        alpha = np.repeat(np.repeat(right_matte(frame).alpha, 2, axis=0), 2, axis=1)[..., None]
        return composed(frame, np.where(alpha > 0.5, frame.room_bgr, behind))


class ProcessorMatting(FaultyMatting):
    """The network that takes over: another one, which may run while frames are still on the GPU."""

    def infer(self, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        return right_matte(frame)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    device = Device()

    def infer(matting: Any, frame: CameraFrame, seen_bgr: NDArray[np.uint8]) -> CoarseMatte:
        device.use(finding=1)
        try:
            return right_matte(frame)
        finally:
            device.use(finding=-1)

    def rescue_of(*given: object, **more: object) -> Rescue:
        def rescue() -> Any:
            return ProcessorMatting(Injector())

        return rescue

    monkeypatch.setattr(FaultyMatting, "infer", infer)
    monkeypatch.setattr(build, "gpu_opener", device.opener)
    monkeypatch.setattr(build, "rescue_of", rescue_of)
    return device


def check(run: LiveRun, device: Device) -> None:
    run.frames()
    assert run.file.numbers == list(range(len(run.file.numbers)))
    assert (np.diff(run.sink.numbers) >= 0).all()
    assert not run.sink.leaks + run.file.leaks
    assert device.both == 0


def test_the_gpu_serves_again_after_a_change_and_no_frame_is_lost(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    with LiveRun(fps=0) as run:
        assert run.live.on_gpu
        for at in range(20):
            name = ("navy", "blue", "moving")[at % 3]
            run.live.change(background=name)
            wait_for(lambda: run.live.on_gpu)
            assert device.opened[-1].safe_background is run.live.scene.behind
            run.frames()
            assert run.sink.blue == LEVELS[name]
        check(run, device)
    assert len(device.opened) == 21
    assert capsys.readouterr().err.count("whole frames go through the GPU") == 1


def test_what_has_no_kernel_is_drawn_by_the_processor_until_it_is_gone(device: Device) -> None:
    with LiveRun(fps=0) as run:
        for _ in range(5):
            run.live.change(look=lambda look: replace(look, wrap=5))
            finds = device.finds
            run.frames(10)
            assert not run.live.on_gpu
            assert device.finds > finds
            run.live.change(look=lambda look: replace(look, wrap=0))
            wait_for(lambda: run.live.on_gpu)
        check(run, device)


def test_from_the_room_to_the_gpu_and_back(device: Device) -> None:
    with LiveRun(begins_with="none", fps=0) as run:
        for _ in range(3):
            assert not run.live.on_gpu
            run.live.change(background="blue")
            begun = len(run.sink.got)
            wait_for(lambda: run.live.on_gpu)
            run.frames()
            assert not any(shows for _, _, shows, _ in run.sink.got[begun:])
            run.live.change(background="none", confirm_room=True)
            run.frames()
        assert device.both == 0


def test_a_gpu_that_failed_is_not_opened_again_for_a_change(device: Device) -> None:
    with LiveRun(fps=0) as run:
        device.fails = True
        wait_for(lambda: not run.live.on_gpu)
        run.live.change(background="navy")
        run.frames()
        assert run.sink.blue == LEVELS["navy"]
        assert len(device.opened) == 1
        assert run.live.backend == "processor, since the GPU failed"
        with pytest.raises(UsageError, match="far cannot change after the GPU failed"):
            run.live.change(far=True)
        with pytest.raises(UsageError, match=r"matte_rate cannot change after the GPU failed; .* --matte-rate$"):
            run.live.change(matte_rate="half")
        run.live.change(matte_rate="full", far=False)  # as they are
        check(run, device)


def test_the_processor_that_takes_over_runs_the_model_as_often_as_was_asked(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, bool]] = []
    really = Finding.by

    def by(finding: Finding, matting: Any, *, far: bool, half_rate: bool = False) -> Any:
        made.append((type(matting).__name__, half_rate))
        return really(finding, matting, far=far, half_rate=half_rate)

    monkeypatch.setattr(Finding, "by", by)
    with LiveRun(fps=0) as run:
        run.live.change(matte_rate="half")
        wait_for(lambda: run.live.on_gpu)
        made.clear()
        device.fails = True
        wait_for(lambda: not run.live.on_gpu)
        run.frames()
        assert made == [("ProcessorMatting", True)]
        check(run, device)


def test_a_mirrored_person_goes_through_the_gpu_mirrored(device: Device) -> None:
    with LiveRun() as run:
        run.live.change(mirror=True)
        wait_for(lambda: run.live.on_gpu)
        run.frames()
        assert run.live.on_gpu
