"""What `test_killed.py` starts and kills: the whole command, with a camera that looks into the secret room."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from typing import Any

import av  # noqa: F401 -- imported here so that the fork server has it, and each child begins at once
import cv2  # noqa: F401
import numpy as np
import openvino  # noqa: F401
from numpy.typing import NDArray

from bgcam.realtime.command import cli
from bgcam.realtime.command import run as run_command
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.sinks import images  # noqa: F401
from bgcam.realtime.sinks.web import sink as web  # noqa: F401

SIZE_WH = (320, 180)
RED = 2
# The tiny model takes bright for a person: the secret is dim on average, and red alone.
SECRET_BGR = np.array([(0, 0, 170), (0, 0, 110)], np.uint8)
PERSON = 235
# A red this strong is the room's. The person stands in the left third; the right half has no soft edge.
SECRET_LEVEL = 40


def secret_room(number: int) -> NDArray[np.uint8]:
    """(H, W, 3) BGR: somebody bright before a red pattern that moves."""
    width, height = SIZE_WH
    down, across = np.indices((height, width))
    bgr = SECRET_BGR[((down // 4 + across // 4 + number) % 2)]
    bgr[height // 4 :, : width // 3] = PERSON
    return bgr


def shows_secret(bgr: NDArray[np.uint8]) -> bool:
    return bool((bgr[:, SIZE_WH[0] // 2 :, RED] > SECRET_LEVEL).any())


def shows_person(bgr: NDArray[np.uint8]) -> bool:
    return bool((bgr[:, : SIZE_WH[0] // 4].min(axis=2) > 200).any())


class SecretCamera:
    name, size_wh, fps, live, drops, frames = "secret", SIZE_WH, 100.0, True, 0, None
    note, notice = "", ""

    def __init__(self) -> None:
        self._number = 0

    def read(self) -> CameraFrame:
        number, self._number = self._number, self._number + 1
        time.sleep(0.01)
        return CameraFrame(number, secret_room(number), number / self.fps, time.monotonic())

    def close(self) -> None:
        pass


def run(tell: Connection, model: str, folder: str) -> None:
    """Run until killed; tell the web page's address as soon as it is there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    real = run_command.open_sink

    def opening(spec: str, **options: Any) -> Any:
        sink = real(spec, **options)
        if spec.startswith("web"):
            tell.send(sink.name)
        return sink

    run_command.open_sink = opening
    run_command.open_source = lambda **options: SecretCamera()
    outputs = ["--output", "web:0", "--output", folder]
    cli.main(["--model", model, "--threads", "1", "--background", "#0000c8", *outputs])
