"""Frames through the GPU path: on a stand-in for CuPy with the kernels compiled for the host, and on a GPU if any."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import cuda_host
import cv2
import numpy as np
import pytest
from fake_cupy import FakeCupy
from picture_scenes import before, disc

from bgcam.realtime import cuda as gpu_cuda
from bgcam.realtime.backgrounds.blur import Blur
from bgcam.realtime.backgrounds.still import Still
from bgcam.realtime.errors import BackendError, MatteRefused
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.gpu.frame_ring import DevicePath
from bgcam.realtime.gpu.graph import Stages
from bgcam.realtime.gpu.known_frame import why_wrong_frame
from bgcam.realtime.gpu.renderer import GpuRenderer
from bgcam.realtime.gpu.select import stages_for
from bgcam.realtime.look import Look
from bgcam.realtime.model.known_matte import cells_of, known_picture
from bgcam.realtime.model.matting import resize
from bgcam.realtime.model.spec import ModelSpec
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.composed import composed, composed_i420
from bgcam.realtime.picture.composite import composite_reference
from bgcam.realtime.picture.kernels import load as kernel_load
from bgcam.realtime.picture.kernels.launch import GuidedRules, TemporalRules

SPEC = ModelSpec(name="tiny", encoder="none", precision="fp32", sizes_wh=((48, 32),))
FRAME_WH = (64, 34)


@dataclass
class Bright:
    """A network: alpha is the red plane of its input, as a share of full red; at one place `broken`, if given."""

    cupy: Any
    input: Any
    output: Any
    broken: float | None = None
    description = "bright"

    def enqueue(self, stream: int) -> None:
        if isinstance(self.cupy, FakeCupy):
            self.cupy.do(self._infer)
        else:
            with gpu_cuda.stream_of(self.cupy, stream):
                self._infer()

    def _infer(self) -> None:
        # In place: what a capture allocates is another's when the graph runs.
        alpha = self.output[0, 0]
        alpha[...] = self.input[0, 0]
        alpha *= SPEC.std[0]
        alpha += SPEC.mean[0]
        if self.broken is not None:
            self.output[0, 0, 3, 4] = self.broken


@pytest.fixture(params=["host", "host without graphs", "cuda"])
def cupy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "cuda":
        try:
            return gpu_cuda.load_cupy()
        except BackendError as error:
            pytest.skip(str(error))
    fake = FakeCupy(captures=request.param == "host")
    kernels = fake.kernels(cuda_host.host_kernels())
    monkeypatch.setattr(gpu_cuda, "load_cupy", lambda: fake)
    monkeypatch.setattr(kernel_load, "load_kernels", lambda: kernels)
    monkeypatch.setattr(DevicePath, "pinned_array", lambda self, shape: cuda_host.device_array(tuple(shape), np.uint8))
    return fake


def network(cupy: Any, **options: Any) -> Bright:
    made = [cupy.zeros((1, planes, 32, 48), np.float32) for planes in (3, 1)]
    return Bright(cupy, *made, **options)


def frame(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (FRAME_WH[1], FRAME_WH[0], 3), dtype=np.uint8)


def expected(bgr: np.ndarray, behind: np.ndarray) -> np.ndarray:
    small = resize(bgr, (48, 32))[..., 2].astype(np.float32) / 255
    return composite_reference(bgr, behind, cv2.resize(small, FRAME_WH, interpolation=cv2.INTER_LINEAR))  # type: ignore[arg-type]


def test_every_frame_comes_back_with_its_own_matte(cupy: Any) -> None:
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=3)
    behind = [frame(100), frame(101)]
    got = []
    for number in range(12):
        if path.in_flight == 3:
            got.append(path.take())
        path.put(frame(number), behind[number // 5 % 2])
    while path.in_flight:
        got.append(path.take())
    assert len(got) == 12
    for number, picture in enumerate(got):
        assert np.abs(picture.astype(int) - expected(frame(number), behind[number // 5 % 2])).max() <= 2, number


def test_the_graph_is_made_or_missed_in_words(cupy: Any) -> None:
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=2)
    if isinstance(cupy, FakeCupy):
        assert (path.graph_note == "") == (cupy.captured == 2)
        assert path.graph_note == "" or "not permitted" in path.graph_note
    else:
        assert path.graph_note == ""


def test_i420_is_of_the_same_picture(cupy: Any) -> None:
    stages = Stages(GuidedRules())
    made = [
        DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, output=output, stages=stages) for output in ("bgr", "i420")
    ]
    for path in made:
        path.put(frame(1), frame(2))
    bgr, planes = (path.take() for path in made)
    np.testing.assert_array_equal(planes, cv2.cvtColor(np.ascontiguousarray(bgr), cv2.COLOR_BGR2YUV_I420))


def test_a_pinned_frame_is_read_where_it_lies(cupy: Any) -> None:
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=1)
    source = path.pinned_array(path.frame_shape)
    source[...] = frame(3)
    path.put(source, frame(4), pinned=True)
    assert np.abs(path.take().astype(int) - expected(frame(3), frame(4))).max() <= 2


@pytest.mark.parametrize("wrong", [np.nan, 7.0, 255.0, -0.5])
def test_a_matte_that_is_none_stops_the_frame_alone(cupy: Any, wrong: float) -> None:
    broken = network(cupy, broken=wrong)
    path = DevicePath(broken, SPEC, frame_wh=FRAME_WH, in_flight=2)
    path.put(frame(0), frame(1))
    with pytest.raises(MatteRefused, match="bright returned an invalid matte: 1 of 1536 values are not finite or"):
        path.take()
    assert path.in_flight == 0


def test_mattes_are_held_and_reset_forgets(cupy: Any) -> None:
    rules = TemporalRules(rest=0.25, apart=(2.0, 3.0), moved=(900.0, 901.0), sure=0.0, cut=300.0)  # ever a quarter
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=1, stages=Stages(temporal_filter=rules))
    white, black = (np.full((*FRAME_WH[::-1], 3), level, np.uint8) for level in (255, 0))
    for shown, alpha in ((white, 1.0), (black, 0.75), (black, 0.5625)):
        path.put(shown, black)
        path.take()
        np.testing.assert_allclose(path.alpha(), alpha, atol=1e-4)
    path.reset()
    path.put(black, white)
    path.take()
    np.testing.assert_allclose(path.alpha(), 0, atol=1e-4)


def test_a_cut_is_taken_as_it_is(cupy: Any) -> None:
    path = DevicePath(
        network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=2, stages=Stages(temporal_filter=TemporalRules())
    )
    white, black = (np.full((*FRAME_WH[::-1], 3), level, np.uint8) for level in (255, 0))
    for shown, alpha in ((white, 1.0), (black, 0.0), (white, 1.0)):
        path.put(shown, black)
        path.take()
        np.testing.assert_allclose(path.alpha(), alpha, atol=1e-4)


def test_what_does_not_fit_is_refused(cupy: Any) -> None:
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=1)
    with pytest.raises(ValueError, match="expected a frame"):
        path.put(frame(0)[:-1], frame(0))
    with pytest.raises(ValueError, match="background"):
        path.put(frame(0), frame(0)[:-1])
    with pytest.raises(ValueError, match="put one first"):
        path.take()
    path.put(frame(0), frame(0))
    with pytest.raises(ValueError, match="take one first"):
        path.put(frame(0), frame(0))
    with pytest.raises(ValueError, match="in_flight"):
        DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=0)
    with pytest.raises(ValueError, match="even"):
        DevicePath(network(cupy), SPEC, frame_wh=(63, 34), output="i420")


def test_a_picture_of_another_size_is_no_frames() -> None:
    camera = CameraFrame(0, frame(0), 0.0, 0.0)
    assert composed(camera, frame(1)).number == 0
    with pytest.raises(ValueError, match="cannot give"):
        composed(camera, frame(0)[:-1])
    with pytest.raises(ValueError, match="cannot give"):
        composed_i420(camera, np.zeros((FRAME_WH[1] * 3 // 2 - 3, FRAME_WH[0]), np.uint8))


def test_a_packed_frame_shows_itself_in_bgr() -> None:
    camera = CameraFrame(7, frame(0), 0.25, 3.0)
    planes = cv2.cvtColor(np.full((34, 64, 3), (200, 30, 90), np.uint8), cv2.COLOR_BGR2YUV_I420)
    packed = composed_i420(camera, planes)  # type: ignore[arg-type]
    assert packed.i420 is not None
    assert (packed.number, packed.time_s, packed.captured_s, packed.size_wh) == (7, 0.25, 3.0, FRAME_WH)
    assert packed.bgr.shape == camera.room_bgr.shape
    assert np.abs(packed.bgr.astype(int) - (200, 30, 90)).max() <= 3
    assert packed.bgr is packed.bgr
    with pytest.raises(ValueError, match="cannot give a picture in I420"):
        composed_i420(camera, planes[:-1])  # type: ignore[arg-type]


@pytest.mark.parametrize("background", [None, Blur(4)])
@pytest.mark.parametrize("look", [Look(), Look(edge_steps=-2, sharp_steps=1)])
@pytest.mark.parametrize("frame_wh", [(64, 34), (320, 180)])
def test_frames_become_what_the_processor_makes_of_them(cupy: Any, frame_wh: Any, look: Look, background: Any) -> None:
    background = background or Still("a picture", np.random.default_rng(9).integers(0, 256, (50, 90, 3), np.uint8))
    found = network(cupy)
    stages = stages_for(look, background)
    path = GpuRenderer(found, SPEC, SafeBackground(background, frame_wh), frame_wh=frame_wh, stages=stages)
    chain = Chain(background, look)
    waiting = []
    for number in range(6):
        frame = person_before_a_green_room(number, frame_wh)
        waiting.append((frame, path.submit(frame)))
        if len(waiting) < 3:
            continue
        frame, sent = waiting.pop(0)
        got = path.collect(frame, sent)
        assert (got.number, got.time_s, got.captured_s) == (frame.number, frame.time_s, frame.captured_s)
        seen = resize(frame.room_bgr, (48, 32))
        coarse = CoarseMatte(frame.number, seen[..., 2].astype(np.float32) / 255, seen)  # type: ignore[arg-type]
        difference = np.abs(got.bgr.astype(int) - chain(frame, coarse).bgr)
        # On its way the processor rounds to bytes where the GPU does not; and it leaves a faint spill.
        assert difference.mean() < 0.6
        assert np.quantile(difference, 0.999) <= 6


def person_before_a_green_room(number: int, frame_wh: Any) -> CameraFrame:
    """Red is the matte: a disc that moves, with a soft edge."""
    width, height = frame_wh
    alpha = disc(height, width, radius=0.3 * height, softness=0.2 * height)
    alpha = np.roll(alpha, number * width // 40, axis=1)
    bgr = before(alpha, np.array([90, 80, 255]), np.array([60, 210, 0]))
    return CameraFrame(number, bgr, number / 25, float(number))


def test_large_frames_go_up_in_parts(cupy: Any) -> None:
    wide = (1280, 720)
    path = DevicePath(network(cupy), SPEC, frame_wh=wide, in_flight=1)
    one, behind = (np.random.default_rng(seed).integers(0, 256, (720, 1280, 3), np.uint8) for seed in (1, 2))
    mirrored = one[:, ::-1]
    path.put(mirrored, behind)
    small = resize(np.ascontiguousarray(mirrored), (48, 32))[..., 2].astype(np.float32) / 255
    wanted = composite_reference(mirrored, behind, cv2.resize(small, wide, interpolation=cv2.INTER_LINEAR))  # type: ignore[arg-type]
    assert np.abs(path.take().astype(int) - wanted).max() <= 2


@pytest.mark.parametrize("modern", [True, False])
def test_streams_of_others_are_wrapped_as_this_cupy_does_it(modern: bool) -> None:
    def from_external(given: Any) -> tuple[str, Any]:
        return "new", given.__cuda_stream__()

    stream = SimpleNamespace(from_external=from_external) if modern else SimpleNamespace()
    cupy = SimpleNamespace(cuda=SimpleNamespace(Stream=stream, ExternalStream=lambda handle: ("old", handle)))
    assert gpu_cuda.stream_of(cupy, 77) == (("new", (0, 77)) if modern else ("old", 77))


def test_a_thousand_frames_allocate_nothing() -> None:
    try:
        cupy = gpu_cuda.load_cupy()
    except BackendError as error:
        pytest.skip(str(error))
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=3)
    behind = frame(1)
    picture = frame(0)
    held = []
    for number in range(1100):
        if number == 100:
            held.append(cupy.get_default_memory_pool().total_bytes())
        if path.in_flight == 3:
            path.take()
        path.put(picture, behind)
    held.append(cupy.get_default_memory_pool().total_bytes())
    assert held[0] == held[1]
    while path.in_flight:
        path.take()


class Clear(Bright):
    """Alpha is 1 where the red plane is over 0.55 in the left half, else 0; where nobody is where `turned`."""

    turned = False

    def _infer(self) -> None:
        super()._infer()
        alpha = self.output[0, 0]
        alpha[...] = alpha > 0.55
        alpha[:, 48:] = 0
        alpha[...] = (alpha > 0) != self.turned


@pytest.mark.parametrize("output", ["bgr", "i420"])
@pytest.mark.parametrize("harm", ["", "network", "composite", "input"])
def test_a_known_frame_tells_whether_the_gpu_is_right(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, harm: str, output: str
) -> None:
    if not isinstance(cupy, FakeCupy):
        pytest.skip("the kernels of a real GPU are not exchanged here")
    small_wh, frame_wh = (96, 64), (128, 96)
    made = Clear(cupy, cupy.zeros((1, 3, 64, 96), np.float32), cupy.zeros((1, 1, 64, 96), np.float32))
    made.turned = harm == "network"
    kernels = kernel_load.load_kernels()
    real = {name: getattr(kernels, name) for name in ("composite", "resize_normalize")}

    def composite(frame: Any, behind: Any, *given: Any, **options: Any) -> None:
        real["composite"](frame, frame, *given, **options)  # the room is the background

    def resize_normalize(frame: Any, *given: Any, **options: Any) -> None:
        real["resize_normalize"](frame[::-1].copy(), *given, **options)

    for name, replaced in (("composite", composite), ("input", resize_normalize)):
        if harm == name:
            monkeypatch.setattr(kernels, "composite" if name == "composite" else "resize_normalize", replaced)
    spec = ModelSpec(name="clear", encoder="none", precision="fp32", sizes_wh=(small_wh,))
    path = DevicePath(made, spec, frame_wh=frame_wh, output=output)
    alpha = (known_picture(small_wh)[..., 2] > 0.55 * 255).astype(np.float32)
    alpha[:, 48:] = 0
    wrong = why_wrong_frame(path, cells_of(alpha), small_wh, blurred=False)
    found = {
        "": "",
        "network": "its matte of a known picture is wrong",
        "input": "its matte of a known picture is wrong",
        "composite": "it lets a known picture show through where nobody is",
    }
    assert wrong.startswith(found[harm])
    assert bool(wrong) == bool(harm)
