"""A page in Chromium, as a call sees it: it lists bgcam, asks for its pictures, and gets those of the person."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import lab
import numpy as np
from numpy.typing import NDArray
from programs import Program
from writers import feed_webcam

from bgcam.realtime.devices.users import find_holders

Start = Callable[..., Program]
# A page may ask for cameras where it comes from this machine itself.
PAGE = """<!doctype html><title>a call</title><video id=video muted playsinline></video><canvas id=canvas></canvas>
<script type=module>
const tell = (what, body) => fetch(what, {method: 'POST', body})
const cameras = async () =>
  (await navigator.mediaDevices.enumerateDevices()).filter(device => device.kind == 'videoinput')
try {
  for (let look = 0; look < 3; look++) await cameras()
  await tell('listed', (await cameras()).map(camera => camera.label).join('\\n'))
  const {deviceId} = (await cameras()).find(camera => camera.label.startsWith('bgcam'))
  video.srcObject = await navigator.mediaDevices.getUserMedia({video: {deviceId: {exact: deviceId}}})
  await video.play()
  const ink = canvas.getContext('2d', {willReadFrequently: true})
  for (let more = true; more;) {
    await new Promise(shown => video.requestVideoFrameCallback(shown))
    const [width, height] = [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight]
    ink.drawImage(video, 0, 0)
    more = (await tell(`frame?${width}x${height}`, ink.getImageData(0, 0, width, height).data)).status == 200
  }
  for (const track of video.srcObject.getTracks()) track.stop()
  await tell('stopped')
} catch (error) { await tell('failed', String(error)) }
</script>
"""
QUIET = (
    *("--headless", "--no-first-run", "--use-fake-ui-for-media-stream", "--mute-audio", "--disable-gpu"),
    *("--disable-quic", "--disable-sync", "--disable-background-networking", "--disable-component-update"),
    "--disable-dev-shm-usage",
)


class Call:
    """The page's server. listed: the cameras' names. frames: (H, W, 3) uint8 BGR. The page waits, when it has listed,
    until `join` is set, and shows pictures until `leave` is."""

    def __init__(self) -> None:
        self.listed: list[str] | None = None
        self.frames: list[NDArray[np.uint8]] = []
        self._looked_at = 0
        self.failed = ""
        self.stopped = False
        self.join, self.leave = threading.Event(), threading.Event()
        call = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, PAGE.encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._answer(200 if call.hear(urlsplit(self.path).path, urlsplit(self.path).query, body) else 204)

            def _answer(self, code: int, body: bytes = b"") -> None:
                self.send_response(code)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hear(self, what: str, size: str, body: bytes) -> bool:
        """What the page tells. Whether it is to show more."""
        if what == "/listed":
            self.listed = body.decode().split("\n")
            self.join.wait(lab.PATIENCE_S)
        elif what == "/frame":
            width, height = map(int, size.split("x"))
            self.frames.append(np.frombuffer(body, np.uint8).reshape(height, width, 4)[:, :, 2::-1])
        elif what == "/failed":
            self.failed = body.decode()
        else:
            self.stopped = True
        return not self.leave.is_set()

    def new_frames(self) -> list[NDArray[np.uint8]]:
        """Those since the last call: an emulated processor has no time to look at any twice."""
        start, self._looked_at = self._looked_at, len(self.frames)
        return self.frames[start : self._looked_at]

    def wait(self, true: Callable[[], object], what: str) -> None:
        lab.wait_until(lambda: self.failed or true(), what)
        assert not self.failed, self.failed

    def close(self) -> None:
        self.join.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def in_chromium(folder: Path) -> Iterator[Call]:
    """The page, being opened."""
    # Under emulation the whole Chromium does not get to the page in five minutes.
    whole = () if lab.IN_KERNEL else ("google-chrome", "chromium", "chromium-browser")
    browser = lab.need_tool("chromium-headless-shell", *whole)
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    call = Call()
    command = [browser, *QUIET, *root, f"--user-data-dir={folder / 'profile'}", call.url]
    with (folder / "chromium.log").open("w") as log:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield call
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        call.close()


def test_chromium_lists_bgcam_and_shows_its_moving_pictures(
    bgcam: Start, program: Start, output: str, beach: Path, tiny_model: Path, tmp_path: Path
) -> None:
    webcam = lab.virtual_camera(lab.WEBCAM_LABEL)
    program(lambda: feed_webcam(webcam, moves=True), "webcam")
    lab.wait_until(lambda: lab.is_written(webcam), "the webcam's first picture")
    matte = ("--background", beach, "--model", tiny_model, "--threads", 1)
    run = bgcam("--camera", lab.WEBCAM_LABEL, "--output", f"virtual:{output}", "--on-demand", *matte)

    def camera_is_on() -> bool:
        return any(holder.pid == run.pid for holder in find_holders(webcam).found)

    run.says("waiting for a viewer")
    lab.wait_until(lambda: lab.is_written(output) and not camera_is_on(), "the placeholder alone")
    with in_chromium(tmp_path) as call:
        call.wait(lambda: call.listed, "the page's list of cameras")
        assert call.listed is not None
        assert "bgcam" in call.listed
        assert not camera_is_on()  # a page that only lists cameras turns on no light
        call.join.set()
        call.wait(lambda: any(map(lab.shows_person, call.new_frames())), "the person on the beach, in the page")
        call.wait(lambda: len(_different(call.frames)) >= 3, "three pictures that differ")
        assert {frame.shape for frame in call.frames} == {(240, 320, 3)}
        call.leave.set()
        call.wait(lambda: call.stopped, "the page to let go of the camera")
        lab.wait_until(lambda: not camera_is_on(), "the camera to be off again")
    assert run.stop() == 0


def _different(frames: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Those of the person, each of them elsewhere."""
    found: list[NDArray[np.uint8]] = []
    for frame in list(frames):
        if lab.shows_person(frame) and all(np.abs(frame.astype(int) - other).max() > 60 for other in found):
            found.append(frame)
    return found
