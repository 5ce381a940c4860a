"""Find pictures and their mattes in a folder; read them. What is corrupt or has no partner is reported and skipped.

Layouts:
    images/ + masks/ or alphas/ (+ foregrounds/ from `prepare`, + seen/ from `correct`), same stem
    clip_img/ + matting/            the paper's AISegment set: JPEGs, and RGBA PNGs whose alpha is the matte
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True)
class Pair:
    """One picture and where its alpha is; the rest where there is one.

    foreground: the person's own colours. seen: the alpha to learn from the picture as it is, where `alpha` cuts out.
    """

    stem: str
    image: Path
    alpha: Path
    foreground: Path | None = None
    seen: Path | None = None


def _by_stem(folder: Path) -> dict[str, Path]:
    return {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES}


def _aisegment(root: Path) -> tuple[list[Pair], list[str]]:
    # clip_img/1803151818/clip_00000000/1803151818-00000003.jpg and matting/1803151818/matting_00000000/….png
    mattes = {p.stem: p for p in sorted((root / "matting").rglob("*")) if p.suffix.lower() == ".png"}
    images = {p.stem: p for p in sorted((root / "clip_img").rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES}
    return _match(images, mattes)


def _match(
    images: dict[str, Path], alphas: dict[str, Path], extras: Sequence[dict[str, Path]] = ({}, {})
) -> tuple[list[Pair], list[str]]:
    pairs = [Pair(s, images[s], alphas[s], *(extra.get(s) for extra in extras)) for s in images if s in alphas]
    problems = [f"{images[s]}: no mask of that name" for s in images if s not in alphas]
    problems += [f"{alphas[s]}: no picture of that name" for s in alphas if s not in images]
    return pairs, problems


def find_pairs(root: Path) -> tuple[list[Pair], list[str]]:
    """All pairs of a folder, sorted by stem, and a line for each file without a partner.

    Raises FileNotFoundError when the folder has neither layout.
    """
    if (root / "clip_img").is_dir() and (root / "matting").is_dir():
        return _aisegment(root)
    for kind in ("alphas", "masks"):
        if (root / "images").is_dir() and (root / kind).is_dir():
            extras = [_by_stem(root / extra) if (root / extra).is_dir() else {} for extra in ("foregrounds", "seen")]
            return _match(_by_stem(root / "images"), _by_stem(root / kind), extras)
    raise FileNotFoundError(
        f"{root}: no pictures with mattes there; it needs images/ and masks/ (or alphas/), or clip_img/ and matting/"
    )


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8 RGB; ValueError when it cannot be decoded."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{path}: not a readable picture")
    return np.ascontiguousarray(bgr[..., ::-1])


def read_alpha(pair: Pair) -> NDArray[np.uint8]:
    """The pair's alpha, as `read_mask`."""
    return read_mask(pair.alpha)


def read_mask(path: Path) -> NDArray[np.uint8]:
    """An alpha as (H, W) uint8, 255 = person: the fourth channel where there is one, else the gray value."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{path}: not a readable mask")
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path}: a mask must have 8 or 16 bits, found {image.dtype}")
    if image.ndim == 3:
        image = image[..., 3] if image.shape[2] == 4 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.ascontiguousarray(image // 257 if image.dtype == np.uint16 else image, np.uint8)
