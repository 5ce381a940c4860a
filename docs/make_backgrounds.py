"""Draw the backgrounds that come with bgcam, but for the beach: writes realtime/assets/backgrounds/*.webp.

Also writes docs/backgrounds.jpg, where all that are there are seen side by side.

    python docs/make_backgrounds.py [--scale SHARE] [--to FOLDER] [NAME ...]

All are drawn in code, from fixed seeds, and no photograph is in them: plain walls and the outdoors by noise, shapes and
lens blur (backgrounds/canvas.py), rooms by tracing rays (backgrounds/light.py), which takes a minute or two each.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from backgrounds.city import night
from backgrounds.homes import bookshelf, living_room, loft
from backgrounds.nature import forest, mountains
from backgrounds.plain import dark_studio, studio, wall
from backgrounds.rooms import office
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).resolve().parent.parent / "realtime" / "assets" / "backgrounds"
OVERVIEW = Path(__file__).resolve().parent / "backgrounds.jpg"
LARGEST_BYTES = 118_000

# Each takes the share of the full size to draw at, and returns RGB (H, W, 3) uint8.
SCENES: dict[str, Callable[[float], NDArray[np.uint8]]] = {
    "bookshelf": bookshelf,
    "dark-studio": dark_studio,
    "forest": forest,
    "living-room": living_room,
    "loft": loft,
    "mountains": mountains,
    "night": night,
    "office": office,
    "studio": studio,
    "wall": wall,
}


def webp(rgb: NDArray[np.uint8]) -> bytes:
    """The picture as WebP, in the best quality that keeps it small."""
    for quality in range(92, 40, -4):
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "webp", quality=quality, method=6)
        if file.tell() <= LARGEST_BYTES:
            break
    return file.getvalue()


def write_overview(folder: Path, output: Path) -> None:
    """All backgrounds of a folder, small, each above its name."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".webp"))
    wide, high, gap, text, columns = 320, 180, 12, 24, 4
    rows = -(-len(paths) // columns)
    sheet = Image.new("RGB", (columns * (wide + gap) + gap, rows * (high + gap + text) + gap), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for number, path in enumerate(paths):
        x, y = gap + number % columns * (wide + gap), gap + number // columns * (high + gap + text)
        with Image.open(path) as picture:
            sheet.paste(picture.convert("RGB").resize((wide, high), Image.Resampling.LANCZOS), (x, y))
        pen.text((x, y + high + 3), path.stem, "#333333", font)
    sheet.save(output, quality=85)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the backgrounds that come with bgcam, but for the beach.")
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"default: all of {', '.join(SCENES)}")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size, 1920 x 1080; default: 1")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder; default: where bgcam keeps them")
    options = parser.parse_args()
    if unknown := set(options.name) - set(SCENES):
        parser.error(f"no such scene: {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}")
    options.to.mkdir(parents=True, exist_ok=True)
    for name in options.name or SCENES:
        data = webp(SCENES[name](options.scale))
        (options.to / f"{name}.webp").write_bytes(data)
        print(f"{name}: {len(data) / 1000:.0f} kB")
    if options.to == FOLDER:
        write_overview(FOLDER, OVERVIEW)


if __name__ == "__main__":
    main()
