"""Cut the demo's person out of NASA's portrait: writes realtime/assets/astronaut.jpg and astronaut_matte.png.

    python docs/make_astronaut.py ASTRONAUT.png          (the file `skimage/data/astronaut.png` of scikit-image)

The outline was drawn by hand. A band around it, wider at the hair, is left to closed-form matting (pymatting), and the
colours of the portrait's own backdrop are taken out of the edge. Needs `pip install ".[train]"` for pymatting.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pymatting import estimate_alpha_cf, estimate_foreground_ml

ASSETS = Path(__file__).resolve().parent.parent / "realtime" / "assets"

# Clockwise from the lower left corner, in pixels of the 512 x 512 portrait; the points go past the lower edge so that
# the matte is solid there.
OUTLINE = (
    "42,530 42,512 32,491 26,472 24,456 23,440 21,420 19,400 22,384 24,372 25,360 25,344 28,338 30,330 33,320 37,310 "
    "40,300 41,290 46,280 52,270 57,260 62,250 70,240 82,230 94,222 102,215 111,206 113,200 112,193 113,186 120,183 "
    "124,176 130,167 140,157 150,151 166,148 184,148 183,140 182,132 180,131 177,129 174,124 171,119 170,117 165,113 "
    "159,108 157,103 155,96 154,88 153,78 153,70 155,62 159,56 163,50 170,44 180,38 189,35 192,31 198,26 206,22 217,19 "
    "228,16 237,16 246,19 256,23 264,26 272,30 279,35 286,40 291,47 295,56 297,64 299,72 301,82 301,90 299,99 296,107 "
    "291,114 285,121 280,127 277,130 276,133 272,136 267,136 266,142 263,150 258,160 256,168 255,173 262,177 272,184 "
    "282,193 290,203 297,213 302,225 304,233 324,246 338,258 345,271 350,283 356,297 359,320 363,332 361,339 366,349 "
    "375,345 398,343 420,345 443,355 462,369 478,386 489,405 494,426 497,449 504,457 510,485 530,512 530,530"
)
HAIR_ENDS_Y = 132
# (inwards, outwards) in pixels: what the matting may decide
BAND_HAIR = (6, 9)
BAND_BODY = (3, 3)


def outline_trimap(height: int, width: int) -> NDArray[np.float64]:
    """Trimap (height, width): 1 surely person, 0 surely not, 0.5 for the matting to decide."""
    points = np.array([[int(v) for v in p.split(",")] for p in OUTLINE.split()], dtype=np.int32)
    inside = np.zeros((height + 40, width + 40), np.uint8)  # a margin, so that the picture's border is no edge
    cv2.fillPoly(inside, [points], 255)
    into = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    outof = cv2.distanceTransform(255 - inside, cv2.DIST_L2, 5)
    rows = np.arange(inside.shape[0])[:, None]
    inwards = np.where(rows < HAIR_ENDS_Y, BAND_HAIR[0], BAND_BODY[0])
    outwards = np.where(rows < HAIR_ENDS_Y, BAND_HAIR[1], BAND_BODY[1])
    trimap = np.full(inside.shape, 0.5)
    trimap[into > inwards] = 1
    trimap[outof > outwards] = 0
    return trimap[:height, :width]


def main(portrait: Path) -> None:
    bgr = cv2.imread(str(portrait), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SystemExit(f"{portrait}: cannot be read as a picture; give scikit-image's data/astronaut.png")
    image = bgr / 255.0
    alpha = estimate_alpha_cf(image, outline_trimap(*bgr.shape[:2]))
    alpha = np.clip((alpha - 0.04) / 0.92, 0, 1)  # neither haze outside nor holes inside
    colours = estimate_foreground_ml(image, alpha)
    ASSETS.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(ASSETS / "astronaut.jpg"), np.rint(colours * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])
    cv2.imwrite(
        str(ASSETS / "astronaut_matte.png"), np.rint(alpha * 255).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
