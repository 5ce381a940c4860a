"""Frames never wait for a backend that is getting ready, and its failure is not lost."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bgcam.realtime.errors import BackendError
from bgcam.realtime.model.backends.warming import Progress, WarmingBackend, say_to_terminal

PICTURE = np.zeros((16, 32, 3), np.uint8)


class Constant:
    """A backend whose alpha is one number."""

    name = "constant"

    def __init__(self, value: float, description: str):
        self._value, self.description = value, description

    def infer(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full(bgr.shape[:2], self._value, np.float32)


FALLBACK: Any = Constant(0.25, "CPU")
READY: Any = Constant(0.75, "gpu")


def level(backend: WarmingBackend) -> float:
    return float(backend.infer(PICTURE).mean())


def test_the_fallback_serves_until_the_other_is_ready() -> None:
    go, said = threading.Event(), list[str]()

    def make(progress: Progress) -> Any:
        assert go.wait(10)
        return READY

    backend = WarmingBackend("slow", make, FALLBACK, say=said.append, clock=iter([0.0, 34.4]).__next__)
    assert (level(backend), backend.description, backend.name) == (0.25, "CPU", "slow")
    assert not backend.wait(0)
    go.set()
    assert backend.wait(10)
    assert (level(backend), backend.description) == (0.75, "gpu")
    assert said == ["slow is getting ready; until then CPU is used", "slow is ready after 34 s: now on gpu"]


def test_progress_is_told_every_two_seconds_and_only_onwards() -> None:
    said: list[str] = []
    times = iter([0.0, 1.0, 2.5, 3.0, 9.0, 11.5, 12.0])

    def make(progress: Progress) -> Any:
        for done in (0.1, 0.2, 0.3, 0.15, 0.6):
            progress(done)
        return READY

    assert WarmingBackend("slow", make, FALLBACK, say=said.append, clock=times.__next__).wait(10)
    assert said[1:-1] == ["slow is getting ready: 20%", "slow is getting ready: 60%"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BackendError("no memory; close something"), "no memory; close something"),
        (KeyError("image"), r"slow failed \(KeyError: 'image'\)"),
    ],
)
def test_a_failure_reaches_the_next_frame(error: Exception, message: str) -> None:
    def make(progress: Progress) -> Any:
        raise error

    backend = WarmingBackend("slow", make, FALLBACK, say=lambda line: None)
    assert backend.wait(10)
    for _ in range(2):  # not only the first frame after it
        with pytest.raises(BackendError, match=f"^{message}$"):
            backend.infer(PICTURE)


def test_where_it_is_optional_the_fallback_goes_on() -> None:
    said: list[str] = []

    def make(progress: Progress) -> Any:
        raise BackendError("no memory")

    backend = WarmingBackend("slow", make, FALLBACK, say=said.append)
    backend.optional = True
    assert backend.wait(10)
    assert [level(backend) for _ in range(3)] == [0.25] * 3
    assert said[1:] == ["no memory; CPU stays in use"]


def test_lines_go_to_the_terminal_beside_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    say_to_terminal("slow is ready")
    assert capsys.readouterr() == ("", "bgcam: slow is ready\n")
