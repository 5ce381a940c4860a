"""Other programs that write to a loopback: a webcam, and one that gets in the way."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path

import av
import cv2
import lab
import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.devices.v4l2 import HeldFormat, output_format, set_output_format, set_output_rate, start_output

WEBCAM_FPS = 8


def write_clip(path: Path, *, frames: int = 24, fps: int = 12) -> Path:
    """An MJPEG file of `person_bgr`, the person moving to and fro by some pixels."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=fps, options={"qscale": "2"})
        stream.width, stream.height = lab.WEBCAM_WH
        stream.pix_fmt = "yuvj420p"
        for number in range(frames):
            left = 100 + min(number, frames - number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lab.person_bgr(left=left), format="bgr24")))
        container.mux(stream.encode(None))
    return path


def feed_webcam(path: str, *, fourcc: str = "YUYV", moves: bool = False) -> int:
    """A webcam of pictures of a person, `WEBCAM_FPS` a second, until it is killed. fourcc: "YUYV" or "MJPG"."""
    width, height = lab.WEBCAM_WH
    pictures = [_encoded(lab.person_bgr(left=left), fourcc) for left in (range(90, 122, 4) if moves else (100,))]
    device = os.open(path, os.O_RDWR)
    line_bytes, most_bytes = (width * 2, width * height * 2) if fourcc == "YUYV" else (0, max(map(len, pictures)))
    set_output_format(device, HeldFormat(lab.WEBCAM_WH, fourcc), picture_bytes=most_bytes, line_bytes=line_bytes)
    set_output_rate(device, WEBCAM_FPS)
    start_writer(device)
    for number in count():
        os.write(device, pictures[number % len(pictures)])
        time.sleep(1 / WEBCAM_FPS)
    return 1


def write_grey(path: str) -> int:
    """Another program that writes grey pictures in a format of its own, five a second."""
    device = os.open(path, os.O_RDWR)
    wanted = HeldFormat((160, 120), "YUYV")
    set_output_format(device, wanted, picture_bytes=160 * 120 * 2, line_bytes=160 * 2)
    start_writer(device)
    held = output_format(device)
    print("writing", held, flush=True)
    count = held.size_wh[0] * held.size_wh[1]
    grey = np.full(count * 2 if held.fourcc == "YUYV" else count * 3 // 2, 128, np.uint8)
    while True:
        os.write(device, grey.data)
        time.sleep(0.2)


def start_writer(device: int) -> None:
    """Before 0.14 who only writes leaves the device shut for the next writer; since then only writing is well."""
    if lab.driver_version() < (0, 14):
        start_output(device)


def _encoded(bgr: NDArray[np.uint8], fourcc: str) -> bytes:
    if fourcc == "MJPG":
        return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
    yuyv = np.full((*bgr.shape[:2], 2), 128, np.uint8)
    yuyv[..., 0] = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)[: bgr.shape[0]]
    return yuyv.tobytes()
