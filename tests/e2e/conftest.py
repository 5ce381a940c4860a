"""Devices for these tests: real drivers, in the kernel that `kernel.py` boots or, with NATIVE=1, this machine's own.

Without BGCAM_E2E no test of this folder is collected: `make test-e2e` sets it, to "kernel" or "native".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for lab and its kind, however pytest was started

WHERE = os.environ.get("BGCAM_E2E", "")
collect_ignore_glob = [] if WHERE else ["test_*.py"]

if WHERE:
    import lab
    from programs import Program

    @pytest.fixture(scope="session", autouse=True)
    def drivers() -> None:
        """The kernel's vivid and v4l2loopback loaded; on one's own machine nothing is touched."""
        if WHERE == "kernel":
            lab.load_vivid()
            lab.load_loopback()

    @pytest.fixture(scope="module", params=["installed driver", "newer driver"])
    def each_driver(request: pytest.FixtureRequest) -> Iterator[None]:
        """The module's tests once with each v4l2loopback: 0.12 and 0.15 differ in who may write and read."""
        if WHERE != "kernel":
            if request.param == "newer driver":
                pytest.skip("only in the kernel that `make test-e2e` boots")
            yield
            return
        if request.param == "newer driver":
            lab.load_newer_loopback()
        yield
        lab.load_loopback()

    @pytest.fixture
    def bgcam(tmp_path: Path) -> Iterator[Callable[..., Program]]:
        """Starts `bgcam` with these arguments; what still runs at the test's end is killed."""
        started: list[Program] = []

        def start(*arguments: object, uid: int = 0) -> Program:
            log = tmp_path / f"bgcam-{len(started)}.log"
            started.append(lab.start_bgcam([str(argument) for argument in arguments], log=log, uid=uid))
            return started[-1]

        yield start
        for program in started:
            program.kill()

    @pytest.fixture
    def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
        """Starts a function as a program of its own name; what still runs at the test's end is killed."""
        started: list[Program] = []

        def start(work: Callable[[], int], name: str) -> Program:
            started.append(Program(work, name=name, log=tmp_path / f"{name}-{len(started)}.log"))
            return started[-1]

        yield start
        for one in started:
            one.kill()

    @pytest.fixture
    def camera() -> str:
        """The path of a camera: vivid's, or this machine's first."""
        return lab.camera()

    @pytest.fixture
    def output() -> str:
        """The path of the virtual camera labelled bgcam."""
        return lab.virtual_camera("bgcam")

    @pytest.fixture(scope="session")
    def beach(tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A picture for a background: `lab.BEACH_BGR` below, `lab.SKY_BGR` above."""
        import cv2

        picture = np.empty((240, 320, 3), np.uint8)
        picture[:120], picture[120:] = lab.SKY_BGR, lab.BEACH_BGR
        path = tmp_path_factory.mktemp("pictures") / "beach.png"
        assert cv2.imwrite(str(path), picture)
        return path

    @pytest.fixture
    def on_beach(
        bgcam: Callable[..., Program], beach: Path, tiny_model: Path, tmp_path: Path
    ) -> Callable[..., Program]:
        """Starts bgcam with a person on the beach: one picture, which stays."""
        import cv2

        picture = tmp_path / "person.png"
        assert cv2.imwrite(str(picture), lab.person_bgr())

        def start(*more: object) -> Program:
            matte = ("--background", beach, "--model", tiny_model, "--threads", 1)
            return bgcam("--input", picture, "--output", "virtual:bgcam", *matte, *more)

        return start
