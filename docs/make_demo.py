"""Draw what `bgcam demo` leaves, smaller, and what viewers see when something fails, for the pages of docs/.

python docs/make_demo.py
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
from PIL import Image

from bgcam.realtime.command.demo.clip import ASSETS
from bgcam.realtime.command.demo.command import main
from bgcam.realtime.command.demo.figure import write_figure

DOCS = Path(__file__).parent


def draw() -> None:
    """Run the demo and keep its picture; put its last frame beside its background."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if main(["--out", name, "--seconds", "2"]):
            raise SystemExit("the demo failed")
        _shrink(folder / "demo.png", DOCS / "demo.png", width=1600, optimize=True)
        with av.open(str(folder / "demo.mp4")) as video:
            *_, last = video.decode(video=0)
        background = cv2.imread(str(ASSETS / "backgrounds" / "beach.jpg"))
        assert background is not None
        panels = [("all is well", last.to_ndarray(format="bgr24")), ("something fails", background)]
        write_figure(folder / "placeholder.png", panels)
        _shrink(folder / "placeholder.png", DOCS / "placeholder.webp", width=1294, quality=85, method=6)


def _shrink(whole: Path, to: Path, *, width: int, **how: int) -> None:
    with Image.open(whole) as picture:
        size = width, round(picture.height * width / picture.width)
        picture.resize(size, Image.Resampling.LANCZOS).save(to, **how)
    print(to)


if __name__ == "__main__":
    draw()
