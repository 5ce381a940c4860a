"""Draw the picture of docs/install.md, which is what `bgcam demo` leaves, smaller: writes docs/demo.png.

python docs/make_demo.py
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from bgcam.realtime.command.demo.command import main

PICTURE = Path(__file__).with_name("demo.png")
WIDTH_PX = 1600


def draw() -> None:
    """Run the demo and keep its picture."""
    with TemporaryDirectory() as folder:
        if main(["--out", folder, "--seconds", "2"]):
            raise SystemExit("the demo failed")
        with Image.open(Path(folder) / "demo.png") as whole:
            size = WIDTH_PX, round(whole.height * WIDTH_PX / whole.width)
            whole.resize(size, Image.Resampling.LANCZOS).save(PICTURE, optimize=True)


if __name__ == "__main__":
    draw()
    print(PICTURE)
