"""Frames to mattes: size, range, orientation, and refusing what is no matte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError, MatteRefused, ModelError, UsageError
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.model import matting as module
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.matting import Matting, resize, resize_area
from bgcam.realtime.picture import native
from bgcam.realtime.picture.guided_filter import whole_matte


def half_bright(height: int, width: int) -> CameraFrame:
    """Left half black, right half white: the tiny model's person is on the right."""
    bgr = np.zeros((height, width, 3), np.uint8)
    bgr[:, width // 2 :] = 255
    return CameraFrame(7, bgr, 0.0, 0.0)


@pytest.mark.parametrize("shape", [(720, 1280), (1280, 720), (240, 320), (31, 47), (1, 1), (5, 900)])
def test_the_matte_has_the_frames_number_and_becomes_its_size(tiny_model: Path, shape: tuple[int, int]) -> None:
    matting, frame = Matting(tiny_model, threads=1), half_bright(*shape)
    coarse = matting(frame)
    assert coarse.number == 7
    assert coarse.alpha.shape[::-1] == matting.spec.best_size_wh(frame.size_wh)
    assert coarse.seen_bgr.shape == (*coarse.alpha.shape, 3)
    matte = whole_matte(frame, coarse)
    assert matte.alpha.shape == shape
    assert matte.alpha.dtype == np.float32
    assert 0 <= matte.alpha.min() <= matte.alpha.max() <= 1
    if shape[1] > 40:
        assert matte.alpha[:, : shape[1] // 2 - 6].max() < 0.01
        assert matte.alpha[:, shape[1] // 2 + 6 :].min() > 0.99


def test_one_backend_is_loaded_for_each_input_size(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[int, int]] = []
    real = module.load_backend

    def counting(name: str, path: Path, spec: object, size_wh: tuple[int, int], **options: int) -> object:
        loaded.append(size_wh)
        return real(name, path, spec, size_wh, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "load_backend", counting)
    matting = Matting(tiny_model, threads=1)
    assert loaded == []
    for shape in ((480, 640), (240, 320), (640, 480), (720, 1280), (481, 640)):
        matting(half_bright(*shape))
    assert loaded == [(320, 240), (240, 320), (320, 192)]


def answering(monkeypatch: pytest.MonkeyPatch, answer: NDArray[Any]) -> None:
    """From here on, every backend gives this as alpha."""

    class Fixed:
        name, description = "broken", "broken CPU"

        def infer(self, bgr: NDArray[np.uint8]) -> NDArray[Any]:
            return answer

    monkeypatch.setattr(module, "load_backend", lambda *args, **kwargs: (Fixed(), []))


def mostly(value: float) -> NDArray[np.float32]:
    """The value in 96 % of the frame, so that it is not all of it that is shown."""
    alpha = np.zeros((240, 320), np.float32)
    alpha[: 240 * 96 // 100] = value
    return alpha


@pytest.mark.parametrize(
    "answer",
    [
        np.full((240, 320), np.nan, np.float32),
        np.full((240, 320), -np.inf, np.float32),
        mostly(7.0),
        mostly(255.0),
        mostly(1.002),
        -mostly(0.002),
        mostly(255).astype(np.uint8),
        np.zeros((240, 320), np.complex64),
    ],
)
def test_what_is_no_matte_is_refused(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, answer: NDArray[Any]) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(
        MatteRefused, match=r"broken CPU returned an invalid matte for frame 7: .*; try another --backend"
    ):
        Matting(tiny_model)(half_bright(480, 640))


def test_a_matte_of_another_size_is_an_error(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, np.zeros((240, 321), np.float32))
    with pytest.raises(BackendError, match=r"its size is \(240, 321\), not \(240, 320\)"):
        Matting(tiny_model)(half_bright(480, 640))


def test_rounding_alone_is_clipped(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, np.linspace(-9e-4, 1 + 9e-4, 240 * 320, dtype=np.float32).reshape(240, 320))
    alpha = Matting(tiny_model)(half_bright(480, 640)).alpha
    assert (alpha.min(), alpha.max()) == (0, 1)


def test_wrong_names_and_files_are_told_at_once(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="unknown backend 'cuda'"):
        Matting(tiny_model, backend="cuda")
    with pytest.raises(ModelError, match=r"gone\.onnx: no such model file"):
        Matting(tmp_path / "gone.onnx")


FRAMES_WH = [(1280, 720), (1920, 1080), (640, 480), (720, 1280), (1279, 719), (1281, 722), (960, 540), (640, 384)]
FRAMES_WH += [(320, 192), (321, 193), (100, 60), (1, 1), (2560, 100), (3840, 2160)]


@pytest.fixture(params=["compiled", "opencv"])
def resized_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two ways that a frame becomes as small as the network's input."""
    if request.param == "opencv":
        monkeypatch.setattr(native, "LIBRARY", None)
    elif native.LIBRARY is None:
        pytest.skip("bgcam was installed here without a C compiler")


@pytest.mark.usefixtures("resized_by")
@pytest.mark.parametrize("frame_wh", FRAMES_WH)
def test_the_quick_resize_is_near_the_reference(frame_wh: tuple[int, int]) -> None:
    # A room's soft shades with an edge of full contrast, and a camera's noise.
    random = np.random.default_rng(2)
    width, height = frame_wh
    across, down = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 6, height))
    bgr = np.stack([120 + 60 * np.sin(across + at) * np.cos(down) for at in range(3)], axis=2)
    bgr[height // 3 :, width // 3 : width // 2] += 55
    noisy = np.clip(np.rint(bgr + random.normal(0, 4, bgr.shape)), 0, 255).astype(np.uint8)
    quick, exact = resize_area(noisy, (320, 192)), resize(noisy, (320, 192))
    assert quick.shape == (192, 320, 3)
    assert quick.dtype == np.uint8
    apart = np.abs(quick.astype(int) - exact)
    assert apart.mean() < 1
    assert np.percentile(apart, 99) <= 6


@pytest.mark.usefixtures("resized_by")
def test_the_quick_resize_keeps_a_flat_picture_and_its_place() -> None:
    flat = np.full((720, 1280, 3), (7, 130, 255), np.uint8)
    assert np.array_equal(resize_area(flat, (320, 192)), flat[:192, :320])
    ramp = np.repeat(np.arange(1280)[None] // 5, 720, axis=0).astype(np.uint8)
    small = resize_area(np.dstack([ramp] * 3), (320, 192))[96, :, 0].astype(float)
    assert np.abs(small - (np.arange(320) * 4 + 1.5) // 5).max() <= 1  # pixel x covers 4 x ... 4 x + 3


@pytest.mark.usefixtures("resized_by")
def test_the_quick_resize_leaves_no_moire() -> None:
    # Stripes of one pixel become their mean, as in the reference.
    stripes = np.zeros((720, 1280, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(resize_area(stripes, (320, 192))) == 0
    assert np.ptp(resize_area(np.ascontiguousarray(stripes.transpose(1, 0, 2)[:720, :720]), (320, 192))) <= 1


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("harm", ["cut", "written over", "removed"])
def test_a_model_file_that_changes_in_mid_run_changes_nothing(tmp_path: Path, backend: str, harm: str) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed on this machine")
    path = tmp_path / "model.onnx"
    path.write_bytes(find_model("fast").read_bytes())
    matting, frame = Matting(path, backend=backend, threads=1), half_bright(192, 320)
    before = matting(frame).alpha
    if harm == "cut":
        os.truncate(path, 1000)
    elif harm == "written over":
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    else:
        path.unlink()
    assert np.array_equal(matting(frame).alpha, before)
    with pytest.raises((BackendError, ModelError)):  # a picture of another aspect needs the file again
        matting(half_bright(320, 180))
