"""What a browser shows of the web page, whatever becomes of bgcam: never an old picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from browser import Browser, browser
from shown import shown

from bgcam.realtime.sinks import open_sink
from bgcam.realtime.sinks.web.sink import WebSink

SIZE_WH = (640, 360)
STATE = 'document.getElementById("state").textContent'
# The picture's colour in its middle, and whether it can be seen at all.
MIDDLE = "[...context.getImageData(picture.width / 2, picture.height / 2, 1, 1).data].join()"
SEEN = 'getComputedStyle(picture).visibility === "visible"'
PERSON = f"{SEEN} && {STATE} === 'live' && {MIDDLE} !== '0,0,0,0'"
BLANK = f"!({SEEN}) && {MIDDLE} === '0,0,0,0'"
# A busy machine may be late.
LATE_S = 1.5


class Camera:
    """Writes a picture to the page so many times a second while it is on."""

    def __init__(self, sink: WebSink):
        self.fps, self.on, self.ended = 25.0, True, False
        self.colour_bgr = (40, 200, 60)
        # So that a picture is no smaller than a camera's.
        self._noise = np.random.default_rng(0).integers(-30, 30, (SIZE_WH[1], SIZE_WH[0], 1), np.int16)
        self._sink = sink
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self.ended:
            if self.on:
                bgr = (np.array(self.colour_bgr, np.int16) + self._noise).clip(0, 255).astype(np.uint8)
                self._sink.write(shown(number, bgr, number / 25, 0.0))
                number += 1
            time.sleep(1 / self.fps)

    def end(self) -> None:
        self.ended = True
        self._thread.join(5)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def sink(tab: Browser) -> Iterator[WebSink]:
    made = open_sink("web:0", size_wh=SIZE_WH, fps=25)
    assert isinstance(made, WebSink)
    yield made
    made.close()


@pytest.fixture
def camera(sink: WebSink) -> Iterator[Camera]:
    made = Camera(sink)
    yield made
    made.end()


def test_a_picture_that_is_old_is_taken_away_and_comes_back(tab: Browser, sink: WebSink, camera: Camera) -> None:
    tab.open(sink.name)
    tab.until(PERSON, limit_s=15)
    red, green, blue, _ = map(int, tab.evaluate(MIDDLE).split(","))
    assert np.allclose((blue, green, red), (40, 200, 60), atol=60)
    camera.on = False
    took_s = tab.until(BLANK, limit_s=5)
    assert 0.3 < took_s < 0.6 + LATE_S
    assert tab.evaluate(STATE) == "no new picture"
    camera.on = True
    tab.until(PERSON, limit_s=5)
    camera.end()
    sink.close()  # as at the end of the process, of whatever kind
    assert tab.until(BLANK, limit_s=5) < 0.6 + LATE_S
    assert tab.evaluate(STATE).startswith("stopped; ")


def test_a_slow_camera_is_not_blanked_between_its_pictures(tab: Browser, sink: WebSink, camera: Camera) -> None:
    camera.fps = 1.5
    tab.open(sink.name)
    tab.until(PERSON, limit_s=15)
    tab.until("between > 500", limit_s=15)
    tab.until(PERSON, limit_s=5)
    end_s = time.monotonic() + 2
    while time.monotonic() < end_s:
        assert tab.evaluate(SEEN)
        time.sleep(0.02)
    camera.on = False
    assert tab.until(BLANK, limit_s=6) < 2.2 + LATE_S


def test_a_browser_that_is_slow_shows_the_newest_picture(tab: Browser, sink: WebSink, camera: Camera) -> None:
    camera.fps = 60.0
    tab.open(sink.name)
    tab.until(PERSON, limit_s=15)
    wait = "await new Promise((go) => setTimeout(go, 300))"
    slowly = f"async (blob) => {{ {wait}; return real(blob); }}"
    tab.evaluate(f"{{ const real = createImageBitmap; createImageBitmap = {slowly}; }}")
    time.sleep(2)
    camera.colour_bgr = (200, 30, 30)
    assert tab.until(f"Number({MIDDLE}.split(',')[1]) < 100", limit_s=10) < 0.7 + LATE_S
