"""What the tests of real devices share: the kernel's drivers, bgcam as a process of its own, a webcam, a viewer.

Under emulation an import of OpenCV and OpenVINO takes ten seconds and more, so `bgcam` is forked from the tests'
process, which has imported them: a process like any other, with its own descriptors, signals and user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import openvino  # noqa: F401  forked processes then have it
import pytest
from numpy.typing import NDArray
from programs import PATIENCE_S, Program

import bgcam.realtime.command.run
from bgcam.realtime.command.cli import main
from bgcam.realtime.devices.listing import list_cameras, list_virtual_cameras, query_capability

IN_KERNEL = os.environ.get("BGCAM_E2E") == "kernel"
SKY_BGR, BEACH_BGR = (230, 120, 40), (60, 170, 210)
PERSON_GREY, ROOM_GREY = 235, 20
NOBODY = 65534
CAPTURE, OUTPUT = 0x1, 0x2  # V4L2_CAP_VIDEO_*
WEBCAM_LABEL = "Test Webcam"
WEBCAM_WH = (320, 240)
LOOPBACK = ("devices=2", "video_nr=10,11", "exclusive_caps=1,1", f"card_label={WEBCAM_LABEL},bgcam")
NEWER_DRIVER = os.environ.get("BGCAM_E2E_NEWER_DRIVER", "")

cv2.setNumThreads(0)  # a process with threads cannot be forked safely
os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = "5"


def miss(what: str, *, may_be: bool = True) -> NoReturn:
    """Skip for what is not there, or fail where nothing may be missing. may_be: whether the kernel may lack it."""
    if os.environ.get("BGCAM_REQUIRE_E2E") == "1" or (IN_KERNEL and not may_be):
        pytest.fail(what)
    pytest.skip(what)


def need_kernel() -> None:
    """Skip where the drivers are the user's own: nothing is unloaded there."""
    if not IN_KERNEL:
        pytest.skip("loads and unloads drivers: only in the kernel that `make test-e2e` boots")


def need_tool(*names: str) -> str:
    """The path of a command, the first there is of these, or skip."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or miss(f"{' or '.join(names)} is not installed")


def load_vivid(*parameters: str) -> None:
    """A webcam that shows colour bars, without the text that vivid writes over them."""
    _load("vivid", "n_devs=1", "node_types=0x1", *parameters)
    subprocess.run(["v4l2-ctl", "-d", camera(), "-c", "osd_text_mode=2"], check=True)


def load_loopback(*parameters: str, file: str = "") -> None:
    """The loopbacks of LOOPBACK, or of other parameters. file: a driver that is not the installed one."""
    _load("v4l2loopback", *(parameters or LOOPBACK), file=file)


def load_newer_loopback() -> None:
    """The loopbacks of LOOPBACK by the driver that `newer_driver` built, or skip."""
    load_loopback(file=NEWER_DRIVER or miss("no newer v4l2loopback could be built; what is above says why"))


def driver_version() -> tuple[int, ...]:
    """Of the v4l2loopback that is loaded, which tells it since 0.13."""
    version = Path("/sys/module/v4l2loopback/version")
    return tuple(map(int, version.read_text().split("."))) if version.exists() else (0, 12)


def _load(module: str, *parameters: str, file: str = "") -> None:
    unload(module)
    if file:
        subprocess.run(["modprobe", "videodev"], check=True)
        quoted = ['{}="{}"'.format(*parameter.split("=", 1)) for parameter in parameters]  # modprobe does that itself
        subprocess.run(["insmod", file, *quoted], check=True)
    else:
        subprocess.run(["modprobe", module, *parameters], check=True)


def unload(module: str) -> None:
    """Once nobody holds one of its devices."""
    need_kernel()

    def gone() -> bool:
        if Path("/sys/module", module).exists():
            subprocess.run(["modprobe", "-r", module], check=False, stderr=subprocess.DEVNULL)
        return not Path("/sys/module", module).exists()

    wait_until(gone, f"{module} to be unloaded: something still holds one of its devices")


def wait_until(true: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Ask until it is true. Raises AssertionError."""
    end_s = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end_s, f"waited {patience_s:g} s for: {what}"
        time.sleep(0.05)


def camera() -> str:
    found = list_cameras()
    if not found:
        miss("no webcam here", may_be=False)
    return found[0].path


def virtual_camera(label: str) -> str:
    found = [device.path for device in list_virtual_cameras() if device.name == label]
    if not found:
        miss(f"no v4l2loopback device labelled {label!r} here (bgcam install-camera)", may_be=False)
    return found[0]


def is_written(path: str) -> bool:
    """Whether somebody writes to this loopback device: with exclusive_caps, viewers may then open it."""
    return query_capability(path).bits & (CAPTURE | OUTPUT) == CAPTURE


def start_bgcam(arguments: list[str], *, log: Path, uid: int = 0) -> Program:
    """The command. A watchdog of ten seconds unless another is given: no frame is late here for a fault's sake."""
    assert bgcam.realtime.command.run  # imported before the fork
    late = [] if "--watchdog-ms" in arguments or arguments[:1] == ["devices"] else ["--watchdog-ms", "10000"]
    return Program(lambda: main([*late, *arguments]), name="bgcam", log=log, uid=uid)


class Viewer:
    """A program that shows a camera, by OpenCV: `read` gives (H, W, 3) uint8 BGR, None when there is none."""

    def __init__(self, path: str):
        self._capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        self.opened = self._capture.isOpened()

    @property
    def size_wh(self) -> tuple[int, int]:
        return int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))

    @property
    def fourcc(self) -> str:
        return int(self._capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1")

    def read(self) -> NDArray[np.uint8] | None:
        ok, bgr = self._capture.read()
        return np.asarray(bgr, np.uint8) if ok else None

    def reads_until(self, fits: Callable[[NDArray[np.uint8]], bool], what: str) -> NDArray[np.uint8]:
        """The first picture that fits. Raises AssertionError."""
        end_s = time.monotonic() + PATIENCE_S
        bgr = None
        while time.monotonic() < end_s:
            bgr = self.read()
            if bgr is not None and fits(bgr):
                return bgr
        raise AssertionError(f"waited {PATIENCE_S:g} s for {what}; the last picture: {bgr}")

    def close(self) -> None:
        self._capture.release()


@contextmanager
def viewing(path: str) -> Iterator[Viewer]:
    """A viewer of a device to which something is written already."""
    wait_until(lambda: is_written(path), f"a writer of {path}")
    viewer = Viewer(path)
    try:
        assert viewer.opened, f"{path} cannot be opened by a viewer"
        yield viewer
    finally:
        viewer.close()


def near(bgr: NDArray[np.uint8], colour: tuple[int, int, int], *, by: int = 24) -> bool:
    """Whether all of these pixels have about this colour: YUV with half the chroma keeps it to some levels."""
    return bool((np.abs(bgr.astype(int) - colour) <= by).all())


def is_placeholder(bgr: NDArray[np.uint8]) -> bool:
    """Whether it is the beach and nobody in it."""
    half = bgr.shape[0] // 2
    return near(bgr[: half - 4], SKY_BGR) and near(bgr[half + 4 :], BEACH_BGR)


def person_bgr(size_wh: tuple[int, int] = WEBCAM_WH, *, left: int = 100) -> NDArray[np.uint8]:
    """A webcam's picture for the tiny model: a bright square, the person, in a dark room."""
    width, height = size_wh
    bgr = np.full((height, width, 3), ROOM_GREY, np.uint8)
    bgr[height // 4 : height * 3 // 4, left : left + width // 3] = PERSON_GREY
    return bgr


def shows_person(bgr: NDArray[np.uint8]) -> bool:
    """Whether it is the beach with the person in the middle."""
    height, width = bgr.shape[:2]
    middle = bgr[height * 3 // 8 : height * 5 // 8, width * 7 // 16 : width * 9 // 16]
    corners = near(bgr[:20, :40], SKY_BGR) and near(bgr[-20:, :40], BEACH_BGR) and near(bgr[:20, -40:], SKY_BGR)
    return corners and near(middle, (PERSON_GREY,) * 3)


def read_raw(path: str, size: int) -> bytes:
    """That many bytes by read(), as the driver holds them."""
    with open(path, "rb", buffering=0) as device:
        return device.read(size)
