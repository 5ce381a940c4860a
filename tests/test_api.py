"""What `import bgcam` offers to Python programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import PERSON, scene, write_clip, write_picture
from PIL import Image
from shown import File
from waiting import wait_for

import bgcam
from bgcam.realtime.failsafe.placeholder import PLAIN_GREY

SIZE_WH = (97, 65)


@pytest.fixture
def matter(tiny_model: Path):
    with bgcam.Matter(tiny_model, threads=1) as made:
        yield made


def rgb_scene(number: int = 0) -> np.ndarray:
    """The test scene, in which bright is person, with a red that tells RGB from BGR."""
    rgb = scene(number, SIZE_WH)[..., ::-1].copy()
    rgb[:4, :4] = (200, 10, 20)
    return rgb


def person_of(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., 1] == PERSON


def test_importing_it_is_quick_and_imports_nothing_else() -> None:
    heavy = ("numpy", "cv2", "av", "openvino", "msgspec")
    code = f"import sys, bgcam; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_its_names_are_listed_and_each_is_there() -> None:
    assert bgcam.__all__ == sorted(bgcam.__all__)
    assert set(bgcam.__all__) <= set(dir(bgcam))
    for name in bgcam.__all__:
        assert getattr(bgcam, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'mate'"):
        bgcam.mate  # type: ignore[attr-defined] # noqa: B018


def test_a_matte_of_an_array_a_pillow_image_and_a_path_are_the_same(matter, tmp_path: Path) -> None:
    rgb = rgb_scene()
    alpha = matter.matte(rgb)
    assert alpha.shape == rgb.shape[:2]
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1
    assert ((alpha > 0.5) == person_of(rgb)).mean() > 0.93
    Image.fromarray(rgb).save(tmp_path / "a.png")
    np.testing.assert_array_equal(matter.matte(Image.fromarray(rgb)), alpha)
    np.testing.assert_array_equal(matter.matte(tmp_path / "a.png"), alpha)
    np.testing.assert_array_equal(matter.matte(str(tmp_path / "a.png")), alpha)


def test_a_torch_tensor_is_an_image(matter) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rgb = rgb_scene()
    np.testing.assert_array_equal(matter.matte(torch.from_numpy(rgb)), matter.matte(rgb))


def test_a_pillow_image_is_turned_upright(matter) -> None:
    rgb = rgb_scene()
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(rgb)))
    lying.getexif()[0x0112] = 6  # turn it clockwise to show it
    np.testing.assert_array_equal(matter.matte(lying), matter.matte(rgb))


def test_the_callers_array_is_neither_changed_nor_returned(matter) -> None:
    rgb = rgb_scene()
    before = rgb.copy()
    for out in (matter.replace(rgb, "none"), matter.replace(rgb, "green"), matter.cutout(rgb)):
        assert not np.shares_memory(out, rgb)
        out[:] = 7
    np.testing.assert_array_equal(rgb, before)


def test_replace_in_rgb_order(matter, tmp_path: Path) -> None:
    rgb = rgb_scene()
    alpha = matter.matte(rgb)
    backgrounds = np.zeros_like(rgb)
    backgrounds[:] = (0, 176, 64)
    Image.fromarray(backgrounds).save(tmp_path / "b.png")
    for background in ("#00b040", backgrounds, Image.fromarray(backgrounds), tmp_path / "b.png"):
        out = matter.replace(rgb, background)
        assert out.shape == rgb.shape
        assert np.abs(out[alpha == 0].astype(int) - (0, 176, 64)).max() <= 1
        assert np.abs(out[alpha == 1].astype(int) - rgb[alpha == 1]).max() <= 1


def test_a_cutout_keeps_nothing_of_the_room(matter) -> None:
    rgb = rgb_scene()
    rgba = matter.cutout(rgb)
    assert rgba.shape == (*rgb.shape[:2], 4)
    assert not rgba[rgba[..., 3] == 0].any()
    opaque = rgba[..., 3] == 255
    assert np.abs(rgba[opaque][:, :3].astype(int) - rgb[opaque]).max() <= 1


def test_many_mattes_come_in_order(matter) -> None:
    pictures = [rgb_scene(number) for number in range(7)]
    for picture, alpha in zip(pictures, matter.mattes(pictures), strict=True):
        np.testing.assert_array_equal(alpha, matter.matte(picture))


@pytest.mark.parametrize(
    ("image", "error", "says"),
    [
        (np.zeros((4, 4), np.uint8), ValueError, r"\(H, W, 3\) uint8 in RGB order, found \(4, 4\) uint8"),
        (np.zeros((4, 4, 3), np.float32), ValueError, "float32"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "found"),
        (7, TypeError, "not int"),
        ("missing.jpg", bgcam.BgcamError, "missing.jpg"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(matter, image, error, says) -> None:
    with pytest.raises(error, match=says):
        matter.matte(image)


def test_a_closed_matter_says_so(matter) -> None:
    matter.close()
    matter.close()
    with pytest.raises(bgcam.BgcamError, match="closed"):
        matter.matte(rgb_scene())


def test_the_functions_keep_their_model(tiny_model: Path, tmp_path: Path) -> None:
    rgb = rgb_scene()
    np.testing.assert_array_equal(bgcam.matte(rgb, model=str(tiny_model)), bgcam.matte(rgb, model=str(tiny_model)))
    assert bgcam.replace(rgb, "green", model=str(tiny_model)).shape == rgb.shape
    assert bgcam.cutout(rgb, model=str(tiny_model)).shape[2] == 4


def test_frames_of_a_video_and_of_a_picture(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", frames=5)
    read = list(bgcam.frames(tmp_path / "a.mp4"))
    assert len(read) == 5
    write_picture(tmp_path / "a.png")
    (picture,) = bgcam.frames(tmp_path / "a.png", size_wh=(32, 24))
    assert picture.shape == (24, 32, 3)
    whole = next(iter(bgcam.frames(tmp_path / "a.png")))
    np.testing.assert_array_equal(whole[..., ::-1], cv2.imread(str(tmp_path / "a.png")))
    with pytest.raises(bgcam.BgcamError, match="no such file"):
        next(bgcam.frames(tmp_path / "missing.mp4"))


class FakeDevice(File):
    """A virtual camera that keeps what it is given."""

    name, live = "fake", True

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []
        self.closed = False

    def write(self, frame) -> None:
        self.shown.append(frame.bgr.copy())

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def device(monkeypatch) -> FakeDevice:
    made = FakeDevice()
    monkeypatch.setattr("bgcam.realtime.sinks.open_sink", lambda argument, **shape: made)
    return made


def test_a_virtual_camera_shows_grey_before_after_and_when_nothing_is_sent(device) -> None:
    rgb = rgb_scene()
    with bgcam.VirtualCamera(*SIZE_WH, watchdog_ms=60) as camera:
        assert (device.shown[-1] == PLAIN_GREY).all()
        camera.send(rgb)
        np.testing.assert_array_equal(device.shown[-1], rgb[..., ::-1])
        wait_for(lambda: (device.shown[-1] == PLAIN_GREY).all())
        camera.send(rgb)
        np.testing.assert_array_equal(device.shown[-1], rgb[..., ::-1])
    assert (device.shown[-1] == PLAIN_GREY).all()
    assert device.closed
    camera.close()
    with pytest.raises(bgcam.BgcamError, match="closed already"):
        camera.send(rgb)


def test_a_virtual_camera_takes_its_size_alone(device) -> None:
    with bgcam.VirtualCamera(*SIZE_WH) as camera, pytest.raises(ValueError, match="the camera shows"):
        camera.send(np.zeros((10, 10, 3), np.uint8))


def test_a_virtual_camera_that_failed_says_why(device) -> None:
    with bgcam.VirtualCamera(*SIZE_WH, watchdog_ms=60) as camera:
        camera.send(rgb_scene())

        def broken(frame) -> None:
            raise OSError("the device is gone")

        device.write = broken  # type: ignore[method-assign]
        wait_for(lambda: camera._failed is not None)
        with pytest.raises(bgcam.BgcamError, match="the device is gone"):
            camera.send(rgb_scene())
