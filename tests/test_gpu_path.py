"""Frames through the GPU path: on a stand-in for CuPy with the kernels compiled for the host, and on a GPU if any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cuda_host
import cv2
import numpy as np
import pytest
from fake_cupy import FakeCupy

from bgcam.realtime.errors import BackendError
from bgcam.realtime.frames import CameraFrame, Matte
from bgcam.realtime.gpu import cuda as gpu_cuda
from bgcam.realtime.gpu.device_path import DevicePath
from bgcam.realtime.gpu.kernels import Guide, Kernels, Steadiness
from bgcam.realtime.matting import resize
from bgcam.realtime.picture.blend import blend_reference
from bgcam.realtime.picture.compose import compose, composed
from bgcam.realtime.spec import ModelSpec

SPEC = ModelSpec(name="tiny", encoder="none", precision="fp32", sizes_wh=((48, 32),))
FRAME_WH = (64, 34)


@dataclass
class Bright:
    """A network: alpha is the red plane of its input, as a share of full red. NaN where `breaks`."""

    cupy: Any
    input: Any
    output: Any
    breaks: bool = False
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
        if self.breaks:
            self.output[0, 0, 3, 4] = np.nan


@pytest.fixture(scope="module")
def host_kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    if cuda_host.compiler() is None:
        pytest.skip("no g++ here")
    return cuda_host.build(Path(tmp_path_factory.mktemp("kernels")))


@pytest.fixture(params=["host", "host without graphs", "cuda"])
def cupy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "cuda":
        try:
            return gpu_cuda.load_cupy()
        except BackendError as error:
            pytest.skip(str(error))
    fake = FakeCupy(captures=request.param == "host")
    kernels = fake.kernels(request.getfixturevalue("host_kernels"))
    monkeypatch.setattr(gpu_cuda, "load_cupy", lambda: fake)
    monkeypatch.setattr(gpu_cuda, "load_kernels", lambda: kernels)
    monkeypatch.setattr(DevicePath, "pinned_array", lambda self, shape: cuda_host.device_array(tuple(shape), np.uint8))
    return fake


def network(cupy: Any, **options: Any) -> Bright:
    made = [cupy.zeros((1, planes, 32, 48), np.float32) for planes in (3, 1)]
    return Bright(cupy, *made, **options)


def frame(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (FRAME_WH[1], FRAME_WH[0], 3), dtype=np.uint8)


def expected(bgr: np.ndarray, behind: np.ndarray) -> np.ndarray:
    small = resize(bgr, (48, 32))[..., 2].astype(np.float32) / 255
    return blend_reference(bgr, behind, cv2.resize(small, FRAME_WH, interpolation=cv2.INTER_LINEAR))


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
    made = [
        DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, output=output, guide=Guide()) for output in ("bgr", "i420")
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


def test_a_matte_that_is_none_stops_the_frame_alone(cupy: Any) -> None:
    broken = network(cupy, breaks=True)
    path = DevicePath(broken, SPEC, frame_wh=FRAME_WH, in_flight=2)
    path.put(frame(0), frame(1))
    with pytest.raises(BackendError, match="no matte"):
        path.take()
    assert path.in_flight == 0


def test_mattes_are_held_and_reset_forgets(cupy: Any) -> None:
    steadiness = Steadiness(rest=0.25, apart=(2.0, 3.0), moved=(900.0, 901.0), sure=0.0, cut=300.0)  # ever a quarter
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=1, steadiness=steadiness)
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
    path = DevicePath(network(cupy), SPEC, frame_wh=FRAME_WH, in_flight=2, steadiness=Steadiness())
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
    with pytest.raises(ValueError, match="cannot have become"):
        composed(camera, frame(0)[:-1])


@pytest.mark.parametrize("frame_wh", [(64, 34), (640, 360)])
def test_frames_become_composed_frames(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, frame_wh: Any, tmp_path: Path
) -> None:
    from bgcam.realtime.gpu import frame_path

    monkeypatch.setattr(frame_path, "read_spec", lambda path: SPEC)
    monkeypatch.setattr("bgcam.realtime.backends.device.open_device_network", lambda *given, **options: network(cupy))
    path = frame_path.FramePath(tmp_path, frame_wh=frame_wh, in_flight=2)
    shape = (frame_wh[1], frame_wh[0], 3)
    frames = [
        CameraFrame(n, np.random.default_rng(n).integers(0, 256, shape, np.uint8), n / 25, float(n)) for n in range(5)
    ]
    behind = np.random.default_rng(9).integers(0, 256, shape, np.uint8)
    got = list(path((one, behind) for one in frames))
    assert [one.number for one in got] == [0, 1, 2, 3, 4]
    assert [one.captured_s for one in got] == [0, 1, 2, 3, 4]
    for one, made in zip(frames, got, strict=True):
        small = resize(one.bgr, (48, 32))[..., 2].astype(np.float32) / 255
        alpha = cv2.resize(small, frame_wh, interpolation=cv2.INTER_LINEAR)
        wanted = compose(one, Matte(one.number, alpha), behind)
        assert np.abs(made.bgr.astype(int) - wanted.bgr).max() <= 2


def test_large_frames_go_up_in_parts(cupy: Any) -> None:
    wide = (1280, 720)
    path = DevicePath(network(cupy), SPEC, frame_wh=wide, in_flight=1)
    one, behind = (np.random.default_rng(seed).integers(0, 256, (720, 1280, 3), np.uint8) for seed in (1, 2))
    mirrored = one[:, ::-1]
    path.put(mirrored, behind)
    small = resize(np.ascontiguousarray(mirrored), (48, 32))[..., 2].astype(np.float32) / 255
    wanted = blend_reference(mirrored, behind, cv2.resize(small, wide, interpolation=cv2.INTER_LINEAR))
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
