"""Frames by the GPU and by the processor: who draws when, and that the room stays hidden if the GPU fails."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cuda_host
import numpy as np
import pytest
from clips import read_clip, write_clip
from fake_cupy import FakeCupy
from faults import MATTE_VALUES, SIZE_WH, FaultyBackground, Injector, LookingSink, SecretCamera, right_matte, room

from bgcam.realtime import cuda as gpu_cuda
from bgcam.realtime.backgrounds.blur import Blur, Room
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.command.cli import main
from bgcam.realtime.errors import BackendError, GpuFailed, MatteRefused
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.failsafe.output_guard import OutputGuard
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.gpu.frame_ring import DevicePath
from bgcam.realtime.gpu.renderer import GpuRenderer
from bgcam.realtime.gpu.select import Asked, gpu_opener, stages_for
from bgcam.realtime.look import Look
from bgcam.realtime.model.backends import cpu_order, load_backend
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.composed import composed
from bgcam.realtime.picture.kernels import load as kernel_load
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.renderer import FrameRenderer

SPEC = ModelSpec(name="tiny", encoder="none", precision="fp32", sizes_wh=((48, 32),))
GPU_LOST = "the GPU is lost"


class GreenNetwork:
    """A network on the stand-in for a GPU: what is green in its input is the person. A fault changes its matte."""

    description = "a stand-in"

    def __init__(self, cupy: FakeCupy, faults: Injector):
        self._cupy, self._faults = cupy, faults
        self.input, self.output = (cupy.zeros((1, planes, 32, 48), np.float32) for planes in (3, 1))

    def enqueue(self, stream: int) -> None:
        self._cupy.do(self._infer)

    def _infer(self) -> None:
        if self._faults.name == "inference fails":
            raise RuntimeError("CUDA_ERROR_UNKNOWN: unknown error")
        if self._faults.name == "inference hangs":
            self._faults.hang()
        green, red = (self.input[0, at] * SPEC.std[at] + SPEC.mean[at] for at in (1, 0))
        self.output[0, 0] = green > np.maximum(red, 0.4)
        if self._faults.name in MATTE_VALUES:
            value, rows = MATTE_VALUES[self._faults.name]
            self.output[0, 0, : round(32 * rows)] = value


class BrightNetwork(GreenNetwork):
    """What is bright is the person, as in `clips`."""

    def _infer(self) -> None:
        self.output[0, 0] = self.input[0, 1] * SPEC.std[1] + SPEC.mean[1] > 0.5


@dataclass
class Backend:
    """A backend whose network is on the GPU, from some frame on."""

    device_network: Any
    name = description = "stand-in"
    at_once = 1

    def infer(self, bgr: Any) -> Any:
        raise AssertionError("not asked")


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Injector:
    return Injector()


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch, faults: Injector) -> FakeCupy:
    fake = FakeCupy()
    kernels = fake.kernels(cuda_host.host_kernels())
    monkeypatch.setattr(gpu_cuda, "load_cupy", lambda: fake)
    monkeypatch.setattr(kernel_load, "load_kernels", lambda: kernels)
    monkeypatch.setattr(DevicePath, "pinned_array", lambda self, shape: cuda_host.device_array(tuple(shape), np.uint8))

    def synchronize(self: Any) -> None:
        if faults.name == GPU_LOST:
            raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    monkeypatch.setattr(fake.cuda.Event, "synchronize", synchronize)
    return fake


def gpu(cupy: FakeCupy, faults: Injector, **options: Any) -> GpuRenderer:
    behind = SafeBackground(FaultyBackground(faults), SIZE_WH)
    stages = stages_for(Look(), FaultyBackground(faults))
    return GpuRenderer(GreenNetwork(cupy, faults), SPEC, behind, frame_wh=SIZE_WH, stages=stages, **options)


def frame(number: int) -> CameraFrame:
    return CameraFrame(number, room(number), number / 30, 0.0)


GPU_FAULTS = [
    "inference fails",
    "inference hangs",
    "matte is NaN",
    "matte is all one",
    "matte is one half",
    "matte is out of range",
    "matte is of 0 to 255",
    "camera changes its size",
    "background vanishes",
    "background of another size",
    GPU_LOST,
]


@pytest.mark.parametrize("name", GPU_FAULTS)
def test_every_fault_of_the_gpu_is_bridged_and_the_run_goes_on(cupy: FakeCupy, faults: Injector, name: str) -> None:
    sinks = [LookingSink(faults), LookingSink(faults, live=False)]
    behind = SafeBackground(FaultyBackground(faults), SIZE_WH)
    network = GreenNetwork(cupy, faults)
    stages, check = stages_for(Look(), FaultyBackground(faults)), MatteCheck()
    path = GpuRenderer(network, SPEC, behind, frame_wh=SIZE_WH, stages=stages, check=check)
    drawing = FrameRenderer(right_matte, Chain(behind), check=check, say=lambda line: None, open_gpu=lambda: path)

    def begin(number: int) -> None:
        if number == 10:
            faults.set(name)
            if name.endswith("hangs"):  # nobody reads on: it ends by time
                threading.Timer(0.2, faults.set, [""]).start()
        if number == 20:
            faults.set("")

    camera = SecretCamera(faults, fps=200, frames=40, on_read=begin)
    Pipeline(camera, drawing.begin, drawing.finish, watch=OutputGuard(behind, watchdog_ms=100)).run(sinks)
    for sink in sinks:
        assert not sink.leaks
    shown = [is_placeholder for _, is_placeholder in sinks[0].got]
    assert shown[0]
    assert shown[-1]
    assert shown.count(True) >= 4
    assert not all(shown[-15:])
    assert drawing.gpu is path


@pytest.mark.parametrize("name", ["matte is out of range", "matte is of 0 to 255"])
def test_a_matte_out_of_range_is_refused_as_on_the_processor(cupy: FakeCupy, faults: Injector, name: str) -> None:
    path = gpu(cupy, faults)
    faults.set(name)
    sent = path.submit(frame(0))
    with pytest.raises(MatteRefused, match="a stand-in returned an invalid matte"):
        path.collect(frame(0), sent)


def test_what_was_smoothed_with_a_refused_matte_is_not_shown(cupy: FakeCupy, faults: Injector) -> None:
    path = gpu(cupy, faults, check=MatteCheck())
    path.collect(frame(0), path.submit(frame(0)))
    faults.set("matte is all one")
    sent = [path.submit(frame(1))]
    faults.set("")
    sent += [path.submit(frame(number)) for number in (2, 3)]
    for number, reason in ((1, "suddenly shows"), (2, "smoothed"), (3, "smoothed")):
        with pytest.raises(BackendError, match=f"frame {number}.*{reason}"):
            path.collect(frame(number), sent[number - 1])
    assert path.collect(frame(4), path.submit(frame(4))).number == 4


def test_a_picture_is_its_own_frames(cupy: FakeCupy, faults: Injector) -> None:
    path = gpu(cupy, faults)
    sent = [path.submit(frame(number)) for number in range(2)]
    with pytest.raises(ValueError, match="cannot take the picture of frame 0"):
        path.collect(frame(1), sent[1])
    assert path.collect(frame(1), sent[1]).number == 1


def test_a_frame_that_could_not_set_out_is_nobody_elses(cupy: FakeCupy, faults: Injector) -> None:
    path = gpu(cupy, faults)
    faults.set("inference fails")
    with pytest.raises(GpuFailed, match=r"frame 0: the GPU failed \(CUDA_ERROR_UNKNOWN"):
        path.submit(frame(0))
    faults.set("")
    assert np.array_equal(path.collect(frame(1), path.submit(frame(1))).bgr[:, :16], room(1)[:, :16])


def test_a_packed_picture_comes_back_for_a_virtual_camera(cupy: FakeCupy, faults: Injector) -> None:
    packed, plain = (gpu(cupy, faults, output=output) for output in ("i420", "bgr"))
    one, other = (path.collect(frame(0), path.submit(frame(0))) for path in (packed, plain))
    assert one.i420 is not None
    assert np.abs(one.bgr.astype(int) - other.bgr).mean() < 12  # colour in half the resolution


@pytest.mark.parametrize("live", [True, False])
def test_the_processor_goes_on_where_the_gpu_fails(cupy: FakeCupy, faults: Injector, live: bool) -> None:
    """No frame is lost by it, not even those that were on their way, and the order stays."""
    said: list[str] = []
    behind = SafeBackground(FaultyBackground(faults), SIZE_WH)
    path = gpu(cupy, faults, check=MatteCheck())
    drawing = FrameRenderer(
        right_matte,
        Chain(behind),
        check=MatteCheck(),
        say=said.append,
        open_gpu=lambda: path,
        rescue=lambda: right_matte,
    )
    sink = LookingSink(faults, live=live)

    def begin(number: int) -> None:
        if number == 10:
            faults.set(GPU_LOST)

    camera = SecretCamera(faults, fps=0 if not live else 200, frames=30, on_read=begin)
    camera.live = live
    watch = OutputGuard(behind, watchdog_ms=1000)
    summary = Pipeline(camera, drawing.begin, drawing.finish, watch=watch).run([sink])
    assert summary.frames == 30
    assert drawing.gpu is None
    assert not sink.leaks
    assert len([is_placeholder for _, is_placeholder in sink.got if not is_placeholder]) == 30
    assert [line.split(":")[0] for line in said] == ["whole frames go through the GPU", said[1].split(":")[0]]
    assert "cudaErrorIllegalAddress" in said[1]
    assert said[1].endswith("the processor goes on")


def test_without_a_rescue_the_gpus_failure_ends_the_run_with_its_line(cupy: FakeCupy, faults: Injector) -> None:
    behind = SafeBackground(FaultyBackground(faults), SIZE_WH)
    path = gpu(cupy, faults)
    drawing = FrameRenderer(right_matte, Chain(behind), say=lambda line: None, open_gpu=lambda: path)
    sink, file = LookingSink(faults), LookingSink(faults, live=False)

    def begin(number: int) -> None:
        if number == 10:
            faults.set(GPU_LOST)

    camera = SecretCamera(faults, fps=200, on_read=begin)
    watch = OutputGuard(behind, watchdog_ms=100, give_up_s=0.4)
    with pytest.raises(BackendError, match=r"the GPU failed .*another --backend"):
        Pipeline(camera, drawing.begin, drawing.finish, watch=watch).run([sink, file])
    assert sink.got[-1][1]
    assert not sink.leaks
    assert (sink.end, file.end) == ("closed", "closed")


def test_the_gpu_comes_in_when_its_network_is_ready(cupy: FakeCupy, faults: Injector) -> None:
    said: list[str] = []
    background = Still("blue", np.full((1, 1, 3), (200, 0, 0), np.uint8))
    behind = SafeBackground(background, SIZE_WH)
    backend: Any = Backend(None)
    drawing = FrameRenderer(
        right_matte,
        Chain(behind),
        say=said.append,
        open_gpu=gpu_opener(backend, SPEC, Asked(background, behind, Look(), SIZE_WH, True, None)),
    )
    kinds = []
    for number in range(4):
        if number == 2:
            backend.device_network = GreenNetwork(cupy, faults)
        made = drawing.finish(frame(number), drawing.begin(frame(number)))
        kinds.append("BGR" if made.i420 is None else "I420")
        assert made.number == number
    assert kinds == ["BGR"] * 2 + ["I420"] * 2
    assert said == ["whole frames go through the GPU: a stand-in"]


@pytest.mark.parametrize(
    ("look", "background", "names"),
    [
        (Look(wrap=2), Blur(), "--light-wrap"),
        (Look(match=2), Blur(), "--light-match"),
        (Look(frame="follow", view="matte"), Blur(), "--frame follow or --view matte"),
        (Look(view="cutout"), Room(), "--view cutout or --background none"),
        (Look(key="green"), Blur(), "--key green"),
    ],
)
def test_what_the_gpu_lacks_is_said_once_and_the_processor_draws(
    cupy: FakeCupy, faults: Injector, look: Look, background: Any, names: str
) -> None:
    said: list[str] = []
    behind = SafeBackground(background, SIZE_WH)
    backend: Any = Backend(GreenNetwork(cupy, faults))
    drawing = FrameRenderer(
        right_matte,
        lambda frame, matte: composed(frame, frame.room_bgr.copy()),
        say=said.append,
        open_gpu=gpu_opener(backend, SPEC, Asked(background, behind, look, SIZE_WH, False, None)),
    )
    for number in range(3):
        drawing.finish(frame(number), drawing.begin(frame(number)))
    path = "the processor draws the picture: the GPU path does not support"
    assert said == [f"{path} {names}; leave it out to use the GPU"]


def test_a_gpu_that_cannot_be_opened_leaves_the_processor(monkeypatch: pytest.MonkeyPatch, faults: Injector) -> None:
    def lost() -> Any:
        raise RuntimeError("cudaErrorMemoryAllocation:\nout of memory")

    monkeypatch.setattr(gpu_cuda, "load_cupy", lost)
    said: list[str] = []
    behind = SafeBackground(FaultyBackground(faults), SIZE_WH)
    backend: Any = Backend(GreenNetwork(FakeCupy(), faults))
    asked = Asked(FaultyBackground(faults), behind, Look(), SIZE_WH, False, None)
    drawing = FrameRenderer(right_matte, Chain(behind), say=said.append, open_gpu=gpu_opener(backend, SPEC, asked))
    drawing.finish(frame(0), drawing.begin(frame(0)))
    assert "cannot be opened (cudaErrorMemoryAllocation: out of memory)" in said[0]
    assert len(said) == 1


@pytest.mark.parametrize("asked", ["auto", "torch"])
def test_the_command_puts_whole_frames_through_the_gpu(
    cupy: FakeCupy,
    faults: Injector,
    asked: str,
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And `auto` goes on without it when it fails in the middle; a backend that was asked for by name does not."""

    def load(name: str, path: Path, spec: ModelSpec, size_wh: Any, **options: Any) -> Any:
        if name in cpu_order():
            return load_backend(name, path, spec, size_wh, **options)
        return Backend(BrightNetwork(cupy, faults)), []

    monkeypatch.setattr("bgcam.realtime.model.matting.load_backend", load)
    clip, out = write_clip(tmp_path / "clip.mp4", frames=12), tmp_path / "out.mp4"
    given = ["--input", str(clip), "--background", "blue", "--model", str(tiny_model), "--backend", asked]
    assert main([*given, "--output", str(out)]) == 0
    assert "whole frames go through the GPU: a stand-in" in capsys.readouterr().err
    shown = read_clip(out)
    assert len(shown) == 12
    assert np.abs(shown[5][:8].astype(int) - (255, 0, 0)).mean() < 12
    assert shown[5][28:36, 24:44].mean() > 200

    collect, out = GpuRenderer.collect, tmp_path / "again.mp4"

    def failing(self: GpuRenderer, frame: CameraFrame, sent: Any) -> Any:
        if frame.number == 5:
            faults.set(GPU_LOST)
        return collect(self, frame, sent)

    monkeypatch.setattr(GpuRenderer, "collect", failing)
    code = main([*given, "--output", str(out)])
    said = capsys.readouterr().err
    if asked == "auto":
        assert code == 0
        assert "the processor goes on" in said
        assert len(read_clip(out)) == 12
    else:
        assert code == 1
        assert "bgcam: frame 5: the GPU failed (cudaErrorIllegalAddress" in said
        assert not out.exists()


def test_backends_of_the_processor_have_no_gpu() -> None:
    from types import SimpleNamespace

    plain: Any = SimpleNamespace(name="openvino", description="", infer=None)
    behind = SafeBackground(Blur(), SIZE_WH)
    assert gpu_opener(plain, SPEC, Asked(Blur(), behind, Look(), SIZE_WH, False, None)) is None


def test_random_faults_of_the_gpu_never_show_the_room(cupy: FakeCupy, faults: Injector) -> None:
    chance = np.random.default_rng(3)
    behind = SafeBackground(FaultyBackground(faults), SIZE_WH)
    check = MatteCheck()
    path = gpu(cupy, faults, check=check)
    drawing = FrameRenderer(right_matte, Chain(behind), check=check, say=lambda line: None, open_gpu=lambda: path)
    sinks = [LookingSink(faults), LookingSink(faults, live=False)]
    names = [name for name in GPU_FAULTS if not name.endswith("hangs")]

    def disturb(number: int) -> None:
        if faults.name and chance.random() < 0.4:
            faults.set("")
        elif not faults.name and chance.random() < 0.1:
            faults.set(str(chance.choice(names)))

    camera = SecretCamera(faults, fps=0, frames=80, on_read=disturb)
    with contextlib.closing(camera):
        Pipeline(camera, drawing.begin, drawing.finish, watch=OutputGuard(behind, watchdog_ms=100)).run(sinks)
    for sink in sinks:
        assert not sink.leaks
        placeholders = sum(is_placeholder for _, is_placeholder in sink.got)
        assert min(placeholders, len(sink.got) - placeholders) > 5
