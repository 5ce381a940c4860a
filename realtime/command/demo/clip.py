"""The demo's camera: a portrait that sways in front of the drawn room, 1280 x 720 at 30 frames/s, made in code."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.command.demo.room import HEIGHT, WIDTH, draw_room
from bgcam.realtime.errors import SinkError, SourceError

ASSETS = Path(__file__).resolve().parents[2] / "assets"
FPS = 30
ANCHOR_XY = (225.0, 200.0)  # the portrait's point that the motion moves: the neck


@dataclass(frozen=True)
class Framing:
    """How near the portrait is: the neck's y in pixels of the frame, the zoom, and how far it swings."""

    neck_y: float
    zoom: float
    swing: float


# Half a person, who holds a helmet; head and shoulders, as in a call.
HALF = Framing(neck_y=392, zoom=1.60, swing=0.09)
NEAR = Framing(neck_y=474, zoom=2.06, swing=0.07)


class DemoCamera:
    """Draws frame `number` of the clip. The motion goes on for ever, without a jump."""

    def __init__(self, framing: Framing = HALF) -> None:
        self._framing = framing
        self._room = draw_room()
        self._portrait = _read(ASSETS / "astronaut.jpg", cv2.IMREAD_COLOR)
        self._matte = _read(ASSETS / "astronaut_matte.png", cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Frame `number`: (720, 1280, 3) uint8 BGR."""
        alpha = self.alpha(number)
        move, edge = _motion(number / FPS, self._framing), cv2.BORDER_REPLICATE
        person = cv2.warpAffine(self._portrait, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=edge)
        return np.asarray(cv2.blendLinear(person, self._room, alpha, 1 - alpha), np.uint8)

    def alpha(self, number: int) -> NDArray[np.float32]:
        """The true matte of frame `number`: (720, 1280) float32 in [0, 1]."""
        moved = cv2.warpAffine(
            self._matte, _motion(number / FPS, self._framing), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC
        )
        return np.asarray(np.clip(moved, 0, 1), np.float32)


def _motion(time_s: float, framing: Framing = HALF) -> NDArray[np.float64]:
    """The portrait's place at a time: (2, 3) matrix from its pixels to the frame's. Pan, zoom and rotation are slow.

    The zoom stays above 1.45, so that the portrait's lower edge is always below the frame's.
    """
    turn = 2 * np.pi * time_s
    x = WIDTH / 2 + 8 + 70 * np.sin(turn / 5)
    y = framing.neck_y + 9 * np.sin(turn / 2.9 + 1)
    zoom = framing.zoom + framing.swing * np.sin(turn / 6.3 + 0.6)
    move = cv2.getRotationMatrix2D(ANCHOR_XY, 2.6 * float(np.sin(turn / 3.7)), float(zoom))
    move[:, 2] += (x - ANCHOR_XY[0], y - ANCHOR_XY[1])
    return np.asarray(move, np.float64)


def write_clip(path: Path, *, frames: int) -> None:
    """Write the first `frames` frames as H.264. Raises SinkError when the file cannot be written."""
    camera = DemoCamera(NEAR)
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"preset": "superfast", "crf": "15"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for number in range(frames):
                picture = av.VideoFrame.from_ndarray(camera.frame(number), format="bgr24")
                picture.pts, picture.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise SinkError(f"{path}: cannot write the demo clip ({error}); is the disk full?") from error


def _read(path: Path, flags: int) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), flags)
    if picture is None:
        raise SourceError(f"{path}: bgcam's own file is missing or damaged; install bgcam again")
    return np.asarray(picture, np.uint8)
