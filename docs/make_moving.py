"""Draw the README's moving picture from the demo's clip, which is all our own: writes docs/demo.webp.

python docs/make_moving.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.command.demo.clip import FPS, NEAR, DemoCamera
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.picture.chain import Chain

Picture = NDArray[np.uint8]

SIZE_WH = (720, 405)
EVERY = 3  # of the clip's 30 frames a second
QUALITY = 62
WHOLE, HAIR = (0, 0, 1280, 720), (375, 55, 480, 270)
# What is typed, the background, seconds, and which part of the frame is shown (x, y, width, height).
SCENES = (
    ("the camera", "none", 1.0, WHOLE),
    ("bgcam --background beach", "beach", 1.6, WHOLE),
    ("bgcam set background=office", "office", 1.8, WHOLE),
    ("bgcam set background=blur", "blur", 1.6, WHOLE),
    ("the hair, enlarged", "loft", 2.2, HAIR),
)


def frames() -> Iterator[Picture]:
    """(H, W, 3) uint8 RGB, ten a second."""
    camera, matting = DemoCamera(NEAR), Matting(find_model(None))
    number = 0
    for title, background, seconds, part in SCENES:
        chain = Chain(open_background(background))
        for _ in range(round(seconds * FPS)):
            frame = CameraFrame(number, camera.frame(number), number / FPS, 0.0)
            shown = chain(frame, matting(frame)).bgr
            if number % EVERY == 0:
                yield _titled(shown, title, part)
            number += 1


def _titled(bgr: Picture, title: str, part: tuple[int, int, int, int]) -> Picture:
    x, y, width, height = part
    cut = bgr[y : y + height, x : x + width]
    how = cv2.INTER_AREA if width > SIZE_WH[0] else cv2.INTER_CUBIC
    out = cv2.resize(cut, SIZE_WH, interpolation=how)
    font = cv2.FontFace("sans")
    (_, _, wide, _) = cv2.getTextSize((0, 0), title, (0, 0), font, 18, 500)
    plate = out[SIZE_WH[1] - 50 : SIZE_WH[1] - 14, 14 : 14 + wide + 26]
    plate[:] = (plate * 0.38 + 15).astype(np.uint8)
    cv2.putText(out, title, (27, SIZE_WH[1] - 26), (255, 255, 255), font, 18, 500)
    return np.ascontiguousarray(out[..., ::-1])


def main() -> None:
    path = Path(__file__).resolve().parent / "demo.webp"
    first, *others = [Image.fromarray(frame) for frame in frames()]
    first.save(
        path, save_all=True, append_images=others, duration=1000 * EVERY // FPS, loop=0, quality=QUALITY, method=4
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {len(others) + 1} frames")


if __name__ == "__main__":
    main()
