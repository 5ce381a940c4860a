"""Draw the pictures of docs/picture.md from the demo's clip, which is all our own: writes docs/picture/*.jpg.

python docs/make_picture.py [NAME ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgcam.benchmarks.picture import Plain
from bgcam.realtime.backgrounds import open_background
from bgcam.realtime.command.demo.clip import HALF, NEAR, DemoCamera
from bgcam.realtime.frames import CameraFrame
from bgcam.realtime.look import Look
from bgcam.realtime.model.find import find_model
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.picture.chain import Chain

Picture = NDArray[np.uint8]

FOLDER = Path(__file__).resolve().parent / "picture"
FRAME = 40
# The head of half a person; head and shoulders of the near one; the frame.
HEAD, BUST, ALL = (540, 60, 380, 340), (378, 0, 680, 720), (0, 0, 1280, 720)
GREEN = np.array([70, 165, 75])


class Stage:
    """The demo's camera and the model, for one picture after another. near: whether it shows head and shoulders."""

    def __init__(self, *, near: bool = False) -> None:
        self.camera = DemoCamera(NEAR if near else HALF)
        self.matting = Matting(find_model(None))

    def bgr(self, number: int, *, green: bool) -> Picture:
        camera = self.camera.frame(number)
        if not green:
            return camera
        # The same person before a green wall whose light falls on the edge.
        alpha = self.camera.alpha(number)[..., None]
        light = cv2.GaussianBlur(1 - alpha[..., 0], (0, 0), 12)[..., None]
        spilled = camera * (1 - 0.25 * light) + GREEN * 0.25 * light
        return np.rint(spilled * alpha + GREEN * (1 - alpha)).astype(np.uint8)

    def shown(
        self, look: Look | None = None, *, behind: str = "beach", number: int = FRAME, plain: bool = False,
        green: bool = False, without: tuple[str, ...] = (),
    ) -> Picture:  # fmt: skip
        background = open_background(behind)
        if plain:
            chain: Chain = Plain(background, without=("temporal_filter", "guided_filter", "foreground"))
        else:
            chain = Chain(background, look, without=without)
        for at in (number - 1, number):
            frame = CameraFrame(at, self.bgr(at, green=green), at / 30, 0.0)
            composed = chain(frame, self.matting(frame))
        return composed.bgr


def cut(picture: Picture, box: tuple[int, int, int, int], *, scale: float = 1.0) -> Picture:
    x, y, width, height = box
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture[y : y + height, x : x + width], None, fx=scale, fy=scale, interpolation=how))


def row(pictures: list[Picture]) -> Picture:
    gap = np.full((pictures[0].shape[0], 6, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    return np.hstack(parts)


def before_after(stage: Stage) -> Picture:
    pictures = [stage.bgr(FRAME, green=False), stage.shown(plain=True), stage.shown()]
    return row([cut(one, HEAD, scale=1.2) for one in pictures])


def spill(stage: Stage) -> Picture:
    pictures = [
        stage.bgr(FRAME, green=True),
        stage.shown(behind="#303030", green=True, plain=True),
        stage.shown(behind="#303030", green=True, without=("despill",)),
        stage.shown(behind="#303030", green=True),
    ]
    return row([cut(one, HEAD, scale=0.9) for one in pictures])


def edge(stage: Stage) -> Picture:
    looks = [Look(), Look(edge_steps=-3), Look(edge_steps=3), Look(sharp_steps=3)]
    return row([cut(stage.shown(look), HEAD, scale=0.9) for look in looks])


def light_wrap(stage: Stage) -> Picture:
    return row([cut(stage.shown(Look(wrap=step)), BUST, scale=0.55) for step in (0, 5, 10)])


def light_match(stage: Stage) -> Picture:
    return row([cut(stage.shown(Look(match=step), behind="#402818"), BUST, scale=0.55) for step in (0, 5, 10)])


def blur(stage: Stage) -> Picture:
    return row([cut(stage.shown(behind=f"blur:{step}"), ALL, scale=0.36) for step in (2, 5, 10)])


def follow(stage: Stage) -> Picture:
    return row([cut(stage.shown(look), ALL, scale=0.5) for look in (Look(), Look(frame="follow"))])


def views(stage: Stage) -> Picture:
    return cut(stage.shown(Look(view="side-by-side")), ALL, scale=0.8)


PICTURES: dict[str, Callable[[Stage], Picture]] = {
    "before_after": before_after,
    "spill": spill,
    "edge": edge,
    "light_wrap": light_wrap,
    "light_match": light_match,
    "blur": blur,
    "follow": follow,
    "views": views,
}
# Those that are about the hair show it larger; the others are framed as in a call.
OF_HALF = ("before_after", "spill", "edge")


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in PICTURES]
    if unknown:
        sys.exit(f"no picture is called {unknown[0]!r}; there are {', '.join(PICTURES)}")
    FOLDER.mkdir(exist_ok=True)
    far, near = Stage(), Stage(near=True)
    for name in names or PICTURES:
        path = FOLDER / f"{name}.jpg"
        picture = PICTURES[name](far if name in OF_HALF else near)
        if not cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 85]):
            sys.exit(f"{path}: cannot be written")
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
